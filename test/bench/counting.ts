import * as pulumi from "@pulumi/pulumi";

/** Mocks that only count what is registered; both sides of bench:plan run on them. */
export async function countRegistrations(): Promise<() => number> {
  let resources = 0;
  await pulumi.runtime.setMocks(
    {
      call: ({ token }) => {
        throw new Error(`unexpected call of ${token}`);
      },
      newResource: ({ inputs, name }) => {
        resources++;
        return { id: name, state: inputs };
      },
    },
    "holmes-aws-mcp",
    "bench",
    false,
  );
  return () => resources;
}

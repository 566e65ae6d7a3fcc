/** One side of bench:plan: prints the milliseconds of an evaluation and the number of resources as JSON. */
const [side, clusters, accounts] = process.argv.slice(2) as ["program" | "bare", string, string];

const hex = (index: number) => index.toString(16).toUpperCase().padStart(32, "0");
const names = (count: string, prefix: string) =>
  Array.from({ length: Number(count) }, (_, index) => ({ name: `${prefix}-${index}`, index }));

const config = {
  clusters: names(clusters, "cluster").map(({ name, index }) => ({
    name,
    region: "us-east-1",
    accountId: "111111111111",
    oidcIssuerId: hex(index),
    context: name,
  })),
  targetAccounts: names(accounts, "account").map(({ name, index }) => ({
    profile: name,
    accountId: String(100000000000 + index),
    region: "us-east-1",
    description: name,
  })),
  image: { prebuilt: `registry.example.com/image@sha256:${"a".repeat(64)}` },
};
const values = Object.fromEntries(
  Object.entries(config).map(([key, value]) => [`holmes-aws-mcp:${key}`, JSON.stringify(value)]),
);

if (side === "program") {
  const start = performance.now();
  const pulumi = await import("@pulumi/pulumi");
  const { countRegistrations } = await import("./counting.js");
  pulumi.runtime.setAllConfig(values);
  const resources = await countRegistrations();
  await import("../../index.js");
  await pulumi.runtime.disconnect();
  console.log(JSON.stringify({ milliseconds: performance.now() - start, resources: resources() }));
} else {
  // The resources are determined before the measurement starts.
  const { evaluate } = await import("../../scripts/common/evaluate.js");
  const { resources } = await evaluate("bench", { values, secretKeys: [] });
  const bare = resources.map(({ type, name, open, custom }) => ({ type, name, open, custom }));
  const { execFileSync } = await import("node:child_process");
  const worker = new URL("bareProgram.ts", import.meta.url);
  process.stdout.write(
    execFileSync(process.execPath, ["--import", "tsx", worker.pathname], {
      input: JSON.stringify(bare),
      maxBuffer: 1 << 28,
    }),
  );
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, cluster, Engine, iamOnly, issuers } from "./harness.js";
import { missing } from "./missing.js";

/** The summary's counts: `{ create: 9, same: 1 }`. */
const changes = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/^\s+[+~-]{0,2}=?\s*(\d+) (created|updated|deleted|unchanged|replaced|imported)/gm)].map(
      ([, count, what]) => [what!, Number(count)],
    ),
  );

describe.skipIf(missing !== undefined)("the real engine, from the first up to destroy", () => {
  const engine = new Engine();
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());
  const both = [account("dev"), account("sandbox")];

  test("preview creates nothing", async () => {
    engine.configure(iamOnly(both));
    const { code, text } = await engine.pulumi("preview", "--non-interactive", "--stack", "test");
    expect(code, text).toBe(0);
    expect(await engine.iam("dev")).toEqual({});
  });

  test("up creates provider, role and policy in each account", async () => {
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    for (const profile of ["dev", "sandbox"] as const) {
      expect(Object.keys(await engine.iam(profile)).sort()).toEqual([
        "policy EKSMultiAccountMCPRole/MCPReadOnlyPolicy",
        `provider ${issuers.one}`,
        "role EKSMultiAccountMCPRole",
      ]);
    }
  });

  test("a second up changes nothing", async () => {
    const { code, text } = await engine.up("--expect-no-changes");
    expect(code, text).toBe(0);
  });

  test("a changed description updates the role and its component", async () => {
    engine.configure(iamOnly([account("dev", { description: "Home of the cluster" }), account("sandbox")]));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const updated = [...text.matchAll(/^ ~ +(\S+) (\S+) update \[/gm)].map(([, type, name]) => `${type} ${name}`);
    expect(updated.sort(), text).toEqual(["aws:iam:Role dev/role", "holmes-aws-mcp:index:TargetAccount dev"]);
    expect(changes(text)).toMatchObject({ updated: 2 });
    expect(changes(text).created).toBeUndefined();
    expect((await engine.iam("dev"))["role EKSMultiAccountMCPRole"]).toMatch(/^Home of the cluster/);
  });

  test("a new cluster adds a provider to each account and to each trust policy", async () => {
    engine.configure(iamOnly(both, { clusters: [cluster("one"), cluster("two")] }));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const iam = await engine.iam("sandbox");
    expect(iam[`provider ${issuers.two}`]).toBeDefined();
    expect(iam["role EKSMultiAccountMCPRole"]).toContain(`${issuers.two}:sub`);
    expect(changes(text).created, text).toBe(2 + 1);
  });

  test("a re-created cluster: trusts both issuers, then only the new one", async () => {
    const old = `https://oidc.eks.us-east-1.amazonaws.com/id/${issuers.one}`;
    engine.configure(
      iamOnly(both, { clusters: [cluster("one", { oidcIssuerId: issuers.two, previousIssuers: [old] })] }),
    );
    expect((await engine.up()).code).toBe(0);
    expect(Object.keys(await engine.iam("dev"))).toEqual(
      expect.arrayContaining([`provider ${issuers.one}`, `provider ${issuers.two}`]),
    );
    engine.configure(iamOnly(both, { clusters: [cluster("one", { oidcIssuerId: issuers.two })] }));
    expect((await engine.up()).code).toBe(0);
    const iam = await engine.iam("dev");
    expect(iam[`provider ${issuers.one}`]).toBeUndefined();
    expect(iam["role EKSMultiAccountMCPRole"]).not.toContain(issuers.one);
  });

  test("removing an account deletes the stack's resources in it", async () => {
    engine.configure(iamOnly([account("dev")]));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(await engine.iam("sandbox")).toEqual({});
    expect(Object.keys(await engine.iam("dev"))).toHaveLength(3);
  });

  test("destroy deletes the stack's resources and keeps all others", async () => {
    await engine.existingProvider("dev", "two");
    const { code, text } = await engine.destroy();
    expect(code, text).toBe(0);
    expect(Object.keys(await engine.iam("dev"))).toEqual([`provider ${issuers.two}`]);
    expect(await engine.resources()).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { account, Engine, iamOnly, issuers } from "./harness.js";
import { missing } from "./missing.js";

const without = (profile: string) => [
  "--continue-on-error",
  "--exclude",
  `**::${profile}`,
  "--exclude",
  `**::${profile}/**`,
];

describe.skipIf(missing !== undefined)("accounts that are not as they should be", () => {
  let engine: Engine;
  beforeEach(async () => {
    engine = await new Engine().start();
  });
  afterEach(() => engine.stop());

  test("a profile of another account: nothing is made there", async () => {
    engine.configure(iamOnly([account("dev"), account("sandbox")]));
    engine.breakProfile("sandbox", "prod");
    const { code, text } = await engine.up();
    expect(code).not.toBe(0);
    expect(text).toMatch(/account ID not allowed.*333333333333/s);
    expect(await engine.iam("prod")).toEqual({});
    expect(await engine.iam("sandbox")).toEqual({});
  });

  test("a provider that is there already: AWS's message, the other account finished, then declared as existing", async () => {
    await engine.existingProvider("sandbox", "one");
    engine.configure(iamOnly([account("dev"), account("sandbox")]));
    const { code, text } = await engine.up("--continue-on-error");
    expect(code).not.toBe(0);
    expect(text).toMatch(/EntityAlreadyExists/);
    expect(text).toContain("sandbox/oidc");
    expect(Object.keys(await engine.iam("dev"))).toHaveLength(3);
    expect((await engine.iam("sandbox"))["role EKSMultiAccountMCPRole"]).toBeUndefined();

    engine.configure(iamOnly([account("dev"), account("sandbox", { existingOidcProviders: ["one"] })]));
    const again = await engine.up();
    expect(again.code, again.text).toBe(0);
    expect((await engine.iam("sandbox"))["role EKSMultiAccountMCPRole"]).toContain(issuers.one);

    expect((await engine.destroy()).code).toBe(0);
    expect(Object.keys(await engine.iam("sandbox"))).toEqual([`provider ${issuers.one}`]);
  });

  test("a profile without credentials stops the stack; without it the others are finished", async () => {
    engine.configure(iamOnly([account("dev"), account("sandbox")]));
    engine.breakProfile("sandbox");
    const stopped = await engine.up();
    expect(stopped.code).not.toBe(0);
    expect(stopped.text).toContain("sandbox/");
    const { code, text } = await engine.up(...without("sandbox"));
    expect(code, text).toBe(0);
    expect(Object.keys(await engine.iam("dev"))).toHaveLength(3);
  });

  test("what the old script made is taken over and put right in one up", async () => {
    await engine.madeByScript("dev");
    engine.configure(iamOnly([account("dev", { adopt: true })]));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const iam = await engine.iam("dev");
    expect(Object.keys(iam)).toHaveLength(3);
    expect(iam["role EKSMultiAccountMCPRole"]).toMatch(/^Account dev 3600 .*AssumeRoleWithWebIdentity/);
    expect(iam["policy EKSMultiAccountMCPRole/MCPReadOnlyPolicy"]).toContain("cloudwatch:");
    // The option stays in the file and does nothing more.
    const again = await engine.up("--expect-no-changes");
    expect(again.code, again.text).toBe(0);
    expect((await engine.destroy()).code).toBe(0);
    expect(await engine.iam("dev")).toEqual({});
  });

  test("retainOidcProviders keeps the providers at destroy", async () => {
    engine.configure(iamOnly([account("dev")], { iam: { retainOidcProviders: true } }));
    expect((await engine.up()).code).toBe(0);
    expect((await engine.destroy()).code).toBe(0);
    expect(Object.keys(await engine.iam("dev"))).toEqual([`provider ${issuers.one}`]);
  });

  test("a bad config: every problem, no stack trace, nothing made", async () => {
    engine.configure(iamOnly([account("dev", { accountId: 11111, desciption: "typo" })]));
    const { code, text } = await engine.up();
    expect(code).not.toBe(0);
    expect(text).toContain("targetAccounts[0].accountId: found 11111");
    expect(text).toContain("targetAccounts[0].desciption: found an unknown key; expected description");
    expect(text).not.toMatch(/\bat .*\.ts:\d+/);
    expect(await engine.resources()).toEqual([]);
  });
});

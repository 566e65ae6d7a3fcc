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

describe.skipIf(missing !== undefined)("accounts with unexpected resources or credentials", () => {
  let engine: Engine;
  beforeEach(async () => {
    engine = await new Engine().start();
  });
  afterEach(() => engine.stop());

  test("creates nothing with a profile of another account", async () => {
    engine.configure(iamOnly([account("dev"), account("sandbox")]));
    engine.breakProfile("sandbox", "prod");
    const { code, text } = await engine.up();
    expect(code).not.toBe(0);
    expect(text).toMatch(/account ID not allowed.*333333333333/s);
    expect(await engine.iam("prod")).toEqual({});
    expect(await engine.iam("sandbox")).toEqual({});
  });

  test("reports an existing provider, completes the other account, and accepts it in existingOidcProviders", async () => {
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

  test("fails with a profile without credentials, and completes the other accounts without it", async () => {
    engine.configure(iamOnly([account("dev"), account("sandbox")]));
    engine.breakProfile("sandbox");
    const stopped = await engine.up();
    expect(stopped.code).not.toBe(0);
    expect(stopped.text).toContain("sandbox/");
    const { code, text } = await engine.up(...without("sandbox"));
    expect(code, text).toBe(0);
    expect(Object.keys(await engine.iam("dev"))).toHaveLength(3);
  });

  test("adopts and updates the resources of the legacy script in one update", async () => {
    await engine.madeByScript("dev");
    engine.configure(iamOnly([account("dev", { adopt: true })]));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const iam = await engine.iam("dev");
    expect(Object.keys(iam)).toHaveLength(3);
    expect(iam["role EKSMultiAccountMCPRole"]).toMatch(/^Account dev 3600 .*AssumeRoleWithWebIdentity/);
    expect(iam["policy EKSMultiAccountMCPRole/MCPReadOnlyPolicy"]).toContain("cloudwatch:");
    // The option has no effect in later updates.
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

  test("reports every problem of an invalid config without a stack trace, and creates nothing", async () => {
    engine.configure(iamOnly([account("dev", { accountId: 11111, desciption: "typo" })]));
    const { code, text } = await engine.up();
    expect(code).not.toBe(0);
    expect(text).toContain("targetAccounts[0].accountId: found 11111");
    expect(text).toContain("targetAccounts[0].desciption: found an unknown key; expected description");
    expect(text).not.toMatch(/\bat .*\.ts:\d+/);
    expect(await engine.resources()).toEqual([]);
  });
});

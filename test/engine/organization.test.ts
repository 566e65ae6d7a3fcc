import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, accounts, Engine, iamOnly } from "./harness.js";
import { missing } from "./missing.js";

describe.skipIf(missing !== undefined)("an organization's StackSet", () => {
  const engine = new Engine();
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());

  test("is created in the management account, with no resource in its target accounts", async () => {
    const organization = {
      profile: "prod",
      accountId: accounts.prod,
      region: "us-east-1",
      organizationalUnits: ["ou-abcd-11112222"],
    };
    engine.configure(iamOnly([account("dev", { manage: false })], { organization }));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(await engine.resources()).toEqual([
      "aws:cloudformation/stackSet:StackSet organization/stackset",
      "aws:cloudformation/stackSetInstance:StackSetInstance organization/ou-abcd-11112222",
    ]);
    expect(await engine.iam("dev")).toEqual({});
    const gone = await engine.destroy();
    expect(gone.code, gone.text).toBe(0);
  });
});

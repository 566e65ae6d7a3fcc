/** Changes outside Pulumi on the real engine, and their repair by `pulumi up --refresh`. */
import { CreatePolicyCommand } from "@aws-sdk/client-iam";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { changes } from "../scripts/doctor/changes.js";
import { account, accounts, Engine, iamOnly, issuers } from "./harness.js";
import { missing } from "./missing.js";

describe.skipIf(missing !== undefined)("drift", () => {
  const engine = new Engine();
  const provider = `arn:aws:iam::${accounts.dev}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/${issuers.one}`;
  const doctor = async () => {
    const { text } = await engine.shell(
      "pulumi stack export --stack test | npm run --silent doctor -- --stack test --state - --expect-no-changes --json",
    );
    const report = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
    return report.accounts[0].findings
      .filter(({ level }: { level: string }) => level === "problem")
      .map(({ code, subject }: { code: string; subject: string }) => `${code} ${subject}`) as string[];
  };

  beforeAll(async () => {
    await engine.start();
    const iam = engine.aws.in(accounts.dev, "aws");
    const PolicyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
    });
    await iam.send(new CreatePolicyCommand({ PolicyName: "Boundary", PolicyDocument }));
    engine.configure(
      iamOnly([account("dev", { description: "" })], {
        iam: { tags: { team: "platform" }, permissionsBoundary: "Boundary" },
      }),
    );
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(await doctor()).toEqual([]);
  });
  afterAll(() => engine.stop());

  test.each(changes.map((change) => [change.name, change] as const))("%s", async (_, { apply, code, undo }) => {
    const iam = engine.aws.in(accounts.dev, "aws");
    const target = { iam, accountId: accounts.dev, provider };
    await apply(target);
    expect(await doctor()).toEqual([expect.stringContaining(`${code} `)]);
    // Resources outside the stack remain: docs/doctor.md names the command that detaches it.
    const repaired = await engine.up("--skip-preview", "--refresh");
    expect(repaired.code, repaired.text).toBe(0);
    if (undo !== undefined) {
      expect(await doctor()).toEqual([expect.stringContaining(`${code} `)]);
      await undo(target);
    }
    expect(await doctor()).toEqual([]);
  });
});

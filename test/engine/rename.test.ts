import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, Engine, iamOnly } from "./harness.js";
import { missing } from "./missing.js";

describe.skipIf(missing !== undefined)("a renamed profile", () => {
  const engine = new Engine();
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());

  test("keeps every resource of the account", async () => {
    engine.configure(iamOnly([account("dev")]));
    const first = await engine.up();
    expect(first.code, first.text).toBe(0);
    const before = await engine.iam("dev");
    expect(Object.keys(before)).toHaveLength(3);

    engine.renameProfile("dev", "development");
    engine.configure(iamOnly([account("dev", { profile: "development", previousProfile: "dev" })]));
    const renamed = await engine.up();
    expect(renamed.code, renamed.text).toBe(0);
    expect(renamed.text).not.toMatch(/\d+ (created|deleted|replaced)/);
    expect(await engine.iam("dev")).toEqual(before);
    const names = (await engine.resources()).map((resource) => resource.split(" ")[1]);
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).toMatch(/^development\//);

    // The key can be removed after every stack has been updated.
    engine.configure(iamOnly([account("dev", { profile: "development" })]));
    const again = await engine.up("--expect-no-changes");
    expect(again.code, again.text).toBe(0);
  });
});

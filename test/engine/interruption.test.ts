import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, cluster, Engine, iamOnly } from "./harness.js";
import { missing } from "./missing.js";

describe.skipIf(missing !== undefined)("an up that is killed", () => {
  const engine = new Engine();
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());
  const config = iamOnly([account("dev"), account("sandbox"), account("prod")], {
    clusters: [cluster("one"), cluster("two")],
  });
  const up = ["up", "--yes", "--non-interactive", "--stack", "test", "--skip-preview"];

  /** Everything in AWS and in the state that an up ends with. */
  const ending = async () => ({
    state: await engine.resources(),
    iam: await Promise.all((["dev", "sandbox", "prod"] as const).map((profile) => engine.iam(profile))),
  });

  /** After a kill the lock of the file backend stays; what was made in the moment of the kill is known to AWS alone. */
  const recover = async () => {
    await engine.pulumi("cancel", "--yes", "--stack", "test");
    return engine.up("--skip-preview", "--refresh");
  };

  test("at ten points ends the same when it is run again", async () => {
    engine.configure(config);
    const start = performance.now();
    const whole = await engine.pulumi(...up);
    const length = performance.now() - start;
    expect(whole.code, whole.text).toBe(0);
    const right = await ending();
    expect((await engine.destroy()).code).toBe(0);

    let killed = 0;
    for (let point = 1; point <= 10; point++) {
      const { outcome, kill } = engine.killable(...up);
      await sleep((length * point) / 10.5);
      try {
        kill();
        killed++;
      } catch (error) {
        // It was done already.
        expect((error as NodeJS.ErrnoException).code).toBe("ESRCH");
      }
      await outcome;
      let again = await recover();
      if (again.code !== 0) {
        // A resource that AWS made in the moment of the kill is not in the state: the message names it, adoption takes it over.
        expect(again.text).toMatch(/EntityAlreadyExists/);
        const orphans = [...again.text.matchAll(/TargetAccount\$[^:]+:[^:]+:\w+::(dev|sandbox|prod)\/(oidc|role)/g)];
        engine.configure(adopting(orphans.map(([, profile, what]) => `${profile} ${what}`)));
        again = await engine.up("--skip-preview");
        engine.configure(config);
      }
      expect(again.code, `killed at ${point}: ${again.text}`).toBe(0);
      expect(await ending(), `killed at ${point}`).toEqual(right);
      expect((await engine.destroy()).code).toBe(0);
      expect(await engine.resources()).toEqual([]);
    }
    expect(killed).toBeGreaterThanOrEqual(8);
  });

  const adopting = (orphans: readonly string[]) => ({
    ...config,
    targetAccounts: config.targetAccounts.map((item) => {
      const { profile } = item as { profile: string };
      const role = orphans.includes(`${profile} role`);
      return { ...item, adopt: { oidcProviders: orphans.includes(`${profile} oidc`), role, policy: false } };
    }),
  });
});

/** Updates that are killed while resources are being created, and the recovery that `npm run doctor` prints. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, cluster, Engine, iamOnly } from "./harness.js";
import { missing } from "./missing.js";

/** Total number of kills. Every second kill leaves the plugins running, and they complete their calls. */
const KILLS = 20;

describe.skipIf(missing !== undefined)("an update that is killed", () => {
  const engine = new Engine();
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());
  const config = iamOnly([account("dev"), account("sandbox"), account("prod")], {
    clusters: [cluster("one"), cluster("two")],
  });
  const up = ["up", "--yes", "--non-interactive", "--stack", "test", "--skip-preview", "--refresh"];
  const doctor = "pulumi stack export --stack test | npm run --silent doctor -- --stack test --state - --json";

  /** Everything in AWS and in the state after an update. */
  const ending = async () => ({
    state: await engine.resources(),
    iam: await Promise.all((["dev", "sandbox", "prod"] as const).map((profile) => engine.iam(profile))),
  });

  test("continues after the two commands that doctor prints", { timeout: 7_200_000 }, async () => {
    engine.configure(config);
    const whole = await engine.pulumi(...up);
    expect(whole.code, whole.text).toBe(0);
    const right = await ending();
    expect((await engine.destroy()).code).toBe(0);

    let orphans = 0;
    let kills = 0;
    let complete = false;
    while (kills < KILLS || !complete) {
      const running = engine.killable(...up);
      const ended = running.outcome.then(() => "ended");
      // Providers, roles and policies are created in turn, so that consecutive kills interrupt different resources.
      const creating = () => engine.progress().creating.some((urn) => urn.includes("aws:iam"));
      while ((await Promise.race([ended, sleep(2)])) !== "ended") if (kills < KILLS && creating()) break;
      if (!creating()) {
        // Few resources remained: the update completed between two kills.
        const { code, text } = await running.outcome;
        expect(code, text).toBe(0);
        expect(text).not.toContain("pending operations");
        expect(await ending(), `after ${kills} kills`).toEqual(right);
        expect((await engine.destroy("--skip-preview")).code).toBe(0);
        complete = true;
        continue;
      }
      // Some milliseconds later, the calls are at different points.
      await sleep((kills % 5) * 10);
      if (kills % 2 === 0) running.kill();
      else running.killCliAlone();
      await sleep(1_000);
      try {
        running.kill();
      } catch (error) {
        // Every process of the group has ended.
        expect((error as NodeJS.ErrnoException).code).toBe("ESRCH");
      }
      await running.outcome;
      kills++;
      complete = false;

      const printed = await engine.shell(doctor);
      expect(printed.text, `kill ${kills}`).toMatch(/\{.*\}/s);
      const report = JSON.parse(printed.text.slice(printed.text.indexOf("{"), printed.text.lastIndexOf("}") + 1));
      orphans += report.accounts.flatMap(({ findings }: { findings: { code: string }[] }) =>
        findings.filter(({ code }) => code === "interrupted"),
      ).length;
      // Without a pending operation only the lock is left.
      const commands: string[] = report.recovery ?? ["pulumi cancel --yes --stack test"];
      expect(commands.length).toBeLessThanOrEqual(2);
      for (const command of commands) {
        const { code, text } = await engine.shell(command);
        expect(code, `kill ${kills}: ${command}: ${text}`).toBe(0);
      }
    }
    // Otherwise no kill interrupted a creation, and the recovery was not tested.
    expect(orphans).toBeGreaterThan(0);
  });
});

/** `npm run ask` with the Holmes CLI and a stand-in for the model's API, and `npm run ask -- --serve`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ask, serve } from "../../scripts/ask/ask.js";
import { readScenario, scenarioNames, scenariosFolder } from "../../scripts/ask/scenario.js";
import { projectFolder } from "../../scripts/common/command.js";
import { plain } from "../../scripts/common/terminal.js";
import { startModelStandIn } from "./model.js";

test("runs the Holmes CLI with the environment of the caller, and shows its answer", async () => {
  const question = "Which queues have the prefix refunds-q-?";
  const model = await startModelStandIn(
    new Map([[question, ["aws sqs list-queues --queue-name-prefix refunds-q- --profile dev"]]]),
  );
  const shown: string[] = [];
  const answered = await ask(projectFolder, {
    stack: "dev",
    scenario: "account-unavailable",
    question,
    environment: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      MODEL: "openai/gpt-4o",
      OPENAI_API_BASE: model.url,
      OPENAI_API_KEY: "none",
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
    },
    show: (text) => shown.push(text),
    paint: plain,
  });
  await model.close();
  expect(answered).toBe(true);
  expect(shown.join("\n")).toContain("The calls of the scenario are complete.");
  expect(model.read.get(question)!.join("\n")).toContain("refunds-q-g8t5");
}, 900_000);

/** Runs `before_test` of each scenario as HolmesGPT's evaluations do. */
const setups = () =>
  scenarioNames().map((name) => {
    const { before_test } = readScenario(name);
    return spawnSync(before_test, { shell: true, cwd: join(scenariosFolder, name), encoding: "utf8" });
  });

test("before_test of each scenario passes only while the scenarios are served", async () => {
  for (const { status, stdout } of setups()) {
    expect(status).toBe(1);
    expect(stdout).toContain("npm run ask -- --serve");
  }
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const shown: string[] = [];
  const served = serve(projectFolder, { stack: "dev", show: (text) => shown.push(text) }, stopped);
  await Promise.race([vi.waitUntil(() => shown.length > 0, { timeout: 800_000, interval: 500 }), served]);
  const states = setups().map(({ status }) => status);
  stop();
  await served;
  expect(shown.join()).toMatch(/^\d+ scenarios at http:\/\/127\.0\.0\.1:/);
  expect(new Set(states)).toEqual(new Set([0]));
  for (const { status } of setups()) expect(status).toBe(1);
}, 900_000);

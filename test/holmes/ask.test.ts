/** `npm run ask` with a model: Holmes' own CLI, and a stand-in for the model. */
import { expect, test, vi } from "vitest";
import { ask } from "../../scripts/ask/ask.js";
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
    load: () => {
      vi.resetModules();
      return import("../../index.js");
    },
  });
  await model.close();
  expect(answered).toBe(true);
  expect(shown.join("\n")).toContain("The calls of the scenario are complete.");
  expect(model.read.get(question)!.join("\n")).toContain("refunds-q-g8t5");
});

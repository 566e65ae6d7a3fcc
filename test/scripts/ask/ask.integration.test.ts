import { expect, test } from "vitest";
import { ask } from "../../../scripts/ask/ask.js";
import { projectFolder } from "../../../scripts/common/command.js";
import { plain } from "../../../scripts/common/terminal.js";

const options = (shown: string[]) => ({
  stack: "dev",
  scenario: "account-unavailable",
  environment: {},
  show: (text: string) => void shown.push(text),
  paint: plain,
});

test("a question without a model is an error that names the variables", async () => {
  await expect(ask(projectFolder, { ...options([]), question: "Why?" })).rejects.toThrow(
    /^QUESTION: no model is configured\. Expected MODEL .*OPENAI_API_KEY/,
  );
});

test("without a model, the results of the scenario's calls are shown", async () => {
  const shown: string[] = [];
  expect(await ask(projectFolder, options(shown))).toBe(true);
  const text = shown.join("\n");
  expect(text).toContain("Question: Which refunds queues exist in all of our accounts?");
  for (const fact of ["refunds-q-g8t5", "refunds-q-x3m6", "InvalidIdentityToken"]) expect(text).toContain(fact);
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { contains, factsOf, judge, type Result } from "../../../scripts/ask/judge.js";
import { type Facts, fill, readScenario, scenarioNames, scenariosFolder } from "../../../scripts/ask/scenario.js";

const scenarios = scenarioNames().map(readScenario);

test("there are at least 25 scenarios, each with a question of its own", () => {
  expect(new Set(scenarios.map(({ user_prompt }) => user_prompt)).size).toBe(scenarios.length);
  expect(scenarios.length).toBeGreaterThanOrEqual(25);
});

describe.each(scenarios)("$name", ({ name, user_prompt, expected_output, calls, scene, recorded = [] }) => {
  test("test_case.yaml has the form of HolmesGPT's evaluations", () => {
    // HolmesTestCase in tests/llm/utils/test_case_utils.py of HolmesGPT rejects other keys, and tags that are not
    // markers in its pyproject.toml.
    expect(parse(readFileSync(join(scenariosFolder, name, "test_case.yaml"), "utf8"))).toEqual({
      user_prompt: expect.any(String),
      expected_output: expect.arrayContaining([expect.any(String)]),
      tags: ["mcp"],
      before_test: expect.stringContaining("toolsets.yaml"),
    });
  });

  test("the answer cannot be guessed from the question and the commands", () => {
    const known = [user_prompt, ...calls.flatMap(({ command }) => command)].join("\n");
    const facts = expected_output.flatMap(factsOf);
    expect(facts.some((fact) => !contains(known, fact))).toBe(true);
  });

  test("recorded answers exist for both accounts, and steps name an account", () => {
    const actions = (account: string) => recorded.filter((entry) => entry.account === account).map((r) => r.action);
    expect(actions("cause")).toEqual(actions("twin"));
    for (const [, where] of scene) expect(where).toMatch(/^(cause|twin|both)(:[a-z0-9-]+)?$/);
  });
});

describe("judge", () => {
  const facts: Facts = {
    cause: { profile: "dev", id: "111111111111", q: { Url: "queue-a" } },
    twin: { profile: "prod", id: "222222222222", g: { GroupId: "sg-0a1b2c3d4e5f60718" } },
    unavailable: { profile: "retired", id: "333333333333" },
  };
  const command = "aws sqs list-queues --profile dev";
  const scenario = {
    calls: [{ command: "aws sqs list-queues --profile ${cause.profile}" }],
    expected_output: ["The queue has `70` messages"],
  };
  const judged = (change: Partial<Result>) =>
    judge(scenario, facts, [{ command, text: '{"Messages": 70}', isError: false, ...change }]);

  test("accepts a result with every fact", () => {
    expect(judged({})).toEqual([]);
  });

  test.each([
    ["a fact that is only a part of a number", { text: '{"Messages": 1700}' }, "missing fact: 70"],
    ["a fact that only the command contains", { command: `${command} 70`, text: `${command} 70` }, "missing fact: 70"],
    ["an unexpected error", { isError: true }, `${command}: error`],
    ["an error in a successful result", { text: '70 {"error": "denied"}' }, `${command}: expected a success`],
    [
      "the id of the other account",
      { text: "70 222222222222" },
      `${command}: content of another account: 222222222222`,
    ],
    [
      "a resource of the other account",
      { text: "70 sg-0a1b2c3d4e5f60718" },
      `${command}: content of another account: sg-0a1b2c3d4e5f60718`,
    ],
  ])("rejects %s", (_, change, problem) => {
    expect(judged(change)).toContain(problem);
  });

  test("reports a failed call once", () => {
    expect(judged({ isError: true, text: '70 {"error": "denied"}' })).toEqual([`${command}: expected a success`]);
  });

  test("rejects a missing call, and a missing entry of a batch", () => {
    expect(judge(scenario, facts, [])).toContain("0 calls. Expected 1.");
    const batch = { ...scenario, calls: [{ command: [command, command] }] };
    const text = `{"cli_command":"${command}","response":70}`;
    expect(judge(batch, facts, [{ command: [command, command], text, isError: false }])).toContain(
      `${command}: 1 results of a batch`,
    );
  });
});

test("fill finds facts by account, and without an account in the account with the fault", () => {
  const facts: Facts = {
    cause: { id: "1", q: { Urls: ["a"] } },
    twin: { id: "2", r: { Arn: "b" } },
    unavailable: {},
  };
  expect(fill("${cause.id} ${twin.id} ${q.Urls.0} ${r.Arn}", facts)).toBe("1 2 a b");
  expect(() => fill("${missing.Arn}", facts)).toThrow('no fact "missing.Arn"');
});

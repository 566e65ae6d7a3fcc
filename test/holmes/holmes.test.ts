/** Runs HolmesGPT on every scenario: its config loader, its MCP client and its tool-calling loop, over both transports. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { judge, type Result } from "../../scripts/ask/judge.js";
import { commandsOf, readScenario, scenarioNames } from "../../scripts/ask/scenario.js";
import {
  type Chain,
  evaluationToolsets,
  holmesOutputs,
  type Scenes,
  startScenes,
  withLocalAddress,
} from "../../scripts/ask/scenes.js";
import { projectFolder } from "../../scripts/common/command.js";
import { evaluate } from "../../scripts/common/evaluate.js";
import { Processes } from "../../scripts/common/processes.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { callTool } from "../../scripts/emulation/mcpClient.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { startModelStandIn } from "./model.js";
import { type Replay, replay, stockServer } from "./replay.js";

const scenarios = scenarioNames().map(readScenario);

/** Errors that the troubleshooting table of docs/holmes.md names. */
const documented = {
  wrongUrl: /All connection attempts failed/,
  wrongPath: { "streamable-http": /Session terminated/, sse: /404 Not Found/ },
  wrongMode: { "streamable-http": /404 Not Found/, sse: /Session terminated/ },
  wrongToken: /401 Unauthorized/,
  hosted: /Invalid mode "aws"/,
};

/** Characters of the instructions for two accounts before the description of `call_aws` listed them. */
const firstInstructions = 2_013;

/** Instructions for the accounts of the stack. */
const instructionsOf = (chain: Chain): string => {
  const servers = parse(holmesOutputs(chain).helmValues).mcp_servers as Record<string, { llm_instructions: string }>;
  return Object.values(servers)[0]!.llm_instructions;
};

/** Runs each command of the instructions, with its placeholders replaced by what the scenes contain. */
async function runInstructions(chain: Chain, facts: Scenes["facts"]) {
  const { cause } = facts.get("load-balancer")!;
  const now = Date.now();
  const iso = (time: number) => new Date(time).toISOString().slice(0, 19);
  const values: Record<string, string> = {
    START: iso(now - 3_600_000),
    END: iso(now),
    EPOCH_MS: String(now - 3_600_000),
    EPOCH: String(Math.floor(now / 1000) - 3_600),
    TASK: "3f1c9a7e5b2d",
  };
  const results: { command: string; text: string; isError: boolean }[] = [];
  let previous = "";
  for (const [, text] of instructionsOf(chain).matchAll(/`((?:aws|--)[^`]+)`/g)) {
    // An option belongs to the command before it.
    const template = text!.startsWith("--") ? `${previous} ${text}` : text!;
    previous = template;
    const own: Record<string, string> = {
      ...values,
      CLUSTER: template.startsWith("aws ecs") ? "mail-c9z4" : "shop-h4w7",
      NAME: template.startsWith("aws ecs") ? "mailer" : "invoice-fn-t6b3",
    };
    const filled = template
      .replace("Start=DATE,End=DATE", "Start=2026-11-01,End=2026-11-08")
      .replace("--end-time EPOCH", `--end-time ${Math.floor(now / 1000) + 60}`)
      .replace(/\b(?:START|END|EPOCH_MS|EPOCH|TASK|CLUSTER|NAME|QUERY)\b/g, (word) => own[word]!);
    const command = `${filled} --profile ${cause.profile}`;
    const answer = await callTool(chain.endpoint, "call_aws", { cli_command: command });
    values.QUERY = /"queryId":\s*"([^"]+)"/.exec(answer.text)?.[1] ?? values.QUERY ?? "";
    results.push({ command, ...answer });
  }
  return results;
}

/** The hosted configuration of the stack for the CLI. */
async function hostedServers(): Promise<string> {
  const { values, secretKeys } = readStackFile(projectFolder, "dev");
  const own = { "holmes-aws-mcp:mcp": '{"enabled":false}', "holmes-aws-mcp:holmes": '{"hosted":true}' };
  const { outputs } = await evaluate("dev", { values: { ...values, ...own }, secretKeys });
  return Object.values(outputs.holmes as Record<string, { mcpServers: string }>)[0]!.mcpServers;
}

describe.each([
  ["streamable-http", "bearer", scenarios],
  ["sse", "bearer", scenarios],
  ["streamable-http", "none", scenarios.filter(({ name }) => name === "load-balancer")],
  ["sse", "none", scenarios.filter(({ name }) => name === "load-balancer")],
] as const)("HolmesGPT over %s, authentication %s", (transport, type, played) => {
  const processes = new Processes();
  const table: string[] = [];
  let replayed: Replay;
  let ranCommands: Awaited<ReturnType<typeof runInstructions>>;
  let llmInstructions: string;
  let model: Awaited<ReturnType<typeof startModelStandIn>>;
  let scenes: Scenes;
  let files: Record<
    "cli" | "helm" | "robusta" | "stock" | "hosted" | "wrongMode" | "wrongUrl" | "wrongPath" | "wrongToken" | "noToken",
    string
  >;
  const loaded = (kind: keyof typeof files) => Object.values(replayed.toolsets[files[kind]]!)[0]!;

  beforeAll(async () => {
    const folder = processes.temporaryFolder();
    const { serverPython } = await ensurePython();
    const { values, secretKeys } = readStackFile(projectFolder, "dev");
    const config = {
      values: { ...values, "holmes-aws-mcp:mcp": JSON.stringify({ transport, authentication: { type } }) },
      secretKeys,
    };
    scenes = await startScenes(processes, "dev", config, played);
    const { chain, facts } = scenes;
    ranCommands = played === scenarios ? await runInstructions(chain, facts) : [];
    const calls = played.map(
      (scenario) => [scenario.user_prompt, commandsOf(scenario, facts.get(scenario.name)!)] as const,
    );
    model = await startModelStandIn(new Map(calls));
    processes.onStop(() => model.close());

    const outputs = holmesOutputs(chain);
    // The stack's outputs unchanged, except that the address in the cluster is replaced by the local one.
    const write = (name: string, content: unknown) => {
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, withLocalAddress(typeof content === "string" ? content : stringify(content), chain));
      return path;
    };
    const { mcp_servers } = parse(outputs.helmValues);
    llmInstructions = instructionsOf(chain);
    const changed = (change: object) => ({
      mcp_servers: Object.fromEntries(
        Object.entries(mcp_servers as Record<string, { config: object }>).map(([name, entry]) => [
          name,
          { ...entry, config: { ...entry.config, ...change } },
        ]),
      ),
    });
    files = {
      cli: write("cli", outputs.mcpServers),
      helm: write("helm", { mcp_servers }),
      robusta: write("robusta", { mcp_servers: parse(outputs.robustaValues).holmes.mcp_servers }),
      stock: write("stock", stockServer(serverPython, chain)),
      hosted: write("hosted", await hostedServers()),
      wrongMode: write("wrong-mode", changed({ mode: transport === "sse" ? "streamable-http" : "sse" })),
      wrongUrl: write("wrong-url", changed({ url: "http://127.0.0.1:9/mcp" })),
      wrongPath: write("wrong-path", changed({ url: `${new URL(chain.endpoint.url).origin}/wrong` })),
      wrongToken: write("wrong-token", changed({ extra_headers: { Authorization: "Bearer wrong" } })),
      noToken: write("no-token", changed({ extra_headers: {} })),
    };
    const evaluation = write("toolsets", evaluationToolsets(chain));
    const questions = played.map(({ user_prompt }) => user_prompt);
    const job = { configs: Object.values(files), evaluation, ask: files.cli, questions };
    replayed = await replay(processes, chain, model, job);
  });

  afterAll(async () => {
    console.log(`\n${transport}, ${type}: scenario, result, characters read, seconds\n${table.join("\n")}\n`);
    await processes.stopAll();
  });

  test.each(["cli", "helm", "robusta"] as const)("the output for %s loads and lists the tools", (kind) => {
    expect(loaded(kind)).toMatchObject({ status: "enabled", tools: expect.arrayContaining(["call_aws"]) });
  });

  test("the evaluations load toolsets.yaml", () => {
    const [toolset] = Object.values(replayed.evaluation);
    expect(toolset).toMatchObject({ status: "enabled", tools: expect.arrayContaining(["call_aws"]) });
  });

  test.each([
    ["wrongMode", documented.wrongMode[transport]],
    ["wrongUrl", documented.wrongUrl],
    ["wrongPath", documented.wrongPath[transport]],
    ["hosted", documented.hosted],
  ] as const)("%s disables the toolset with the documented error", (kind, error) => {
    expect(loaded(kind)).toMatchObject({ status: "failed", error: expect.stringMatching(error) });
  });

  test.each(["wrongToken", "noToken"] as const)("%s disables the toolset only with authentication", (kind) => {
    expect(loaded(kind)).toMatchObject(
      type === "none"
        ? { status: "enabled" }
        : { status: "failed", error: expect.stringMatching(documented.wrongToken) },
    );
  });

  test.each(played)("$name", (scenario) => {
    const { name, user_prompt } = scenario;
    const { seconds, calls } = replayed.questions[user_prompt]!;
    const commands = commandsOf(scenario, scenes.facts.get(name)!);
    const results = model.read.get(user_prompt)!.map((text, index): Result => {
      return { command: commands[index]!, text, isError: calls[index]!.status === "error" };
    });
    const problems = judge(scenario, scenes.facts.get(name)!, results);
    const characters = results.reduce((sum, { text }) => sum + text.length, 0);
    table.push(`${name}, ${problems.length === 0 ? "right" : "wrong"}, ${characters}, ${seconds.toFixed(1)}`);
    expect(problems).toEqual([]);
  });

  if (played !== scenarios) return;

  test("tools and instructions take at most half the characters of the stock server and the first instructions", () => {
    const before = loaded("stock").schema.length + firstInstructions;
    // The unavailable account of the scenarios adds one account.
    const now = loaded("cli").schema.length + llmInstructions.length;
    console.log(`${transport}: characters of tools and instructions: ${before} before, ${now} now`);
    expect(now).toBeLessThanOrEqual(before / 2);
  });

  test("each command of the instructions runs through the real server", () => {
    expect(ranCommands.length).toBeGreaterThanOrEqual(10);
    for (const { command, text, isError } of ranCommands) expect(isError, `${command}\n${text}`).toBe(false);
  });

  test("the roles' policies deny only what a scenario expects to be denied", () => {
    const denied = new Set(scenes.front.requests.filter(({ allowed }) => !allowed).map(({ action }) => action));
    expect([...denied].sort()).toEqual(["lambda:GetFunction", "secretsmanager:GetSecretValue"]);
  });

  // The result does not depend on the transport.
  if (transport === "sse") return;

  test.each(scenarios)("$name is wrong with swapped accounts", async (scenario) => {
    const facts = scenes.facts.get(scenario.name)!;
    const results: Result[] = [];
    for (const command of commandsOf(scenario, { ...facts, cause: facts.twin, twin: facts.cause })) {
      results.push({ command, ...(await callTool(scenes.chain.endpoint, "call_aws", { cli_command: command })) });
    }
    expect(judge(scenario, facts, results)).not.toEqual([]);
  });
});

test("docs/holmes.md names the errors", () => {
  const docs = readFileSync(join(projectFolder, "docs/holmes.md"), "utf8");
  for (const error of Object.values(documented).flatMap((entry) =>
    entry instanceof RegExp ? [entry] : Object.values(entry),
  )) {
    expect(docs).toMatch(error);
  }
});

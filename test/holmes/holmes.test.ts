/** The real HolmesGPT on every scenario: its config loader, its MCP client and its tool-calling loop, on both transports. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { readScenario, scenarioNames } from "../../scripts/ask/scenario.js";
import { type Chain, holmesOutputs, type Scenes, startScenes, withLocalAddress } from "../../scripts/ask/scenes.js";
import { projectFolder } from "../../scripts/common/command.js";
import { Processes, tail } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { callTool } from "../../scripts/emulation/mcpClient.js";
import { ensureHolmes, ensurePython } from "../../scripts/emulation/python.js";
import { startModelStandIn } from "./model.js";

const load = () => {
  vi.resetModules();
  return import("../../index.js");
};
const scenarios = scenarioNames().map(readScenario);

/** A fact, not as a part of a longer id or number. */
const wholeWord = (fact: string) => new RegExp(`(?<!\\w)${fact.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?!\\w)`);

interface Replay {
  toolsets: Record<string, Record<string, { status: string; error: string | null; tools: string[]; schema: string }>>;
  questions: Record<string, { seconds: number; calls: { status: string; error: string | null }[] }>;
}

/** Characters of the instructions for two accounts before the description of `call_aws` listed them. */
const firstInstructions = 2_013;

/** An entry of `mcp_servers` for the MCP server without the launcher. */
const stockServer = (command: string, { pod }: Chain) => ({
  mcp_servers: {
    stock: {
      description: "The MCP server without the launcher",
      config: {
        mode: "stdio",
        command,
        args: [],
        env: { ...pod.environment, AWS_API_MCP_TRANSPORT: "stdio" },
      },
    },
  },
});

/** Instructions for the accounts of the stack. */
const instructionsOf = (chain: Chain): string => {
  const servers = parse(holmesOutputs(chain).helmValues).mcp_servers as Record<string, { llm_instructions: string }>;
  return Object.values(servers)[0]!.llm_instructions;
};

/** Runs each command of the instructions, with its placeholders replaced by what the scenes contain. */
async function runInstructions(chain: Chain, facts: Scenes["facts"]) {
  const { cause } = facts.get("oom-kill") as { cause: { profile: string } };
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
  for (const [, template] of instructionsOf(chain).matchAll(/`(aws [^`]+)`/g)) {
    const own: Record<string, string> = {
      ...values,
      CLUSTER: template!.startsWith("aws ecs") ? "mail-c9z4" : "shop-h4w7",
      NAME: template!.startsWith("aws ecs") ? "mailer" : "invoice-fn-t6b3",
    };
    const filled = template!
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

test("there are at least 25 scenarios, each with a question of its own", () => {
  expect(new Set(scenarios.map(({ user_prompt }) => user_prompt)).size).toBe(scenarios.length);
  expect(scenarios.length).toBeGreaterThanOrEqual(25);
});

describe.each([
  ["streamable-http", "bearer"],
  ["sse", "bearer"],
] as const)("HolmesGPT over %s, authentication %s", (transport, type) => {
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "holmes-test-"));
  const table: string[] = [];
  let replay: Replay;
  let ranCommands: Awaited<ReturnType<typeof runInstructions>>;
  let llmInstructions: string;
  let model: Awaited<ReturnType<typeof startModelStandIn>>;
  let front: Scenes["front"];
  let accounts: Scenes["accounts"];
  let commands: Map<string, readonly (string | readonly string[])[]>;
  let files: Record<"cli" | "helm" | "robusta" | "stock" | "wrongMode" | "wrongUrl" | "wrongToken" | "noToken", string>;

  beforeAll(async () => {
    const [{ holmesPython }, { serverBin }] = await Promise.all([ensureHolmes(toStderr), ensurePython(toStderr)]);
    const { values, secretKeys } = readStackFile(projectFolder, "dev");
    const config = {
      values: { ...values, "holmes-aws-mcp:mcp": JSON.stringify({ transport, authentication: { type } }) },
      secretKeys,
    };
    const scenes = await startScenes(processes, "dev", config, scenarios, load);
    ({ accounts, front } = scenes);
    const { chain, facts } = scenes;
    ranCommands = await runInstructions(chain, facts);
    commands = new Map(scenarios.map(({ name, user_prompt }) => [user_prompt, scenes.commands.get(name)!]));
    model = await startModelStandIn(commands);
    processes.onStop(() => model.close());

    const outputs = holmesOutputs(chain);
    // The stack's outputs word for word; only the address inside the cluster is replaced by the one here.
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
      stock: write("stock", stockServer(serverBin, chain)),
      wrongMode: write("wrong-mode", changed({ mode: transport === "sse" ? "streamable-http" : "sse" })),
      wrongUrl: write("wrong-url", changed({ url: "http://127.0.0.1:9/mcp" })),
      wrongToken: write("wrong-token", changed({ extra_headers: { Authorization: "Bearer wrong" } })),
      noToken: write("no-token", changed({ extra_headers: {} })),
    };
    const child = processes.start("HolmesGPT", holmesPython, [join(projectFolder, "test/holmes/replay.py")], {
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        OPENAI_API_BASE: model.url,
        OPENAI_API_KEY: "none",
        HOLMES_AWS_MCP_TOKEN: chain.endpoint.token ?? "none",
        NO_PROXY: "127.0.0.1",
        LITELLM_LOCAL_MODEL_COST_MAP: "True",
      },
      stdin: "pipe",
      outputLimit: 10_000_000,
    });
    child.stdin!.end(
      JSON.stringify({ configs: Object.values(files), ask: files.cli, questions: [...commands.keys()] }),
    );
    if ((await child.exited) !== 0) throw new Error(`HolmesGPT ended early${tail(child, 40)}`);
    replay = JSON.parse(child.output().trim().split("\n").at(-1)!);
  });

  afterAll(async () => {
    console.log(`\n${transport}: scenario, characters read, seconds\n${table.join("\n")}\n`);
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(["cli", "helm", "robusta"] as const)("the output for %s loads and lists the tools", (kind) => {
    const [toolset] = Object.values(replay.toolsets[files[kind]]!);
    expect(toolset).toMatchObject({ status: "enabled", tools: expect.arrayContaining(["call_aws"]) });
  });

  test("a wrong mode and a wrong url disable the toolset with the error that docs/holmes.md names", () => {
    const wrongMode = transport === "sse" ? /Session terminated/ : /40[0-9]/;
    const [mode] = Object.values(replay.toolsets[files.wrongMode]!);
    const [url] = Object.values(replay.toolsets[files.wrongUrl]!);
    expect(mode).toMatchObject({ status: "failed", error: expect.stringMatching(wrongMode) });
    expect(url).toMatchObject({ status: "failed", error: expect.stringMatching(/All connection attempts failed/) });
  });

  test("tools and instructions take at most half the characters of the stock server and the first instructions", () => {
    const characters = (kind: keyof typeof files) => Object.values(replay.toolsets[files[kind]]!)[0]!.schema.length;
    const before = characters("stock") + firstInstructions;
    // One account is only here: the scenarios' unavailable one.
    const now = characters("cli") + llmInstructions.length;
    console.log(`${transport}: characters of tools and instructions: ${before} before, ${now} now`);
    expect(now).toBeLessThanOrEqual(before / 2);
  });

  test("each command of the instructions runs through the real server", () => {
    expect(ranCommands.length).toBeGreaterThanOrEqual(9);
    for (const { command, text, isError } of ranCommands) expect(isError, `${command}\n${text}`).toBe(false);
  });

  test.each(["wrongToken", "noToken"] as const)("%s disables the toolset with 401", (kind) => {
    const [toolset] = Object.values(replay.toolsets[files[kind]]!);
    expect(toolset).toMatchObject({ status: "failed", error: expect.stringMatching(/\b401\b/) });
  });

  test.each(scenarios)("$name", ({ user_prompt, expected_output, calls }) => {
    // Results without the echoed commands, which contain names themselves.
    const read = model.read
      .get(user_prompt)!
      .map((result, index) =>
        [commands.get(user_prompt)![index]!].flat().reduce((rest, command) => rest.replaceAll(command, ""), result),
      );
    const { seconds, calls: made } = replay.questions[user_prompt]!;
    const text = read.join("\n");
    table.push(`${user_prompt.slice(0, 60)}, ${model.read.get(user_prompt)!.join("\n").length}, ${seconds.toFixed(1)}`);
    expect(read).toHaveLength(calls.length);
    calls.forEach(({ error, command }, index) => {
      const expected = [error ?? null].flat();
      const failed = expected.every((entry) => entry !== null);
      expect(made[index]!.status, String(command)).toBe(failed ? "error" : "success");
      // An entry of a batch call begins with its command, which is removed above.
      const entries = Array.isArray(command) ? read[index]!.split('{"cli_command":"').slice(1) : [read[index]!];
      if (Array.isArray(error)) expect(entries).toHaveLength(error.length);
      entries.forEach((entry, position) => {
        const pattern = expected.length > 1 ? expected[position] : expected[0];
        if (pattern == null) expect(entry, String(command)).not.toMatch(/"(?:error|detail)":\s*"/);
        else expect(entry, String(command)).toMatch(new RegExp(pattern));
      });
      // Facts of the other account: its id, and the names of its resources.
      for (const place of ["cause", "twin"] as const) {
        if (!String(command).includes(`\${${place}.profile}`)) expect(read[index]).not.toContain(accounts[place].id);
      }
      expect(read[index]).not.toContain("-healthy");
    });
    const facts = expected_output.flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, fact]) => fact!));
    expect(facts.length).toBeGreaterThan(0);
    for (const fact of facts) expect(text).toMatch(wholeWord(fact));
  });

  test("the roles' policies deny only what a scenario expects to be denied", () => {
    const denied = new Set(front.requests.filter(({ allowed }) => !allowed).map(({ action }) => action));
    expect(
      [...denied].filter((action) => !/^(lambda:GetFunction|secretsmanager:GetSecretValue)$/.test(action)),
    ).toEqual([]);
  });
});

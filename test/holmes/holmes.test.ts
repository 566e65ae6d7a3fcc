/** The real HolmesGPT on every scenario: its config loader, its MCP client and its tool-calling loop, on both transports. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { projectFolder } from "../../scripts/common/command.js";
import { evaluate } from "../../scripts/common/evaluate.js";
import { Processes, tail } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { startChain } from "../../scripts/emulation/chain.js";
import { ensureHolmes } from "../../scripts/emulation/python.js";
import { startModelStandIn } from "./model.js";
import { buildScenes, fill, places, readScenario, scenarioNames } from "./scenario.js";
import { startSceneFront } from "./sceneFront.js";

const load = () => {
  vi.resetModules();
  return import("../../index.js");
};
const scenarios = scenarioNames().map(readScenario);

/** A fact, not as a part of a longer id or number. */
const wholeWord = (fact: string) => new RegExp(`(?<!\\w)${fact.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?!\\w)`);

interface Replay {
  toolsets: Record<string, Record<string, { status: string; error: string | null; tools: string[] }>>;
  questions: Record<string, { seconds: number; calls: { status: string; error: string | null }[] }>;
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
  let model: Awaited<ReturnType<typeof startModelStandIn>>;
  let front: Awaited<ReturnType<typeof startSceneFront>>;
  let accounts: ReturnType<typeof places>;
  let commands: Map<string, (string | string[])[]>;
  let files: Record<"cli" | "helm" | "robusta" | "wrongMode" | "wrongUrl" | "wrongToken" | "noToken", string>;

  beforeAll(async () => {
    const { holmesPython } = await ensureHolmes(toStderr);
    const { values, secretKeys } = readStackFile(projectFolder, "dev");
    const config = {
      values: { ...values, "holmes-aws-mcp:mcp": JSON.stringify({ transport, authentication: { type } }) },
      secretKeys,
    };
    const plan = await evaluate("dev", config, undefined, load);
    accounts = places(plan.settings);
    const chain = await startChain(
      processes,
      "dev",
      config,
      plan,
      async (awsUrl) => {
        front = await startSceneFront({
          awsUrl,
          policies: new Map(
            plan.settings.targetAccounts.map(({ accountId, permissions }) => [
              accountId,
              permissions.policies.map(({ document }) => document),
            ]),
          ),
        });
        processes.onStop(() => front.close());
        return front.url;
      },
      load,
    );
    const facts = await buildScenes(chain.awsUrl, accounts, scenarios);
    for (const { recorded = [] } of scenarios) {
      for (const { account, action, answer } of recorded)
        front.recorded.set(`${accounts[account].id} ${action}`, answer);
    }
    commands = new Map(
      scenarios.map(({ name, user_prompt, calls }) => [
        user_prompt,
        calls.map(({ command }) =>
          typeof command === "string"
            ? fill(command, facts.get(name)!)
            : command.map((text) => fill(text, facts.get(name)!)),
        ),
      ]),
    );
    model = await startModelStandIn(commands);
    processes.onStop(() => model.close());

    const outputs = (chain.evaluation.outputs.holmes as Record<string, Record<string, string>>)[chain.cluster.name]!;
    // The stack's outputs word for word; only the address inside the cluster is replaced by the one here.
    const address = /http:\/\/[a-z.-]+:8000(?=\/(?:sse|mcp))/;
    const write = (name: string, content: unknown) => {
      const path = join(folder, `${name}.yaml`);
      const text = typeof content === "string" ? content : stringify(content);
      writeFileSync(path, text.replace(address, new URL(chain.endpoint.url).origin));
      return path;
    };
    const { mcp_servers } = parse(outputs.helmValues!);
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
      robusta: write("robusta", { mcp_servers: parse(outputs.robustaValues!).holmes.mcp_servers }),
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
      if (error === undefined) {
        expect(made[index]!.status, String(command)).toBe("success");
        expect(read[index], String(command)).not.toMatch(/"(?:error|detail)":\s*"/);
      } else {
        expect(made[index]!.status, String(command)).toBe("error");
        expect(read[index], String(command)).toMatch(new RegExp(error));
      }
      // Facts of the other account: its id, and the names of its resources.
      const twin = String(command).includes("${twin.profile}");
      expect(read[index]).not.toContain(accounts[twin ? "cause" : "twin"].id);
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

/**
 * `npm run bench:answers`: the characters that the model reads for ten usual commands, from the stock server and from
 * the launcher. Both sides run in one emulated AWS, with HolmesGPT's own client and tool-calling loop.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { stringify } from "yaml";
import { readScenario } from "../../scripts/ask/scenario.js";
import { type Chain, holmesOutputs, startScenes, withLocalAddress } from "../../scripts/ask/scenes.js";
import { projectFolder } from "../../scripts/common/command.js";
import { Processes, tail } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { ensureHolmes, ensurePython } from "../../scripts/emulation/python.js";
import { startModelStandIn } from "../holmes/model.js";

/** Scenarios whose first command counts. */
const SCENARIOS = [
  "alarm-history",
  "cost-increase",
  "ebs-volume",
  "ec2-network",
  "ecs-task",
  "eks-nodegroup",
  "load-balancer",
  "oom-kill",
  "rds-connection",
  "what-changed",
];
/** Share of the stock server's characters. */
const TARGET = 0.45;

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-answers-"));

/** What the model reads for each question. */
async function read(name: string, config: string, calls: ReadonlyMap<string, string[]>, { endpoint }: Chain) {
  toStderr(`HolmesGPT with the ${name}`);
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, config);
  const model = await startModelStandIn(calls);
  processes.onStop(() => model.close());
  const { holmesPython } = await ensureHolmes(toStderr);
  const child = processes.start("HolmesGPT", holmesPython, [join(projectFolder, "test/holmes/replay.py")], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      OPENAI_API_BASE: model.url,
      OPENAI_API_KEY: "none",
      HOLMES_AWS_MCP_TOKEN: endpoint.token ?? "none",
      NO_PROXY: "127.0.0.1",
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
    },
    stdin: "pipe",
    outputLimit: 10_000_000,
  });
  child.stdin!.end(JSON.stringify({ configs: [file], ask: file, questions: [...calls.keys()] }));
  if ((await child.exited) !== 0) throw new Error(`HolmesGPT ended early${tail(child, 40)}`);
  return model.read;
}

try {
  const scenarios = SCENARIOS.map(readScenario);
  const { chain, commands } = await startScenes(processes, "dev", readStackFile(projectFolder, "dev"), scenarios);
  const calls = new Map(scenarios.map(({ name, user_prompt }) => [user_prompt, [commands.get(name)![0] as string]]));
  const { serverBin } = await ensurePython(toStderr);
  const env = { ...chain.pod.environment, AWS_API_MCP_TRANSPORT: "stdio" };
  const stock = { description: "stock", config: { mode: "stdio", command: serverBin, args: [], env } };
  const before = await read("stock server", stringify({ mcp_servers: { stock } }), calls, chain);
  const now = await read("launcher", withLocalAddress(holmesOutputs(chain).mcpServers, chain), calls, chain);

  const table = new Table({
    head: ["command", "stock", "launcher", "ratio"],
    colAligns: ["left", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  const total = [0, 0];
  for (const [question, [command]] of calls) {
    const pair = [before, now].map((side) => side.get(question)?.[0] ?? "");
    // An error or a missing answer would be short.
    for (const text of pair)
      if (text === "" || /"error": *"/.test(text)) throw new Error(`${command}: no answer to compare: ${text}`);
    const sizes = pair.map(({ length }) => length);
    table.push([command!.replace(/ --profile .*/, "").slice(0, 70), ...sizes, (sizes[1]! / sizes[0]!).toFixed(2)]);
    sizes.forEach((size, side) => {
      total[side]! += size;
    });
  }
  const ratio = total[1]! / total[0]!;
  table.push(["all", ...total, ratio.toFixed(2)]);
  process.stdout.write(
    `${table.toString()}\nCharacters that the model reads: ${ratio.toFixed(2)} of the stock server's.`,
  );
  process.stdout.write(` Target: at most ${TARGET}.\n`);
  if (ratio > TARGET) process.exitCode = 1;
} finally {
  await processes.stopAll();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * `npm run bench:answers`: the characters that the model reads for ten usual commands, from the stock server and from
 * the launcher. Both sides run in one emulated AWS, with HolmesGPT's own client and tool-calling loop.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { stringify } from "yaml";
import { commandsOf, readScenario, type Scenario } from "../../scripts/ask/scenario.js";
import {
  type Chain,
  evaluationToolsets,
  holmesOutputs,
  startScenes,
  withLocalAddress,
} from "../../scripts/ask/scenes.js";
import { projectFolder } from "../../scripts/common/command.js";
import { Processes } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { startModelStandIn } from "../holmes/model.js";
import { replay, stockServer } from "../holmes/replay.js";

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
const folder = processes.temporaryFolder();

/** What the model reads for each question. */
async function read(name: string, config: string, calls: ReadonlyMap<string, string[]>, chain: Chain) {
  toStderr(`HolmesGPT with the ${name}`);
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, config);
  const model = await startModelStandIn(calls);
  processes.onStop(() => model.close());
  const evaluation = join(folder, "toolsets.yaml");
  writeFileSync(evaluation, evaluationToolsets(chain));
  await replay(processes, chain, model, { configs: [file], evaluation, ask: file, questions: [...calls.keys()] });
  return model.read;
}

try {
  const scenarios = SCENARIOS.map(readScenario);
  const { chain, facts } = await startScenes(processes, "dev", readStackFile(projectFolder, "dev"), scenarios);
  const first = (scenario: Scenario) => commandsOf(scenario, facts.get(scenario.name)!)[0] as string;
  const calls = new Map(scenarios.map((scenario) => [scenario.user_prompt, [first(scenario)]]));
  const { serverPython } = await ensurePython();
  const before = await read("stock server", stringify(stockServer(serverPython, chain)), calls, chain);
  const now = await read("launcher", withLocalAddress(holmesOutputs(chain).mcpServers, chain), calls, chain);

  const table = new Table({
    head: ["command", "stock", "launcher", "ratio"],
    colAligns: ["left", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  const total = [0, 0];
  for (const [question, [command]] of calls) {
    const pair = [before, now].map((side) => side.get(question)?.[0] ?? "");
    // An error or a missing response would be short.
    for (const text of pair)
      if (text === "" || /"error": *"/.test(text)) throw new Error(`${command}: no response to compare: ${text}`);
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
}

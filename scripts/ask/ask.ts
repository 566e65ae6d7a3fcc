/** Asks HolmesGPT about a scenario; without a model, shows what the model would read. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../common/errors.js";
import { Processes } from "../common/processes.js";
import { readStackFile } from "../common/stackFile.js";
import type { Paint } from "../common/terminal.js";
import { callTool } from "../emulation/mcpClient.js";
import { ensureHolmes } from "../emulation/python.js";
import { contains, factsOf, judge, type Result, withoutCommands } from "./judge.js";
import { commandsOf, readScenario, type Scenario, scenarioNames, scenariosFolder } from "./scenario.js";
import { evaluationToolsets, holmesOutputs, type Scenes, startScenes, withLocalAddress } from "./scenes.js";

export interface AskOptions {
  readonly stack: string;
  /** Folder of test/holmes/scenarios. */
  readonly scenario: string;
  /** Default: the question of the scenario. */
  readonly question?: string | undefined;
  /** Environment of Holmes. A model is configured if it has MODEL or OPENAI_API_KEY. */
  readonly environment: NodeJS.ProcessEnv;
  /** Show the results of the calls. Default: only the expected facts in them, and the text of other errors. */
  readonly full?: boolean | undefined;
  readonly show: (text: string) => void;
  readonly paint: Paint;
}

/**
 * @returns whether Holmes answered, or whether each call of the scenario returned what the scenario expects
 * @throws UserError when something is missing on this machine, or a question has no model
 */
export async function ask(folder: string, options: AskOptions): Promise<boolean> {
  const { stack, question, environment, show, paint } = options;
  const scenario = readScenario(options.scenario);
  // Holmes reads MODEL, and its own default model needs an OpenAI key.
  const hasModel = Boolean(environment.MODEL || environment.OPENAI_API_KEY);
  if (question !== undefined && !hasModel) {
    throw new UserError(
      "QUESTION: no model is configured. Expected MODEL and the key of its provider, or OPENAI_API_KEY, in the environment. Without QUESTION, the calls of the scenario are shown.",
    );
  }
  const config = readStackFile(folder, stack);
  const processes = new Processes();
  try {
    const scenes = await startScenes(processes, stack, config, [scenario]);
    show(`${paint("bold", "Question:")} ${question ?? scenario.user_prompt}\n`);
    if (hasModel) return await askHolmes(processes, scenes, question ?? scenario.user_prompt, environment, show);
    return await play(scenes, scenario, options);
  } finally {
    await processes.stopAll();
  }
}

/** Runs Holmes' CLI with the stack's configuration for it. */
async function askHolmes(
  processes: Processes,
  { chain }: Scenes,
  question: string,
  environment: NodeJS.ProcessEnv,
  show: AskOptions["show"],
): Promise<boolean> {
  const { holmesPython, holmesCli } = await ensureHolmes();
  const folder = processes.temporaryFolder();
  const file = join(folder, "config.yaml");
  writeFileSync(file, withLocalAddress(holmesOutputs(chain).mcpServers, chain));
  const noProxy = [environment.NO_PROXY, "127.0.0.1"].filter((value) => value).join(",");
  const args = ["ask", question, "--no-interactive", "--config", file];
  const holmes = processes.start("HolmesGPT", holmesPython, [holmesCli, ...args], {
    env: {
      ...environment,
      // Holmes' own folder keeps the status of toolsets, which is not the status here.
      HOLMES_CONFIGPATH_DIR: folder,
      HOLMES_AWS_MCP_TOKEN: chain.endpoint.token ?? "",
      NO_PROXY: noProxy,
      no_proxy: noProxy,
    },
    onOutput: (text) => show(text.replace(/\n$/, "")),
  });
  return (await holmes.exited) === 0;
}

/** Makes the calls of the scenario as Holmes would, and shows what the model would read. */
async function play({ chain, facts }: Scenes, scenario: Scenario, options: AskOptions): Promise<boolean> {
  const { show, paint, full } = options;
  const expected = scenario.expected_output.flatMap(factsOf);
  const results: Result[] = [];
  show(`No model is configured. These are the calls of scenario ${scenario.name}:`);
  for (const command of commandsOf(scenario, facts.get(scenario.name)!)) {
    const start = performance.now();
    const { text, isError } = await callTool(chain.endpoint, "call_aws", { cli_command: command });
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const result: Result = { command, text, isError };
    const arrived = expected.filter((fact) => contains(withoutCommands(result), fact));
    const status = isError ? paint("yellow", "error") : paint("green", "success");
    show("");
    for (const line of [command].flat()) show(paint("bold", `$ ${line}`));
    show(`  ${status}, ${text.length} characters, ${seconds} s${arrived.length > 0 ? `: ${arrived.join(", ")}` : ""}`);
    if (full || (isError && arrived.length === 0)) show(text);
    results.push(result);
  }
  const problems = judge(scenario, facts.get(scenario.name)!, results);
  const missing = (line: string) => factsOf(line).some((fact) => problems.includes(`missing fact: ${fact}`));
  show("\nA correct answer contains:");
  for (const line of scenario.expected_output) {
    show(`  ${missing(line) ? paint("red", "✗") : paint("green", "✓")} ${line.replaceAll("`", "")}`);
  }
  for (const problem of problems) show(paint("red", `✗ ${problem}`));
  const characters = results.reduce((sum, { text }) => sum + text.length, 0);
  show(
    `\nThe model reads ${characters} characters${full ? "" : " (--full shows them)"}. To ask HolmesGPT itself, set MODEL and the key of its provider.`,
  );
  return problems.length === 0;
}

/**
 * Builds all scenarios and writes the `toolsets.yaml` of Holmes' own evaluations into each scenario's folder. The server
 * runs until `stopped` resolves, and the files are removed.
 */
export async function serve(
  folder: string,
  { stack, show }: Pick<AskOptions, "stack" | "show">,
  stopped: Promise<unknown> = new Promise(() => {}),
): Promise<void> {
  const processes = new Processes();
  try {
    const scenarios = scenarioNames().map(readScenario);
    const { chain } = await startScenes(processes, stack, readStackFile(folder, stack), scenarios);
    for (const { name } of scenarios) {
      const file = join(scenariosFolder, name, "toolsets.yaml");
      processes.onStop(() => rmSync(file, { force: true }));
      writeFileSync(file, evaluationToolsets(chain), { mode: 0o600 });
    }
    show(`${scenarios.length} scenarios at ${chain.endpoint.url}. Run HolmesGPT's evaluations now. Stop with Ctrl-C.`);
    await stopped;
  } finally {
    await processes.stopAll();
  }
}

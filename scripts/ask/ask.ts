/** Asks HolmesGPT about a scenario; without a model, shows what the model would read. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { UserError } from "../common/errors.js";
import type { Load } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import type { Paint } from "../common/terminal.js";
import { callTool } from "../emulation/mcpClient.js";
import { ensureHolmes } from "../emulation/python.js";
import { readScenario, type Scenario } from "./scenario.js";
import { holmesOutputs, type Scenes, startScenes, withLocalAddress } from "./scenes.js";

export interface AskOptions {
  readonly stack: string;
  /** Folder of test/holmes/scenarios. */
  readonly scenario: string;
  /** Default: the question of the scenario. */
  readonly question?: string | undefined;
  /** Environment of Holmes. A model is configured if it has MODEL or OPENAI_API_KEY. */
  readonly environment: NodeJS.ProcessEnv;
  readonly show: (text: string) => void;
  readonly paint: Paint;
  /** As for `evaluate`. */
  readonly load?: Load;
}

/**
 * @returns whether Holmes answered, or whether each call of the scenario returned what the scenario expects
 * @throws UserError when something is missing on this machine, or a question has no model
 */
export async function ask(folder: string, options: AskOptions): Promise<boolean> {
  const { stack, question, environment, show, paint, load } = options;
  const scenario = readScenario(options.scenario);
  // Holmes reads MODEL, and its own default model needs an OpenAI key.
  const hasModel = [environment.MODEL, environment.OPENAI_API_KEY].some((value) => value !== undefined && value !== "");
  if (question !== undefined && !hasModel) {
    throw new UserError(
      "QUESTION: no model is configured. Expected MODEL and the key of its provider, or OPENAI_API_KEY, in the environment. Without QUESTION, the calls of the scenario are shown.",
    );
  }
  const config = readStackFile(folder, stack);
  const processes = new Processes();
  try {
    const scenes = await startScenes(processes, stack, config, [scenario], load);
    show(`${paint("bold", "Question:")} ${question ?? scenario.user_prompt}`);
    if (hasModel) return await askHolmes(processes, scenes, question ?? scenario.user_prompt, environment, show);
    return await play(scenes, scenario, show, paint);
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
  const { holmesBin } = await ensureHolmes(toStderr);
  const folder = processes.temporaryFolder();
  const file = join(folder, "config.yaml");
  writeFileSync(file, withLocalAddress(holmesOutputs(chain).mcpServers, chain));
  const noProxy = [environment.NO_PROXY, "127.0.0.1"].filter((value) => value).join(",");
  const holmes = processes.start("HolmesGPT", holmesBin, ["ask", question, "--no-interactive", "--config", file], {
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

/** Makes the calls of the scenario as Holmes would, and shows their results. */
async function play(
  { chain, commands }: Scenes,
  scenario: Scenario,
  show: AskOptions["show"],
  paint: Paint,
): Promise<boolean> {
  const table = new Table({
    head: ["call", "characters", "ms", "result"],
    colWidths: [Math.max(40, (process.stdout.columns ?? 120) - 50)],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  const texts: string[] = [];
  let right = true;
  for (const [index, command] of commands.get(scenario.name)!.entries()) {
    const start = performance.now();
    const { text, isError } = await callTool(chain.endpoint, "call_aws", { cli_command: command });
    const lines = [command].flat();
    const { error } = scenario.calls[index]!;
    const expected = error !== undefined && [error].flat().every((entry) => entry !== null);
    right &&= isError === expected;
    const result = isError ? paint(expected ? "yellow" : "red", "error") : paint("green", "success");
    table.push([lines.join("\n"), String(text.length), String(Math.round(performance.now() - start)), result]);
    texts.push(`${lines.map((line) => paint("bold", `$ ${line}`)).join("\n")}\n${text}`);
  }
  show(
    `\nNo model is configured (MODEL, OPENAI_API_KEY). The calls of scenario ${scenario.name}:\n${table.toString()}`,
  );
  show(`\nWhat the model reads:\n\n${texts.join("\n\n")}`);
  show(`\nExpected answer:\n${scenario.expected_output.map((line) => `- ${line}`).join("\n")}`);
  return right;
}

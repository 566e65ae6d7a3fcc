/** `npm run ask`: asks HolmesGPT about a scenario on this machine. */
import { Argument, Option } from "commander";
import { npmCommand, projectFolder, run, stackOption, text } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { painter } from "../common/terminal.js";
import type { AskOptions } from "./ask.js";
import { scenarioNames } from "./scenario.js";

await run<Pick<AskOptions, "stack" | "scenario" | "full"> & { readonly serve?: boolean }>(
  npmCommand({
    name: "ask",
    summary:
      "Asks HolmesGPT a question about a scenario in an emulated AWS, through the MCP server of a stack. Uses the model of Holmes' own environment variables (MODEL, OPENAI_API_KEY, …). Without a model, makes the calls of the scenario and shows what the model would read.",
    examples: ["--scenario load-balancer", '"Why is pod cart of cluster shop-h4w7 restarting?" --scenario oom-kill'],
    exitCodes: { 0: "Holmes answered, or the calls returned what is expected", 1: "an error" },
  })
    .addArgument(new Argument("[question]", "default: the question of the scenario").argParser(text))
    .addOption(new Option("--scenario <name>", "what happened").choices(scenarioNames()).default("load-balancer"))
    .option("--full", "without a model: show the results of the calls")
    .addOption(
      new Option("--serve", "build every scenario for HolmesGPT's own evaluations, until Ctrl-C").conflicts([
        "scenario",
        "full",
      ]),
    )
    .addOption(stackOption("dev")),
  async (options, question) => {
    const { ask, serve } = await import("./ask.js");
    const show = (output: string) => process.stdout.write(`${output}\n`);
    if (options.serve) {
      if (question !== undefined) throw new UserError("QUESTION: cannot be used with --serve.");
      await serve(projectFolder, { ...options, show });
      return 0;
    }
    const environment = process.env;
    const paint = painter(process.stdout);
    return (await ask(projectFolder, { ...options, question, environment, show, paint })) ? 0 : 1;
  },
);

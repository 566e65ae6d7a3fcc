/** `npm run plan`: every resource of a stack, without the Pulumi CLI, a login, credentials or a network. */
import { npmCommand, path, projectFolder, run, stackOption } from "../common/command.js";
import { evaluate } from "../common/evaluate.js";
import { readStackFile } from "../common/stackFile.js";
import { painter } from "../common/terminal.js";
import { planTree } from "../common/tree.js";
import { planFiles, planJson } from "./files.js";
import { writeFiles } from "./outputFolder.js";

interface Options {
  readonly stack: string;
  readonly out?: string;
  readonly json?: true;
}

await run<Options>(
  npmCommand({
    name: "plan",
    summary: "Shows every resource of a stack as a tree. Needs no Pulumi CLI, credentials or network.",
    examples: ["--stack prod", "--stack prod --out plan-out", "--json"],
    exitCodes: { 0: "the config is valid", 1: "the config has problems, or the folder cannot be written" },
  })
    .addOption(stackOption("dev"))
    .option(
      "--out <folder>",
      "also write every policy, manifest and Holmes configuration to a new or empty folder; plan-out is ignored by Git",
      path,
    )
    .option("--json", "print the resources as JSON instead of the tree"),
  async ({ stack, out, json }) => {
    process.chdir(projectFolder);
    const evaluation = await evaluate(stack, readStackFile(projectFolder, stack));
    if (out !== undefined) writeFiles(out, projectFolder, planFiles(evaluation));
    process.stdout.write(json ? planJson(evaluation) : `${planTree(evaluation, painter(process.stdout))}\n`);
    return 0;
  },
);

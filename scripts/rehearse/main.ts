/** `npm run rehearse`: deploys a stack to this machine, with the real MCP server and an emulated AWS. */
import { npmCommand, projectFolder, run, stackOption } from "../common/command.js";
import { rehearse } from "./rehearsal.js";

interface Options {
  readonly stack: string;
}

await run<Options>(
  npmCommand({
    name: "rehearse",
    summary:
      "Deploys a stack to this machine: roles in an emulated AWS, and the real MCP server, which must reach every account.",
    examples: ["--stack prod"],
    exitCodes: { 0: "every check is right", 1: "a check is wrong, or something is missing on this machine" },
  }).addOption(stackOption("dev")),
  async ({ stack }) => {
    process.chdir(projectFolder);
    return (await rehearse(projectFolder, stack, (text) => process.stdout.write(`${text}\n`))) ? 0 : 1;
  },
);

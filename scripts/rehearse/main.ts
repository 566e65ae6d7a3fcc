/** `npm run rehearse`: deploys a stack to this machine, with the real MCP server and an emulated AWS. */
import { npmCommand, projectFolder, run, stackOption, text } from "../common/command.js";
import { painter } from "../common/terminal.js";
import type { RehearsalOptions } from "./rehearsal.js";

await run<Pick<RehearsalOptions, "stack" | "cluster">>(
  npmCommand({
    name: "rehearse",
    summary:
      "Deploys a stack to this machine: roles in an emulated AWS, and the real MCP server, which must reach every account.",
    examples: ["--stack prod"],
    exitCodes: { 0: "every check is right", 1: "a check is wrong, or something is missing on this machine" },
  })
    .addOption(stackOption("dev"))
    .option("--cluster <name>", "rehearse one cluster; default: every cluster that the server is deployed to", text),
  async (options) => {
    const { rehearse } = await import("./rehearsal.js");
    const show = (text: string) => process.stdout.write(`${text}\n`);
    return (await rehearse(projectFolder, { ...options, show, paint: painter(process.stdout) })) ? 0 : 1;
  },
);

/** `npm run doctor`: reads a stack's accounts and compares them with the stack. Exit code 1 when there is a problem. */
import { Option } from "commander";
import { npmCommand, path, run, stackOption, text } from "../common/command.js";
import type { DoctorCommandOptions } from "./command.js";

await run<DoctorCommandOptions>(
  npmCommand({
    name: "doctor",
    summary: "Reads a stack's accounts and compares them with the stack. Changes nothing.",
    examples: ["--stack prod", "--stack prod --profile dev --json"],
    exitCodes: { 0: "nothing prevents pulumi up", 1: "a finding prevents it, or an account cannot be read" },
  })
    .addOption(stackOption("dev"))
    .addOption(
      new Option("--profile <name>", "read only this account; can be given several times")
        .argParser((value, all: readonly string[]) => [...all, text(value)])
        .default([], "all accounts"),
    )
    .option("--state <file>", "output of pulumi stack export; - reads standard input", (file) =>
      file === "-" ? file : path(file),
    )
    .option("--expect-no-changes", "every difference between an account and the stack is a problem")
    .option("--repair", "print the state, completed after an interrupted update, for pulumi stack import")
    .option("--json", "print the report as JSON"),
  async (options) => (await import("./command.js")).doctorCommand(options),
);

/** `npm run doctor`: reads a stack's accounts and compares them with the stack. Exit code 1 when there is a problem. */
import { readFileSync } from "node:fs";
import { npmCommand, path, projectFolder, run, stackOption, text } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { doctor, stackSettings } from "./doctor.js";
import { repair } from "./repair.js";
import { reportText } from "./report.js";
import { StackState } from "./state.js";

interface Options {
  readonly stack: string;
  readonly profile: readonly string[];
  readonly state?: string;
  readonly expectNoChanges?: true;
  readonly repair?: true;
  readonly json?: true;
}

await run<Options>(
  npmCommand({
    name: "doctor",
    summary: "Reads a stack's accounts and compares them with the stack. Changes nothing.",
    examples: ["--stack prod", "--stack prod --profile dev --json"],
    exitCodes: { 0: "nothing prevents pulumi up", 1: "a finding prevents it, or an account cannot be read" },
  })
    .addOption(stackOption("dev"))
    .option(
      "--profile <name>",
      "read only this account; can be given several times",
      (value, all: readonly string[]) => [...all, text(value)],
      [],
    )
    .option("--state <file>", "output of pulumi stack export; - reads standard input", (file) =>
      file === "-" ? file : path(file),
    )
    .option("--expect-no-changes", "every difference between an account and the stack is a problem")
    .option("--repair", "print the state, completed after an interrupted update, for pulumi stack import")
    .option("--json", "print the report as JSON"),
  async ({ stack, profile, state: file, expectNoChanges = false, repair: repairs, json }) => {
    if (repairs && (file === undefined || profile.length > 0)) {
      throw new UserError("--repair: expected --state FILE and no --profile.");
    }
    const state = file === undefined ? undefined : StackState.parse(readState(file), stack, file);
    process.chdir(projectFolder);
    const settings = await stackSettings(stack, readStackFile(projectFolder, stack));
    const report = await doctor(settings, { profiles: [...profile], state, expectNoChanges, onRead: progress() });
    if (repairs) {
      const { state: repaired, unchecked } = repair(report, state!);
      for (const urn of unchecked) toStderr(`not checked, import it if up reports that it exists: ${urn}`);
      process.stdout.write(`${JSON.stringify(repaired, null, 2)}\n`);
      return 0;
    }
    process.stdout.write(
      json ? `${JSON.stringify(report, null, 2)}\n` : `${reportText(report, process.stdout.columns)}\n`,
    );
    return report.ok ? 0 : 1;
  },
);

/** `-` reads standard input: `pulumi stack export --stack dev | npm run doctor -- --state -`. */
function readState(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new UserError(`--state ${path}: ${(error as Error).message}`);
  }
}

/** One line that counts on a terminal; on anything else only the first and the last. */
function progress(): (done: number, all: number) => void {
  const live = process.stderr.isTTY;
  toStderr("reading the accounts, all at once");
  return (done, all) => {
    const line = `${done} of ${all} accounts read`;
    if (live) process.stderr.write(`\r${line}${done === all ? "\n" : ""}`);
    else if (done === all) toStderr(line);
  };
}

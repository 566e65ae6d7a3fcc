/** Reads the accounts of a stack and prints the report, or the repaired state. */
import { readFileSync } from "node:fs";
import { text as contentOf } from "node:stream/consumers";
import { projectFolder } from "../common/command.js";
import { fileProblem, UserError } from "../common/errors.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { doctor, stackSettings } from "./doctor.js";
import { repair } from "./repair.js";
import { reportText } from "./report.js";
import { StackState } from "./state.js";

export interface DoctorCommandOptions {
  readonly stack: string;
  readonly profile: readonly string[];
  readonly state?: string;
  readonly expectNoChanges?: boolean;
  readonly repair?: true;
  readonly json?: true;
}

/** @returns the exit code */
export async function doctorCommand(options: DoctorCommandOptions): Promise<number> {
  const { stack, profile, state: file, expectNoChanges = false, repair: repairs, json } = options;
  if (repairs && (file === undefined || profile.length > 0)) {
    throw new UserError("--repair: expected --state FILE and no --profile.");
  }
  const state = file === undefined ? undefined : StackState.parse(await readState(file), stack, file);
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
}

/** `-` reads standard input: `pulumi stack export --stack dev | npm run doctor -- --state -`. */
export async function readState(path: string): Promise<string> {
  try {
    // A pipe can be non-blocking: a synchronous read fails with EAGAIN while the export is still being written.
    return path === "-" ? await contentOf(process.stdin) : readFileSync(path, "utf8");
  } catch (error) {
    throw fileProblem(`--state ${path}`, error);
  }
}

/** One line that counts on a terminal; otherwise only the first and the last line. */
function progress(): (done: number, all: number) => void {
  const live = process.stderr.isTTY;
  toStderr("reading the accounts in parallel");
  return (done, all) => {
    const line = `${done} of ${all} accounts read`;
    if (live) process.stderr.write(`\r${line}${done === all ? "\n" : ""}`);
    else if (done === all) toStderr(line);
  };
}

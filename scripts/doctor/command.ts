/** Reads the accounts of a stack and prints the report, or the repaired state. */
import { readFileSync } from "node:fs";
import { text as contentOf } from "node:stream/consumers";
import { projectFolder } from "../common/command.js";
import { fileProblem, UserError } from "../common/errors.js";
import { toStderr } from "../common/progress.js";
import { stackSettings } from "../common/stackFile.js";
import { doctor } from "./doctor.js";
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
  const { stack, profile: profiles, state: file, expectNoChanges, repair: repairs, json } = options;
  const state = file === undefined ? undefined : StackState.parse(await readState(file), stack, file);
  if (repairs && (state === undefined || profiles.length > 0)) {
    throw new UserError("--repair: expected --state FILE and no --profile.");
  }
  const settings = await stackSettings(projectFolder, stack);
  toStderr("reading the accounts in parallel");
  const report = await doctor(settings, { profiles, state, expectNoChanges });
  if (repairs && state !== undefined) {
    const { state: repaired, unchecked } = repair(report, state);
    for (const urn of unchecked) toStderr(`not checked, import it if up reports that it exists: ${urn}`);
    process.stdout.write(`${JSON.stringify(repaired, null, 2)}\n`);
    return 0;
  }
  const output = json ? JSON.stringify(report, null, 2) : reportText(report, process.stdout.columns);
  process.stdout.write(`${output}\n`);
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

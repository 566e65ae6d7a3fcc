/** `npm run doctor`: reads a stack's accounts before anything is changed in them. Exit code 1 when something is wrong. */
import { readFileSync } from "node:fs";
import { commandArguments, projectFolder, run } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { doctor, stackSettings } from "./doctor.js";
import { reportText } from "./report.js";
import { StackState } from "./state.js";

const usage = "npm run doctor -- [--stack dev] [--profile P …] [--state FILE] [--json]";

await run(async () => {
  const { values, positionals } = commandArguments(usage, {
    stack: { type: "string", default: "dev" },
    profile: { type: "string", multiple: true, default: [] },
    state: { type: "string" },
    json: { type: "boolean", default: false },
  });
  if (positionals.length > 0) throw new UserError(`unexpected argument ${positionals[0]}\nusage: ${usage}`);
  const { stack } = values;
  // A path that the person gave is relative to where they are.
  const state = values.state === undefined ? undefined : StackState.parse(readState(values.state), stack, values.state);
  process.chdir(projectFolder);
  const settings = await stackSettings(stack, readStackFile(projectFolder, stack));
  const report = await doctor(settings, { profiles: values.profile, state, onRead: progress() });
  process.stdout.write(
    values.json ? `${JSON.stringify(report, null, 2)}\n` : `${reportText(report, process.stdout.columns)}\n`,
  );
  return report.ok ? 0 : 1;
});

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

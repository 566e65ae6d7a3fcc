/** Converts files: reads the legacy file, validates the result as the program does, and writes everything or nothing. */
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { ConfigError, rawConfig, readSettings } from "../../config/load.js";
import { project } from "../../config/settings.js";
import { fileProblem, UserError } from "../common/errors.js";
import { parseStackFile } from "../common/stackFile.js";
import { Conversion, type ConvertOptions } from "./convert.js";

export interface ConvertFilesOptions extends Pick<ConvertOptions, "adopt" | "policyChecks"> {
  /** Path of the legacy script's file. */
  readonly file: string;
  /** Without an organization, which is not part of the name of the file. */
  readonly stack: string;
  /** The project's folder. Must be the working directory, because policy files are relative to it. */
  readonly folder: string;
  /** Path of a custom permission policy. */
  readonly permissions?: string | undefined;
}

/**
 * Writes or merges `Pulumi.<stack>.yaml`.
 *
 * @returns the report, with one line per key
 * @throws UserError with every problem if the result is invalid. Nothing is written in this case.
 */
export async function convertFiles(options: ConvertFilesOptions): Promise<string> {
  const { file, stack, folder, permissions } = options;
  const target = join(folder, `Pulumi.${stack}.yaml`);
  const existing = existsSync(target) ? read(target) : undefined;
  const policyFile = permissions && relative(folder, permissions).split(sep).join("/");
  if (policyFile?.startsWith("../")) {
    throw new UserError(`--permissions ${permissions}: not in the project. Copy the file to ${folder}.`);
  }
  const conversion = new Conversion({
    ...options,
    source: basename(file),
    old: read(file),
    target: basename(target),
    existing,
    policyFile,
  });
  const { values, secretKeys } = parseStackFile(conversion.content, target);
  let warnings: readonly string[] = [];
  const problems = [...conversion.problems];
  try {
    ({ warnings } = await readSettings(stack, rawConfig(values), (key) => secretKeys.includes(`${project}:${key}`)));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems.map(conversion.explain));
  }
  if (problems.length > 0) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const outcome = `${basename(target)} was not ${existing === undefined ? "written" : "changed"}`;
    throw new UserError([`${file}: ${count}; ${outcome}.`, ...problems.map((problem) => `  - ${problem}`)].join("\n"));
  }
  const state = existing === undefined ? "written" : existing === conversion.content ? "unchanged" : "changed";
  if (state !== "unchanged") writeAtomically(target, conversion.content);
  const { steps, notes } = conversion;
  const lines = [
    ...steps.map(({ outcome, key, why }) => `  ${outcome.padEnd(9)}  ${key}: ${why}`),
    `${basename(target)} is ${state}. The config is valid.`,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...notes,
    `Next: run npm run plan -- --stack ${stack}, then npm run doctor -- --stack ${stack} to check the accounts before pulumi up.`,
  ];
  return `${lines.join("\n")}\n`;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileProblem(path, error);
  }
}

/** Writes a file atomically. A symbolic link is kept. */
function writeAtomically(path: string, content: string): void {
  const real = existsSync(path) ? realpathSync(path) : path;
  const next = `${real}.${process.pid}.new`;
  try {
    writeFileSync(next, content, { flag: "wx", mode: existsSync(real) ? statSync(real).mode : 0o644 });
    renameSync(next, real);
  } catch (error) {
    rmSync(next, { force: true });
    throw new UserError(`${path}: ${(error as Error).message}`);
  }
}

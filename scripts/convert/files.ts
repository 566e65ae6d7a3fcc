/** Converts files: reads the legacy file, validates the result as the program does, and writes everything or nothing. */
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { ConfigError, rawConfig, readSettings } from "../../config/load.js";
import type { Problem } from "../../config/problems.js";
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
  const policy = permissions === undefined ? undefined : policyOf(permissions, folder, stack);
  const conversion = new Conversion({
    ...options,
    source: basename(file),
    old: read(file),
    target: basename(target),
    existing,
    policyFile: policy?.path,
  });
  const { values, secretKeys } = parseStackFile(conversion.content, target);
  const raw = rawConfig(values);
  // A copy of the policy does not exist yet.
  if (permissions !== undefined) raw.iam = { ...(raw.iam as object), policyFile: permissions };
  let warnings: readonly string[] = [];
  let problems: readonly Problem[] = [];
  try {
    ({ warnings } = await readSettings(stack, raw, (key) => secretKeys.includes(`${project}:${key}`)));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    ({ problems } = error);
  }
  if (conversion.problems.length + problems.length > 0) {
    const outcome = `${basename(target)} was not ${existing === undefined ? "written" : "changed"}`;
    throw invalidConfig(problems, conversion, outcome, options);
  }
  const state = existing === undefined ? "written" : existing === conversion.content ? "unchanged" : "changed";
  if (policy?.copy !== undefined) writeAtomically(join(folder, policy.path), policy.copy);
  if (state !== "unchanged") writeAtomically(target, conversion.content);
  const { steps, notes } = conversion;
  const lines = [
    ...steps.map(({ outcome, key, why }) => `  ${outcome.padEnd(9)}  ${key}: ${why}`),
    ...(policy?.copy === undefined ? [] : [`${policy.path} is a copy of ${permissions}.`]),
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

/** Path of the policy in the project. A file outside the project must be copied to it. */
function policyOf(source: string, folder: string, stack: string): { path: string; copy?: string } {
  const content = read(source);
  const inside = relative(folder, source);
  if (!inside.startsWith("..") && !isAbsolute(inside)) return { path: inside.split(sep).join("/") };
  const path = `policy.${stack}.json`;
  const copied = join(folder, path);
  if (existsSync(copied) && read(copied) !== content) {
    throw new UserError(`--permissions ${source}: ${path} already exists with different content. Remove it first.`);
  }
  return { path, copy: content };
}

function invalidConfig(
  problems: readonly Problem[],
  conversion: Conversion,
  outcome: string,
  { file, permissions }: ConvertFilesOptions,
): UserError {
  const all = [...conversion.problems, ...problems.map(conversion.explain)];
  const count = all.length === 1 ? "1 problem" : `${all.length} problems`;
  const policy = permissions !== undefined && problems.some(({ path }) => path[1] === "policyFile");
  return new UserError(
    [
      `${file}: ${count}; ${outcome}.`,
      ...all.map((problem) => `  - ${problem}`),
      ...(policy
        ? [
            "Without --permissions, the built-in policy applies: it covers these services and more (docs/permissions.md).",
            "With --policy-checks warn, a policy that IAM accepts is used unchanged, and each finding is a warning.",
          ]
        : []),
    ].join("\n"),
  );
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

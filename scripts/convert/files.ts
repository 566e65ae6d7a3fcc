/** Converts files: reads the legacy file, validates the result as the program does, and writes everything or nothing. */
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { ConfigError, project, rawConfig, readSettings } from "../../config/load.js";
import { fileProblem, UserError } from "../common/errors.js";
import { parseStackFile } from "../common/stackFile.js";
import { type Conversion, convert } from "./convert.js";

export interface ConvertFilesOptions {
  /** Path of the legacy script's file. */
  readonly file: string;
  readonly stack: string;
  /** The project's folder. Must be the working directory, because policy files are relative to it. */
  readonly folder: string;
  readonly adopt?: boolean;
  /** Path of a custom permission policy. */
  readonly permissions?: string | undefined;
  readonly policyChecks?: string | undefined;
}

/**
 * Writes or merges `Pulumi.<stack>.yaml`.
 *
 * @returns the report, with one line per key
 * @throws UserError with every problem if the result is invalid. Nothing is written in this case.
 */
export async function convertFiles(options: ConvertFilesOptions): Promise<string> {
  const { file, folder, permissions } = options;
  const stack = stackName(options.stack);
  const target = join(folder, `Pulumi.${stack}.yaml`);
  const existing = existsSync(target) ? read(target) : undefined;
  const policy = permissions === undefined ? undefined : policyOf(permissions, folder, stack);
  const conversion = convert({
    source: basename(file),
    old: read(file),
    target: basename(target),
    existing,
    adopt: options.adopt ?? false,
    policyFile: policy?.path,
    policyChecks: options.policyChecks,
  });
  const state = existing === undefined ? "written" : existing === conversion.content ? "unchanged" : "changed";
  let warnings: readonly string[];
  try {
    warnings = await warningsOf(stack, conversion.content, target, policy);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw invalidConfig(
      error,
      conversion,
      `${basename(target)} was not ${existing === undefined ? "written" : "changed"}`,
      options,
    );
  }
  if (policy?.copy === true) writeAtomically(join(folder, policy.path), read(policy.source));
  if (state !== "unchanged") writeAtomically(target, conversion.content);
  const { steps, notes } = conversion;
  const lines = [
    ...steps.map(({ outcome, key, why }) => `  ${outcome.padEnd(9)}  ${key}: ${why}`),
    ...(policy?.copy === true ? [`${policy.path} is a copy of ${policy.source}.`] : []),
    `${basename(target)} is ${state}. The config is valid.`,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...notes,
    `Next: run npm run plan -- --stack ${stack}, then npm run doctor -- --stack ${stack} to check the accounts before pulumi up.`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Pulumi's rule for stack names. The file name does not contain the organization. */
function stackName(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,100}$/.test(name)) return name;
  throw new UserError(`--stack: found ${JSON.stringify(name)}. Expected a stack name of letters, digits and _ . -`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileProblem(path, error);
  }
}

interface Policy {
  readonly source: string;
  /** Relative to the project. */
  readonly path: string;
  /** Whether the file is outside the project and must be copied into it. */
  readonly copy: boolean;
}

function policyOf(source: string, folder: string, stack: string): Policy {
  const content = read(source);
  const inside = relative(folder, source);
  if (!inside.startsWith("..") && !isAbsolute(inside)) {
    return { source, path: inside.split(sep).join("/"), copy: false };
  }
  const path = `policy.${stack}.json`;
  const copied = join(folder, path);
  if (existsSync(copied) && read(copied) !== content) {
    throw new UserError(`--permissions ${source}: ${path} already exists with different content. Remove it first.`);
  }
  return { source, path, copy: true };
}

/** Validates the new file as the program does. Returns the warnings. */
async function warningsOf(stack: string, content: string, target: string, policy: Policy | undefined) {
  const { values, secretKeys } = parseStackFile(content, target);
  const raw = rawConfig(values);
  // The copy does not exist yet.
  if (policy !== undefined) raw.iam = { ...(raw.iam as object), policyFile: policy.source };
  const { warnings } = await readSettings(stack, raw, (key) => secretKeys.includes(`${project}:${key}`));
  return warnings;
}

function invalidConfig(
  { problems }: ConfigError,
  { explain }: Conversion,
  outcome: string,
  { file, permissions }: ConvertFilesOptions,
): UserError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const policy = permissions !== undefined && problems.some(({ path }) => path[1] === "policyFile");
  return new UserError(
    [
      `${file}: ${count}; ${outcome}.`,
      ...problems.map((problem) => `  - ${explain(problem)}`),
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

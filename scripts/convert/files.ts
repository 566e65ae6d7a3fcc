/** Converts files: reads the legacy file, validates the result as the program does, and writes everything or nothing. */
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { ConfigError, rawConfig, readSettings } from "../../config/load.js";
import type { Problem } from "../../config/problems.js";
import { project } from "../../config/settings.js";
import { fileProblem, UserError } from "../common/errors.js";
import { parseStackFile } from "../common/stackFile.js";
import { type Conversion, convert } from "./convert.js";

export interface ConvertFilesOptions {
  /** Path of the legacy script's file. */
  readonly file: string;
  /** Without an organization, which is not part of the name of the file. */
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
  const { file, stack, folder, permissions } = options;
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
  const { warnings, problems } = await validated(stack, conversion.content, target, policy);
  if (conversion.problems.length + problems.length > 0) {
    const outcome = `${basename(target)} was not ${existing === undefined ? "written" : "changed"}`;
    throw invalidConfig(problems, conversion, outcome, options);
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

/** Validates the new file as the program does. */
async function validated(
  stack: string,
  content: string,
  target: string,
  policy: Policy | undefined,
): Promise<{ warnings: readonly string[]; problems: readonly Problem[] }> {
  const { values, secretKeys } = parseStackFile(content, target);
  const raw = rawConfig(values);
  // The copy does not exist yet.
  if (policy !== undefined) raw.iam = { ...(raw.iam as object), policyFile: policy.source };
  try {
    const { warnings } = await readSettings(stack, raw, (key) => secretKeys.includes(`${project}:${key}`));
    return { warnings, problems: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { warnings: [], problems: error.problems };
    throw error;
  }
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

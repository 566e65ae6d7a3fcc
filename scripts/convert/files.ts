/** Converting on disk: reads the old file, checks the result with the program's own reader, writes all or nothing. */
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { ConfigError, project, rawConfig, readSettings } from "../../config/load.js";
import { UserError } from "../common/errors.js";
import { parseStackFile } from "../common/stackFile.js";
import { type Conversion, convert } from "./convert.js";

export interface ConvertFilesOptions {
  /** Path of the old shell script's file. */
  readonly file: string;
  readonly stack: string;
  /** The project's folder; the process has to be in it, because policy files are relative to it. */
  readonly folder: string;
  readonly adopt?: boolean;
  /** Path of a permission policy of one's own. */
  readonly permissions?: string | undefined;
  readonly policyChecks?: string | undefined;
}

/**
 * Writes or merges `Pulumi.<stack>.yaml`.
 *
 * @returns what was done, key by key
 * @throws UserError with every reason when the result would not hold; nothing is written then
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
    throw refusal(
      error,
      conversion,
      `${basename(target)} was not ${existing === undefined ? "written" : "changed"}`,
      options,
    );
  }
  if (policy?.copy === true) writeWhole(join(folder, policy.path), read(policy.source));
  if (state !== "unchanged") writeWhole(target, conversion.content);
  const { steps, notes } = conversion;
  const lines = [
    ...steps.map(({ outcome, key, why }) => `  ${outcome.padEnd(9)}  ${key}: ${why}`),
    ...(policy?.copy === true ? [`${policy.path} is a copy of ${policy.source}.`] : []),
    `${basename(target)} is ${state}; the program reads it without a problem.`,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...notes,
    `Next: npm run plan -- --stack ${stack}; then npm run doctor -- --stack ${stack}, which reads the accounts before up.`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Pulumi's rule for stack names, without an organization: that is no part of the file's name. */
function stackName(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,100}$/.test(name)) return name;
  throw new UserError(`--stack: found ${JSON.stringify(name)}; expected a stack's name: letters, digits and _ . -`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message}`);
  }
}

interface Policy {
  readonly source: string;
  /** From the project's folder. */
  readonly path: string;
  /** A file outside the project comes along into it. */
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
    throw new UserError(`--permissions ${source}: ${path} is there already, with another content; remove it first`);
  }
  return { source, path, copy: true };
}

/** What the program itself thinks of the new file. */
async function warningsOf(stack: string, content: string, target: string, policy: Policy | undefined) {
  const { values, secretKeys } = parseStackFile(content, target);
  const raw = rawConfig(values);
  // The copy is not there yet.
  if (policy !== undefined) raw.iam = { ...(raw.iam as object), policyFile: policy.source };
  const { warnings } = await readSettings(stack, raw, (key) => secretKeys.includes(`${project}:${key}`));
  return warnings;
}

function refusal(
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
            "Without --permissions the program's own policy is used: the same services, and more (docs/permissions.md).",
            "With --policy-checks warn a policy that IAM takes is used as it is, and each finding is a warning.",
          ]
        : []),
    ].join("\n"),
  );
}

/** All of it or nothing, also when the machine stops half-way; a link stays a link. */
function writeWhole(path: string, content: string): void {
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

/** A stack's config as the engine would hand it over, read from `Pulumi.<stack>.yaml`; secrets stand as placeholders. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { UserError } from "./errors.js";

export interface StackConfig {
  /** `project:key` to text or JSON. */
  readonly values: Record<string, string>;
  /** Keys that hold a secret anywhere inside. */
  readonly secretKeys: string[];
}

/** In place of a secret; the line break lets it pass for the content of a kubeconfig, which is never a path then. */
const secretStandIn = "[secret]\n";

/**
 * @param folder the project's folder
 * @throws UserError when the stack has no file, or the file is not one
 */
export function readStackFile(folder: string, stack: string): StackConfig {
  const path = join(folder, `Pulumi.${stack}.yaml`);
  if (!existsSync(path)) {
    const known = readdirSync(folder).flatMap((name) => name.match(/^Pulumi\.(.+)\.yaml$/)?.[1] ?? []);
    throw new UserError(`stack ${stack}: there is no ${path}; stacks here: ${known.join(", ") || "none"}`);
  }
  return parseStackFile(readFileSync(path, "utf8"), path);
}

export function parseStackFile(content: string, path: string): StackConfig {
  let file: unknown;
  try {
    file = parse(content);
  } catch (error) {
    throw new UserError(`${path}: not YAML: ${(error as Error).message}`);
  }
  const config = (file as { config?: unknown } | null)?.config;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new UserError(`${path}: expected a map under config:, with keys such as holmes-aws-mcp:clusters`);
  }
  const values: Record<string, string> = {};
  const secretKeys: string[] = [];
  for (const [key, value] of Object.entries(config)) {
    const open = reveal(value);
    values[key] = typeof open === "string" ? open : JSON.stringify(open);
    if (holdsSecret(value)) secretKeys.push(key);
  }
  return { values, secretKeys };
}

const isSecure = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).length === 1 &&
  typeof (value as { secure?: unknown }).secure === "string";

function holdsSecret(value: unknown): boolean {
  return isSecure(value) || (typeof value === "object" && value !== null && Object.values(value).some(holdsSecret));
}

function reveal(value: unknown): unknown {
  if (isSecure(value)) return secretStandIn;
  if (Array.isArray(value)) return value.map(reveal);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, reveal(inner)]));
  }
  return value;
}

/** Reads a stack's config from `Pulumi.<stack>.yaml` in the form of the engine, with secrets masked. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Alias, isAlias, isScalar, LineCounter, type Node, parseDocument, type Scalar, visit } from "yaml";
import { z } from "zod";
import { maskedSecret } from "../../config/fields.js";
import { rawConfig, readSettings } from "../../config/load.js";
import { visible } from "../../config/problems.js";
import { project, type Settings } from "../../config/settings.js";
import { UserError } from "./errors.js";
import { mapValues } from "./mapValues.js";

export interface StackConfig {
  /** `project:key` to text or JSON. */
  readonly values: Record<string, string>;
  /** Keys that contain a secret at any level. */
  readonly secretKeys: string[];
}

/**
 * @param folder the project's folder
 * @throws UserError when the stack's file does not exist or is not a stack file
 */
export function readStackFile(folder: string, stack: string): StackConfig {
  const path = join(folder, `Pulumi.${stack}.yaml`);
  if (!existsSync(path)) {
    const known = readdirSync(folder).flatMap((name) => name.match(/^Pulumi\.(.+)\.yaml$/)?.[1] ?? []);
    throw new UserError(`--stack ${stack}: ${path} not found. Expected one of: ${known.join(", ") || "none"}.`);
  }
  return parseStackFile(readFileSync(path, "utf8"), path);
}

/**
 * The settings of a stack, as the program reads them, with masked secrets.
 *
 * @throws UserError as readStackFile, ConfigError with every problem of the config
 */
export function stackSettings(folder: string, stack: string): Promise<Settings> {
  const { values, secretKeys } = readStackFile(folder, stack);
  return readSettings(stack, rawConfig(values), (key) => secretKeys.includes(`${project}:${key}`));
}

/** @throws UserError with all text that is not valid YAML or that Pulumi would read differently */
export function parseStackFile(content: string, path: string): StackConfig {
  const file = parseYaml(content, path) as { config?: unknown } | null;
  const config = file?.config;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new UserError(`${path}: expected a map under config:, with keys such as ${project}:clusters`);
  }
  const bare = Object.keys(config).filter((key) => !key.includes(":"));
  if (bare.length > 0) {
    const lines = bare.map((key) => `${visible(key)}: a key without its project. Expected ${project}:${visible(key)}.`);
    throw new UserError(`${path}: ${lines.join("\n")}`);
  }
  const values: Record<string, string> = {};
  const secretKeys: string[] = [];
  for (const [key, value] of Object.entries(config)) {
    const open = reveal(value);
    values[key] = typeof open === "string" ? open : JSON.stringify(open);
    if (!isDeepStrictEqual(open, value)) secretKeys.push(key);
  }
  return { values, secretKeys };
}

function parseYaml(content: string, path: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(content, { lineCounter, prettyErrors: false });
  const lineOf = (offset: number | undefined) => lineCounter.linePos(offset ?? 0).line;
  const faults = document.errors.map(({ code, message, pos }): [number, string] => [
    lineOf(pos[0]),
    // The library's message refers to one of its functions.
    code === "MULTIPLE_DOCS" ? "a second document. Expected one" : `not YAML: ${message}`,
  ]);
  visit(document, {
    Node: (key, node, ancestors) => {
      const fault = faultOf(node, key === "key", (alias) => {
        const target = alias.resolve(document);
        if (target === undefined) return "an alias without an anchor before it";
        return ancestors.includes(target) ? "an alias inside its own anchor" : undefined;
      });
      if (fault !== undefined) faults.push([lineOf(node.range?.[0]), fault]);
    },
  });
  if (faults.length > 0) {
    throw new UserError(faults.map(([line, fault]) => `${path}, line ${line}: ${fault}.`).join("\n"));
  }
  try {
    return document.toJS();
  } catch {
    // The only remaining error is the library's limit on alias repetitions.
    throw new UserError(`${path}: too many aliases. Expected at most 100 repetitions. Write the values out.`);
  }
}

/** Values that Pulumi's YAML library (gopkg.in/yaml.v3, resolve.go) does not read as text. */
const timestamp = /^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$/;
const number = /^[-+]?(0[bB][01]+|0[oO]?[0-7]+|0[xX][\da-fA-F]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)$/;

/** Describes a node that Pulumi would read differently from this program, or not at all. */
function faultOf(node: Node, isKey: boolean, aliasFault: (alias: Alias) => string | undefined): string | undefined {
  if (isAlias(node)) return aliasFault(node);
  if (node.tag !== undefined && !/^tag:yaml.org,2002:(str|map|seq)$/.test(node.tag)) {
    return `the YAML tag ${visible(node.tag)}. Expected a value without a tag`;
  }
  return isScalar(node) ? scalarFault(node, isKey) : undefined;
}

function scalarFault({ type, value, tag, source = "" }: Scalar, isKey: boolean): string | undefined {
  if (isKey && value === "<<") return "a merge (<<). Expected the keys themselves. Write them out";
  if (type !== "PLAIN" || tag !== undefined) return undefined;
  const shown = visible(source);
  if (typeof value === "number" && String(value) !== source) {
    return `${shown} is a number that Pulumi reads as ${value}. Expected a number in plain digits, or a text: "${shown}"`;
  }
  if (typeof value !== "string") return undefined;
  if (timestamp.test(source)) return `${shown} is a date to Pulumi. Expected a text. Put it in quotes: "${shown}"`;
  if (number.test(source.replaceAll("_", ""))) {
    return `${shown} is a number to Pulumi. Expected plain digits, or a text in quotes: "${shown}"`;
  }
  return undefined;
}

const secured = z.strictObject({ secure: z.string() });

const reveal = (value: unknown): unknown =>
  secured.safeParse(value).success ? maskedSecret : mapValues(value, reveal);

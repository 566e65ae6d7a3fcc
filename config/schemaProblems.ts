/** Converts schema issues to problems with fixes, and sorts problems in schema order. */
import { z } from "zod";
import { maskedSecret } from "./fields.js";
import { rules, type TextRule } from "./limits.js";
import { nearest, type Path, type Problem, type Problems, visible } from "./problems.js";
import { objectIn, unwrap } from "./reading.js";
import { configSchema } from "./schema.js";
import { project } from "./settings.js";

/**
 * Adds one schema issue as problems: one for each unknown key, with the most similar known key.
 *
 * @param root the schema of the parsed value
 * @param prefix path of the parsed value
 */
export function addIssue(
  issue: z.core.$ZodIssue,
  problems: Problems,
  root: z.ZodType = configSchema,
  prefix: Path = [],
): void {
  const path = [...prefix, ...(issue.path as Path)];
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) addUnknownKey([...path, key], key, keysAt(issue.path as Path, root), problems);
      return;
    case "invalid_union": {
      // The branch with the deepest issue describes the problem best.
      const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
      if (depth(best) === 0) break;
      for (const inner of best) addIssue({ ...inner, path: [...issue.path, ...inner.path] }, problems, root, prefix);
      return;
    }
    case "invalid_key":
      for (const { message } of issue.issues)
        problems.say(path, `the key ${visible(JSON.stringify(path.at(-1)))}`, message);
      return;
  }
  problems.add(path, issue.input, issue.message, fixOf(issue));
}

function addUnknownKey(path: Path, key: string, known: readonly string[], problems: Problems): void {
  // load.ts reports this key, at every level.
  if (key === "__proto__") return;
  const [, name] = key.match(/^[^:]*:(.*)$/s) ?? [];
  if (path.length === 1 && name !== undefined) {
    const nearName = nearest(name, known);
    const expected =
      nearName === undefined ? `${project}: followed by one of ${known.join(", ")}` : `${project}:${nearName}`;
    problems.say(path, "an unknown key", expected);
    return;
  }
  const near = nearest(key, known);
  const renamed = near !== undefined && near === key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  problems.say(
    path,
    "an unknown key",
    near === undefined ? `one of ${known.join(", ")}` : near,
    renamed ? "To convert a config file of the legacy script, run: npm run convert -- FILE --stack NAME" : undefined,
  );
}

const depth = (issues: readonly z.core.$ZodIssue[]) =>
  Math.max(0, ...issues.map(({ path, code }) => path.length + (code === "unrecognized_keys" ? 1 : 0)));

const ruleByText = new Map<string, TextRule>(Object.values(rules).map((rule: TextRule) => [rule.expected, rule]));

/** Returns the fix, if the value indicates one. */
function fixOf({ code, input, message, ...issue }: z.core.$ZodIssue): string | undefined {
  if (input === null) return "YAML reads a key without a value as null. Set a value, or remove the key.";
  if (input === maskedSecret) return "Set it as plain text. The commands do not decrypt the secrets of the stack.";
  const type = code === "invalid_type" ? (issue as { expected?: string }).expected : undefined;
  const wantsText = type === "string" || ruleByText.has(message);
  if (wantsText && (typeof input === "number" || typeof input === "boolean")) return quotesFix(input, message);
  if (typeof input !== "string") return undefined;
  if ((type === "number" || type === "int") && /^\d+$/.test(input)) return "Remove the quotes.";
  if (type === "boolean" && /^(true|false|yes|no|on|off)$/i.test(input)) return "Use true or false, without quotes.";
  if (type === "array") return "Use a list: [ … ], or a line with - for each entry.";
  return ruleByText.get(message)?.fix?.(input);
}

function quotesFix(input: number | boolean, message: string): string {
  if (message === rules.accountId.expected && Number.isInteger(input) && String(input).length < 12) {
    return `Put it in quotes. Without quotes, YAML drops leading zeros (was it "${String(input).padStart(12, "0")}"?), or reads an octal number.`;
  }
  return `Put it in quotes: "${input}".`;
}

function child(schema: z.ZodType | undefined, part: string | number): z.ZodType | undefined {
  if (schema === undefined) return undefined;
  const plain = unwrap(schema);
  if (plain instanceof z.ZodArray) return plain.element as z.ZodType;
  const shape = objectIn(plain)?.shape ?? {};
  return Object.hasOwn(shape, part) ? (shape[part] as z.ZodType) : undefined;
}

/** The schema of a key. Undefined for an unknown key. */
export const schemaAt = (path: Path, root: z.ZodType = configSchema): z.ZodType | undefined =>
  path.reduce<z.ZodType | undefined>(child, root);

/** Keys of the object at a path. */
export function keysAt(path: Path, root: z.ZodType = configSchema): string[] {
  const schema = schemaAt(path, root);
  return Object.keys((schema && objectIn(schema)?.shape) ?? {});
}

/** Positions of a path's parts in the schema and in lists. Used to sort problems in documentation order. */
function ranks(path: Path): number[] {
  return path.map((part, index) => {
    if (typeof part === "number") return part;
    const keys = keysAt(path.slice(0, index));
    return keys.includes(part) ? keys.indexOf(part) : keys.length;
  });
}

/** Sorts problems in the documentation order of their keys, and by index within lists. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const ranked = problems.map((problem) => ({ problem, rank: ranks(problem.path) }));
  ranked.sort((a, b) => {
    const at = a.rank.findIndex((value, index) => value !== b.rank[index]);
    return at < 0 ? a.rank.length - b.rank.length : a.rank[at]! - (b.rank[at] ?? -1);
  });
  return ranked.map(({ problem }) => problem);
}

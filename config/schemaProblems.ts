/** Converts schema issues to problems with fixes, and sorts problems by section. */
import { z } from "zod";
import { maskedSecret } from "./fields.js";
import { rules, type TextRule } from "./limits.js";
import { nearest, type Path, type Problem, type Problems, visible } from "./problems.js";
import { objectIn, unwrap } from "./reading.js";
import { configSchema } from "./schema.js";
import { project } from "./settings.js";

/** Adds one schema issue as problems: one for each unknown key, with the most similar known key. */
export function addIssue(issue: z.core.$ZodIssue, problems: Problems): void {
  const path = issue.path as Path;
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) addUnknownKey([...path, key], key, keysAt(path), problems);
      return;
    case "invalid_union": {
      // A branch whose problems are all inside the value has the type of the value.
      const inside = ({ path: inner, code }: z.core.$ZodIssue) => inner.length > 0 || code === "unrecognized_keys";
      const branch = issue.errors.find((errors) => errors.every(inside));
      if (branch === undefined) break;
      for (const inner of branch) addIssue({ ...inner, path: [...issue.path, ...inner.path] }, problems);
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
  // A key of a misspelled project is complete: `holmes_aws_mcp:iam`.
  const near = nearest(key.replace(/^[^:]*:/, ""), known);
  const full = (name: string) => (path.length === 1 ? `${project}:${name}` : name);
  const similar = near === undefined ? `one of ${known.map(full).join(", ")}` : full(near);
  const expected = key in Object.prototype ? "a different name" : similar;
  const renamed = near !== undefined && near === key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const convert = "To convert a config file of the legacy script, run: npm run convert -- FILE --stack NAME";
  problems.say(path, "an unknown key", expected, renamed ? convert : undefined);
}

/** Rejects names of built-in JavaScript properties, such as `__proto__` and `toString`, which libraries mishandle in maps. */
export function rejectPrototypeKeys(path: Path, value: unknown, problems: Problems): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = [...path, Array.isArray(value) ? Number(key) : key];
    if (key in Object.prototype) problems.say(place, "an unknown key", "a different name");
    rejectPrototypeKeys(place, inner, problems);
  }
}

const ruleByText = new Map<string, TextRule>(Object.values(rules).map((rule: TextRule) => [rule.expected, rule]));

/** Returns the fix, if the value indicates one. */
function fixOf(issue: z.core.$ZodIssue): string | undefined {
  const { code, input, message } = issue;
  if (code === "custom" && issue.params !== undefined) return issue.params.fix;
  if (input === null) return "YAML reads a key without a value as null. Set a value, or remove the key.";
  if (input === maskedSecret) return "Set it as plain text. The commands do not decrypt the secrets of the stack.";
  const type = code === "invalid_type" ? issue.expected : undefined;
  if (type === "string" && (typeof input === "number" || typeof input === "boolean")) {
    const isShortId = message === rules.accountId.expected && Number.isInteger(input) && String(input).length < 12;
    if (!isShortId) return `Put it in quotes: "${input}".`;
    return `Put it in quotes. Without quotes, YAML drops leading zeros (was it "${String(input).padStart(12, "0")}"?), or reads an octal number.`;
  }
  if (typeof input !== "string") return undefined;
  if ((type === "number" || type === "int") && /^\d+$/.test(input)) return "Remove the quotes.";
  if (type === "boolean" && /^(true|false|yes|no|on|off)$/i.test(input)) return "Use true or false, without quotes.";
  if (type === "array") return "Use a list: [ … ], or a line with - for each entry.";
  const near = code === "invalid_value" ? nearest(input, issue.values.map(String)) : undefined;
  if (near !== undefined) return `Did you mean ${near}?`;
  const most = /at most (\d+) characters/.exec(message)?.[1];
  if (most !== undefined && input.length > Number(most)) return `It has ${input.length} characters.`;
  return ruleByText.get(message)?.fix?.(input);
}

function child(schema: z.ZodType | undefined, part: string | number): z.ZodType | undefined {
  if (schema === undefined) return undefined;
  const plain = unwrap(schema);
  if (plain instanceof z.ZodPipe) return child(plain.out as z.ZodType, part);
  if (plain instanceof z.ZodArray) return plain.element as z.ZodType;
  const shape = objectIn(plain)?.shape ?? {};
  return Object.hasOwn(shape, part) ? (shape[part] as z.ZodType) : undefined;
}

/** The schema of a key. Undefined for an unknown key. */
export const schemaAt = (path: Path): z.ZodType | undefined => path.reduce<z.ZodType | undefined>(child, configSchema);

/** Keys of the object at a path. */
export function keysAt(path: Path): string[] {
  const schema = schemaAt(path);
  return Object.keys((schema && objectIn(schema)?.shape) ?? {});
}

/** Sorts problems by section. An unknown section is first. */
export function bySection(problems: readonly Problem[]): Problem[] {
  const sections = Object.keys(configSchema.shape);
  const place = ({ path }: Problem) => sections.indexOf(String(path[0]));
  return problems.toSorted((a, b) => place(a) - place(b));
}

/** Typed fields for the sections. Error messages state the expected value. */
import { z } from "zod";
import type { TextRule } from "./limits.js";

/** Adds a key's description and example, which docs/config.md shows. */
export const doc = <T extends z.ZodType>(schema: T, description: string, example: z.input<T>): T =>
  schema.meta({ description, examples: [example] }) as T;

export const text = ({ pattern, expected }: TextRule) =>
  z.string({ error: expected }).regex(pattern, { error: expected });

export const flag = () => z.boolean({ error: "true or false" });

export const integer = (min: number, max: number, unit = "") => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
};

export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

export const list = <T extends z.ZodType>(item: T, of: string) => z.array(item, { error: `a list of ${of}` });

/** A list without duplicates. AWS and Kubernetes drop or reject duplicates. */
export const set = <T extends z.ZodType<string | number>>(item: T, of: string) =>
  list(item, of).superRefine((values, context) => {
    for (const [index, value] of values.entries()) {
      if (values.indexOf(value) === index) continue;
      context.addIssue({ code: "custom", path: [index], message: "no duplicate entries", input: value });
    }
  });

export const object = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: `an object with ${Object.keys(shape).join(", ")}` });

export const keyed = <T extends z.ZodType>(key: TextRule, value: T, of: string) =>
  z.record(
    z.string().superRefine((name, context) => {
      if (!key.pattern.test(name)) context.addIssue({ code: "custom", message: key.expected, input: name });
    }),
    value,
    { error: `a map. Each key: ${key.expected}. Each value: ${of}` },
  );

export const textMap = (key: TextRule, value: TextRule) => keyed(key, text(value), value.expected);

export const line: TextRule = {
  pattern: /^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u,
  expected: "a non-empty single-line string",
};
/**
 * Value of a secret that is not decrypted, as in `npm run plan` (scripts/common/stackFile.ts). The line break makes it
 * the content of a kubeconfig and not a path.
 */
export const maskedSecret = "[secret]\n";

/** A string that can be a Pulumi secret. */
export const secret = ({ pattern, ...rule }: TextRule) =>
  text({ ...rule, pattern: new RegExp(`${pattern.source}|^\\[secret\\]\\n$`, pattern.flags) });

export const envValue: TextRule = { pattern: /^[^\0]*$/, expected: "a string" };
export const filePath: TextRule = {
  pattern: line.pattern,
  expected: "the path of a file, relative to the project directory",
};

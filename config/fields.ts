/** Typed fields for the sections. Error messages state the expected value. */
import { z } from "zod";
import type { TextRule } from "./limits.js";

/** @param example value for docs/config.md. Default: the default of the key */
export const text = ({ pattern, expected }: TextRule, example?: string) =>
  z.string({ error: expected }).regex(pattern, { error: expected }).meta({ example });

export const boolean = () => z.boolean({ error: "true or false" });

export const flag = (fallback: boolean) => boolean().default(fallback);

export const integer = (min: number, max: number, unit = "") => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
};

export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

/** One of several values. The first value is the default. */
export const choice = <const T extends readonly [string, ...string[]]>(...values: T) =>
  oneOf(...values).default(values[0] as z.util.NoUndefined<T[number]>);

/** One of many names, which docs/permissions.md lists. */
export const nameIn = (names: readonly string[], what: string) =>
  z.enum(names, { error: `${what} (docs/permissions.md)` });

/** @param example value for docs/config.md. Default: the example of an entry */
export const list = <T extends z.ZodType>(item: T, of: string, example?: z.input<T>[]) =>
  z.array(item, { error: `a list of ${of}` }).meta({ example });

/** A list without duplicates. AWS and Kubernetes drop or reject duplicates. */
export const set = <T extends z.ZodType<string | number>>(item: T, of: string, example?: z.input<T>[]) =>
  list(item, of, example).superRefine((values, context) => {
    for (const [index, value] of values.entries()) {
      if (values.indexOf(value) === index) continue;
      context.addIssue({ code: "custom", path: [index], message: "no duplicate entries", input: value });
    }
  });

export const object = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: `an object with ${Object.keys(shape).join(", ")}` });

/** An object that can be absent, because no key is required. */
export const section = <T extends z.ZodRawShape>(shape: T) => object(shape).prefault({} as z.input<z.ZodObject<T>>);

export const keyed = <T extends z.ZodType>(key: TextRule, value: T, of: string, example?: Record<string, z.input<T>>) =>
  z.record(text(key), value, { error: `a map. Each key: ${key.expected}. Each value: ${of}` }).meta({ example });

export const textMap = (key: TextRule, value: TextRule, example?: Record<string, string>) =>
  keyed(key, text(value), value.expected, example);

/**
 * Value of a secret that is not decrypted, as in `npm run plan` (scripts/common/stackFile.ts). The line break makes it
 * the content of a kubeconfig and not a path.
 */
export const maskedSecret = "[secret]\n";

/** A string that can be a Pulumi secret. */
export const secret = ({ pattern, ...rule }: TextRule, example: string) =>
  text({ ...rule, pattern: new RegExp(`${pattern.source}|^\\[secret\\]\\n$`, pattern.flags) }, example);

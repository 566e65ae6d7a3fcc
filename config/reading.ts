/** Reads each value of a config on its own, so that rules see the valid values and the defaults of a broken config. */
import { z } from "zod";

/**
 * Values with defaults. An invalid value is null, an invalid list or object is empty, an absent value is undefined. A list
 * that is read from an invalid file is null.
 */
export type Reading<T> = T extends undefined
  ? undefined
  : T extends readonly (infer Item)[]
    ? ReadonlyArray<Reading<Item>>
    : T extends object
      ? { readonly [Key in keyof T]: Reading<T[Key]> }
      : T | null;

export function readingOf<T extends z.ZodType>(schema: T, value: unknown): Reading<z.output<T>>;
export function readingOf(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const plain = unwrap(schema);
  if (plain instanceof z.ZodArray) {
    return Array.isArray(value) ? value.map((item) => readingOf(plain.element as z.ZodType, item)) : [];
  }
  const values = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  const object = objectIn(plain);
  // A union has keys if its value is an object.
  if (object !== undefined && (object === plain || values.size > 0)) {
    const fields = Object.entries(object.shape as Record<string, z.ZodType>);
    return Object.fromEntries(fields.map(([key, field]) => [key, readingOf(field, values.get(key))]));
  }
  if (plain instanceof z.ZodRecord) {
    return Object.fromEntries([...values].map(([key, inner]) => [key, readingOf(plain.valueType as z.ZodType, inner)]));
  }
  return null;
}

/** Removes wrappers such as optional and default from a schema. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const inner = (schema as { def?: { innerType?: z.ZodType } }).def?.innerType;
  return inner === undefined ? schema : unwrap(inner);
}

/** Returns the object schema, including from a union of an object and a boolean. */
export function objectIn(schema: z.ZodType): z.ZodObject | undefined {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodObject) return plain;
  if (!(plain instanceof z.ZodUnion)) return undefined;
  return (plain.options as z.ZodType[]).map(objectIn).find((option) => option !== undefined);
}

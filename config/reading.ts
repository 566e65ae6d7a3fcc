/** Reads each value of a config on its own, so that rules see the valid values and the defaults of a broken config. */
import { z } from "zod";

/** Values with defaults. An invalid value is null, an invalid list or object is empty, an absent value is undefined. */
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
  const options = plain instanceof z.ZodUnion ? (plain.options as z.ZodType[]).map(unwrap) : [plain];
  const array = options.find((option) => option instanceof z.ZodArray);
  if (Array.isArray(value) && array !== undefined) {
    return value.map((item) => readingOf(array.element as z.ZodType, item));
  }
  const fields = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const shape = objectIn(plain)?.shape;
  if (shape !== undefined && (plain instanceof z.ZodObject || fields.length > 0)) {
    const values = new Map(fields);
    return Object.fromEntries(
      Object.entries(shape).map(([key, field]) => [key, readingOf(field as z.ZodType, values.get(key))]),
    );
  }
  if (plain instanceof z.ZodRecord) {
    return Object.fromEntries(fields.map(([key, inner]) => [key, readingOf(plain.valueType as z.ZodType, inner)]));
  }
  return plain instanceof z.ZodArray ? [] : null;
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

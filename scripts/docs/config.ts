/** Renders the tables of docs/config.md from the schema of the stack config. */
import { stringify } from "yaml";
import { z } from "zod";
import { objectIn, unwrap } from "../../config/reading.js";
import { configRules } from "../../config/rules.js";
import { configSchema } from "../../config/schema.js";
import { page, table } from "./page.js";

/** Path of the document, relative to the project directory. */
export const configPath = "docs/config.md";

/** One documented key. */
export interface ConfigKey {
  /** `targetAccounts[].adopt.role`; `[]` denotes the entries of a list. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly description: string;
  readonly example: unknown;
}

/** Every documented key of the config, parents before their children. */
export function configKeys(): ConfigKey[] {
  return keysOf(configSchema, "");
}

function keysOf(schema: z.ZodType, prefix: string): ConfigKey[] {
  return Object.entries(objectIn(schema)?.shape ?? {}).flatMap(([key, value]) => {
    const inner = value as z.ZodType;
    const { description } = inner.meta() ?? {};
    // The Kubernetes documentation describes the fields of Kubernetes objects.
    if (description === undefined) return [];
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const plain = unwrap(inner);
    const children =
      plain instanceof z.ZodArray ? keysOf(plain.element as z.ZodType, `${path}[]`) : keysOf(inner, path);
    return [{ path, schema: inner, description, example: exampleOf(inner) }, ...children];
  });
}

/** The example of a field, or one that follows from its type and default. */
function exampleOf(schema: z.ZodType): unknown {
  const plain = unwrap(schema);
  const example = plain.meta()?.example;
  if (example !== undefined) return example;
  const fallback = schema.safeParse(undefined).data;
  if (plain instanceof z.ZodBoolean) return fallback !== true;
  if (plain instanceof z.ZodEnum) return plain.options.find((option) => option !== fallback);
  if (plain instanceof z.ZodNumber) return fallback ?? plain.minValue;
  if (plain instanceof z.ZodArray) return [exampleOf(plain.element as z.ZodType)];
  if (plain instanceof z.ZodUnion) return exampleOf(plain.options.at(-1) as z.ZodType);
  if (!(plain instanceof z.ZodObject)) return fallback;
  const fields = Object.entries(plain.shape as Record<string, z.ZodType>);
  const required = fields.filter(([, field]) => !field.safeParse(undefined).success);
  const first = fields.find(([, field]) => !(unwrap(field) instanceof z.ZodBoolean))!;
  const shown = required.length > 0 ? required : [first];
  return Object.fromEntries(shown.map(([key, field]) => [key, exampleOf(field)]));
}

/** The expected value, as in the error message for a missing value. */
const expectedOf = (schema: z.ZodType) => schema.safeParse(undefined).error?.issues[0]?.message ?? "";

function typeOf(schema: z.ZodType): string {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodEnum) return plain.options.map((option) => `\`${option}\``).join(" or ");
  if (plain instanceof z.ZodObject) return "object";
  if (plain instanceof z.ZodArray) {
    const element = unwrap(plain.element as z.ZodType);
    const least = plain.safeParse([]).error?.issues[0]?.message;
    const each =
      element instanceof z.ZodString || element instanceof z.ZodNumber ? `; each ${expectedOf(element)}` : "";
    return `${expectedOf(plain)}${each}${least === undefined ? "" : `; ${least}`}`;
  }
  if (plain instanceof z.ZodRecord) {
    const least = plain.safeParse({}).error?.issues[0]?.message;
    return `${expectedOf(plain)}${least === undefined ? "" : `; ${least}`}`;
  }
  return expectedOf(plain);
}

function defaultOf(schema: z.ZodType): string {
  const def = schema.def as { type: string; defaultValue?: unknown };
  if (def.type === "optional") return "none";
  if (def.type === "prefault") return "defaults of its keys";
  return def.type === "default" ? code(def.defaultValue) : "**required**";
}

const code = (value: unknown) =>
  `\`${stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim()}\``;

/** Renders the document. */
export function configDocument(): string {
  const keys = configKeys();
  const sections = keys.filter(({ path }) => !/[.[]/.test(path));
  return page(configPath, {
    contents: `Keys: ${sections.map(({ path }) => `[${path}](#${path.toLowerCase()})`).join(", ")}.`,
    keys: sections
      .flatMap((section) => {
        const own = keys.filter(({ path }) => path.split(/[.[]/)[0] === section.path);
        const says = (configRules[section.path] ?? []).map((rule) => `- ${rule.says}`).join("\n");
        const rows = table(["Key", "Type and limits", "Default", "Example", "Meaning"], own.map(row));
        return [`## ${section.path}`, rows, ...(says === "" ? [] : [says])];
      })
      .join("\n\n"),
  });
}

const row = ({ path, schema, description, example }: ConfigKey) => [
  `\`${path}\``,
  typeOf(schema),
  defaultOf(schema),
  code(example),
  description,
];

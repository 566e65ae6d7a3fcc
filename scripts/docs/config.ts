/** Renders the tables of docs/config.md from the schema of the stack config. */
import { stringify } from "yaml";
import { z } from "zod";
import { objectIn, unwrap } from "../../config/reading.js";
import { configRules } from "../../config/rules.js";
import { configSchema } from "../../config/schema.js";
import { table } from "./page.js";

/** One documented key. */
interface ConfigKey {
  /** `targetAccounts[].adopt.role`; `[]` denotes the entries of a list. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly description: string;
  readonly example: unknown;
}

/** Every documented key below a schema, parents before their children. */
export function configKeys(schema: z.ZodType = configSchema, prefix = ""): ConfigKey[] {
  return Object.entries(objectIn(schema)?.shape ?? {}).flatMap(([key, value]) => {
    const inner = value as z.ZodType;
    const { description } = inner.meta() ?? {};
    // The Kubernetes documentation describes the fields of Kubernetes objects.
    if (description === undefined) return [];
    const path = `${prefix}${key}`;
    const plain = unwrap(inner);
    const children =
      plain instanceof z.ZodArray
        ? configKeys(plain.element as z.ZodType, `${path}[].`)
        : configKeys(inner, `${path}.`);
    return [{ path, schema: inner, description, example: exampleOf(inner) }, ...children];
  });
}

/** The example of a field, or one that follows from its type and, where possible, differs from its default. */
function exampleOf(schema: z.ZodType): unknown {
  const plain = unwrap(schema);
  const example = plain.meta()?.example;
  if (example !== undefined) return example;
  const fallback = schema.safeParse(undefined).data;
  if (plain instanceof z.ZodBoolean) return fallback !== true;
  if (plain instanceof z.ZodEnum) return plain.options.find((option) => option !== fallback);
  if (plain instanceof z.ZodNumber) {
    const twice = Number(fallback) * 2;
    return plain.safeParse(twice).success ? twice : plain.minValue;
  }
  if (plain instanceof z.ZodArray) return [exampleOf(plain.element as z.ZodType)];
  if (plain instanceof z.ZodUnion) return exampleOf(plain.options.at(-1) as z.ZodType);
  if (!(plain instanceof z.ZodObject)) return fallback;
  const fields = Object.entries(plain.shape as Record<string, z.ZodType>);
  const required = fields.filter(([, field]) => !field.safeParse(undefined).success);
  const first = fields.find(([, field]) => !(unwrap(field) instanceof z.ZodBoolean))!;
  const shown = required.length > 0 ? required : [first];
  return Object.fromEntries(shown.map(([key, field]) => [key, exampleOf(field)]));
}

/** The expected value, as in the error message for a missing value or an empty object or list. */
const expectedOf = (schema: z.ZodType, value?: object) => schema.safeParse(value).error?.issues[0]?.message ?? "";

function typeOf(schema: z.ZodType): string {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodEnum) return plain.options.map((option) => `\`${option}\``).join(" or ");
  if (plain instanceof z.ZodObject) return "object";
  const limits = [expectedOf(plain)];
  if (plain instanceof z.ZodArray) {
    const element = unwrap(plain.element as z.ZodType);
    if (element instanceof z.ZodString || element instanceof z.ZodNumber) limits.push(`each ${expectedOf(element)}`);
    limits.push(expectedOf(plain, []));
  }
  if (plain instanceof z.ZodRecord) limits.push(expectedOf(plain, {}));
  return limits.filter((limit) => limit !== "").join("; ");
}

function defaultOf(schema: z.ZodType): string {
  const def = schema.def as { type: string; defaultValue?: unknown };
  if (def.type === "optional") return "none";
  if (def.type === "prefault") return "defaults of its keys";
  return def.type === "default" ? code(def.defaultValue) : "**required**";
}

const code = (value: unknown) =>
  `\`${stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim()}\``;

/** The parts of docs/config.md. */
export function configParts() {
  const keys = configKeys();
  const sections = Object.keys(configSchema.shape);
  return {
    contents: `Keys: ${sections.map((name) => `[${name}](#${name.toLowerCase()})`).join(", ")}.`,
    keys: sections
      .flatMap((section) => {
        const rows = keys
          .filter(({ path }) => path.split(/[.[]/)[0] === section)
          .map(({ path, schema, description, example }) => [
            `\`${path}\``,
            typeOf(schema),
            defaultOf(schema),
            code(example),
            description,
          ]);
        const says = (configRules[section] ?? []).map((rule) => `- ${rule.says}`).join("\n");
        return [`## ${section}`, table(["Key", "Type and limits", "Default", "Example", "Meaning"], rows), says];
      })
      .filter((text) => text !== "")
      .join("\n\n"),
  };
}

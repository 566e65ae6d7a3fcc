// docs/config.md has every key of the schema, and its examples are valid.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { objectIn, unwrap } from "../../../config/reading.js";
import { configSchema } from "../../../config/schema.js";
import { configKeys, configParts } from "../../../scripts/docs/config.js";

const keys = configKeys();

test("every key of the config has a row", () => {
  // The Kubernetes documentation describes the fields of Kubernetes objects.
  const kubernetes =
    /^mcp\.(tolerations|affinity|topologySpreadConstraints|extraVolume(Mount)?s|metrics\.peers|networkPolicy\.(dns\.peers|additional(Peers|Egress)))/;
  const paths = (schema: z.ZodType, path: string): string[] => {
    const plain = unwrap(schema);
    const below = plain instanceof z.ZodArray ? paths(plain.element as z.ZodType, `${path}[]`) : [];
    const shape = Object.entries(objectIn(schema)?.shape ?? {});
    return [
      ...below,
      ...shape.flatMap(([key, inner]) => {
        const place = path === "" ? key : `${path}.${key}`;
        return kubernetes.test(place) ? [place.match(kubernetes)![0]] : [place, ...paths(inner as z.ZodType, place)];
      }),
    ];
  };
  const all = new Set(paths(configSchema, ""));
  expect(all.size).toBeGreaterThan(100);
  expect(keys.map(({ path }) => path).sort()).toEqual([...all].sort());
});

test.each(keys.map((key) => [key.path, key] as const))("%s has a description and a valid example", (_, key) => {
  expect(key.description).toMatch(/^.{3,}[.:)]$/s);
  expect(key.example).toBeDefined();
  const { issues = [] } = key.schema.safeParse(key.example).error ?? {};
  // The example of accountsFile names a file that does not exist.
  expect(issues.filter(({ message }) => message !== "a readable YAML or JSON file")).toEqual([]);
});

test.each([
  ["boolean", z.ZodBoolean],
  ["number", z.ZodNumber],
  ["choice", z.ZodEnum],
])("the example of a %s differs from its default", (_, type) => {
  const ofType = keys.filter(({ schema }) => unwrap(schema) instanceof type);
  expect(ofType.length).toBeGreaterThan(5);
  for (const { path, schema, example } of ofType) expect(example, path).not.toBe(schema.safeParse(undefined).data);
});

test("every row has five cells", () => {
  const rows = configParts()
    .keys.split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows).toHaveLength(keys.length);
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(7);
});

test("keys in docs/migration.md exist", () => {
  const text = readFileSync("docs/migration.md", "utf8");
  const named = [
    ...text.matchAll(/`((?:clusters|kubernetes|iam|targetAccounts|image|mcp|holmes|verify)[[.][\w.[\]]+)/g),
  ]
    .map(([, path]) => path!)
    // Keys of the legacy config file.
    .filter((path) => !path.includes("_"));
  expect(new Set(named).size).toBeGreaterThan(10);
  const known = new Set(keys.map(({ path }) => path));
  expect(named.filter((path) => !known.has(path))).toEqual([]);
});

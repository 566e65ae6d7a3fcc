// Random changes to the two checked-in stacks, 100 runs (1,000 in CI): no crash, no invalid value accepted, and the key
// always reported. The seed is fixed. fast-check prints it with the path of a failure.
import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadSettings } from "../../config/load.js";
import { pathText, visible } from "../../config/problems.js";
import { objectIn, unwrap } from "../../config/reading.js";
import { configSchema } from "../../config/schema.js";
import type { Settings } from "../../config/settings.js";
import { type Raw, type Stack, stackConfig } from "./support.js";

const seed = 20261123;
const runs = process.env.CI === undefined ? 100 : 1000;

type Path = Array<string | number>;
type Node = Record<string | number, unknown>;
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;
const at = (raw: Raw, path: Path): unknown => path.reduce<unknown>((node, part) => (node as Node)[part], raw);

/** Paths of all values in a config, except the root. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (!isNode(value)) return [path];
  const parts = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  const inner = parts.flatMap((part) => pathsIn(value[part], [...path, part]));
  return path.length === 0 ? inner : [path, ...inner];
}

/** Paths of known keys that are not set in the existing objects of a config. */
function unusedKeys(raw: Raw): Path[] {
  const visit = (schema: Parameters<typeof objectIn>[0], value: unknown, path: Path): Path[] => {
    if (!isNode(value)) return [];
    if (Array.isArray(value)) {
      const element = (unwrap(schema) as { element?: typeof schema }).element;
      return element === undefined ? [] : value.flatMap((item, index) => visit(element, item, [...path, index]));
    }
    const shape = objectIn(schema)?.shape ?? {};
    return Object.entries(shape).flatMap(([key, inner]) =>
      key in value ? visit(inner as typeof schema, value[key], [...path, key]) : [[...path, key]],
    );
  };
  return visit(configSchema, raw, []);
}

const nonsense = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, false, 0, -1, 1.5, 4294967296, 1e308, "", " ", "\0", "null", "true", "3600", "*", "..", "~"],
    ...["${aws:username}", "__proto__", "[object Object]", "🦊", "a\nb", "x".repeat(5000), "012345678901"],
    ...[[], {}, [null], [[]], [{}], { x: 1 }, { secure: "v1:x" }, JSON.parse('{"__proto__": {"x": 1}}')],
  ),
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.jsonValue({ maxDepth: 3 }),
);
const strangeKey = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "length", "0", "", " ", "a.b", "[0]", "é"),
  fc.string({ minLength: 1, maxLength: 30 }),
);

interface Damage {
  readonly what: string;
  /** Key that the message must contain. */
  readonly key: string;
  readonly raw: Raw;
}

function put(node: Node, key: string | number, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove(parent: Node, key: string | number): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

const named = (path: Path) => path.findLast((part) => typeof part === "string") as string;

const snakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** One random change. */
const fault = fc.record({
  kind: fc.constantFrom("replace", "remove", "rename", "add", "double", "set"),
  place: fc.nat(),
  value: nonsense,
  key: strangeKey,
  rename: fc.nat(4),
});
type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;

function apply(raw: Raw, { kind, place, value, key, rename }: Fault): Damage {
  const all = pathsIn(raw);
  const pick = (paths: Path[]) => paths[place % paths.length]!;
  const parentOf = (path: Path) => at(raw, path.slice(0, -1)) as Node;
  const copy = JSON.parse(JSON.stringify(value ?? null));
  switch (kind) {
    case "replace": {
      const path = pick(all);
      put(parentOf(path), path.at(-1)!, copy);
      return { what: `${pathText(path)} = ${JSON.stringify(value)}`, key: named(path), raw };
    }
    case "remove": {
      const path = pick(all);
      remove(parentOf(path), path.at(-1)!);
      // A map without its last key is reported as a whole.
      const map = path.includes("podLabels") ? "podLabels" : undefined;
      return { what: `${pathText(path)} removed`, key: map ?? named(path), raw };
    }
    case "rename": {
      const path = pick(all.filter((candidate) => typeof candidate.at(-1) === "string"));
      const old = path.at(-1) as string;
      const snake = snakeCase(old) === old ? `${old}_` : snakeCase(old);
      const names = [snake, old.toUpperCase(), `${old}s`, old.slice(1), `${old[0]}${old}`];
      const parent = parentOf(path);
      put(parent, names[rename]!, parent[old]);
      delete parent[old];
      return { what: `${pathText(path)} renamed ${names[rename]}`, key: names[rename]!, raw };
    }
    case "add": {
      const path = pick([
        [],
        ...all.filter((candidate) => isNode(at(raw, candidate)) && !Array.isArray(at(raw, candidate))),
      ]);
      put(at(raw, path) as Node, key, copy);
      return { what: `${pathText([...path, key])} added`, key, raw };
    }
    case "double": {
      const path = pick(all.filter((candidate) => Array.isArray(at(raw, candidate))));
      const items = at(raw, path) as unknown[];
      if (items.length > 0) items.push(JSON.parse(JSON.stringify(items[place % items.length])));
      return { what: `an entry of ${pathText(path)} doubled`, key: named(path), raw };
    }
    default: {
      const path = pick(unusedKeys(raw));
      put(parentOf(path), path.at(-1)!, copy);
      return { what: `${pathText(path)} set to ${JSON.stringify(value)}`, key: named(path), raw };
    }
  }
}

/** Loads the config as the engine passes it: objects as JSON. */
async function load(raw: Raw): Promise<Settings | Error> {
  const values = Object.entries(raw).map(([key, value]) => [
    `holmes-aws-mcp:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(values));
  try {
    return await loadSettings();
  } catch (error) {
    return error as Error;
  }
}

/** Keys whose value the reader converts. */
const derived = new Set(["oidcIssuerId", "oidcIssuerUrl", "adopt", "permissionsBoundary", "deploy"]);

/** Every value of the config must be in the settings. */
function expectKept(given: unknown, taken: unknown, path: string): void {
  if (!isNode(given)) {
    expect(taken, path).toEqual(given);
    return;
  }
  for (const key of Object.keys(given)) {
    if (derived.has(key)) continue;
    expect(isNode(taken) && Object.hasOwn(taken, key), `${path}.${key}`).toBe(true);
    expectKept(given[key], (taken as Node)[key], `${path}.${key}`);
  }
}

/** Requirements of AWS, Kubernetes and the program, independent of the schema. */
function expectSane(settings: Settings): void {
  const { clusters, targetAccounts, iam, kubernetes, mcp, holmes, subjects, defaultProfile, image } = settings;
  const distinct = (values: readonly unknown[]) => expect(new Set(values).size).toBe(values.length);
  const account = /^[0-9]{12}$/;
  const region = /^[a-z]{2,4}(-[a-z]{2,5})?-[a-z]+-[1-9]$/;
  const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
  expect(clusters.length).toBeGreaterThan(0);
  expect(targetAccounts.length).toBeGreaterThan(0);
  distinct(clusters.map(({ name }) => name));
  distinct(targetAccounts.map(({ profile }) => profile));
  distinct(targetAccounts.map(({ accountId }) => accountId));
  distinct(clusters.flatMap(({ issuerUrl }) => issuerUrl ?? []));
  for (const cluster of clusters) {
    expect(cluster.accountId).toMatch(account);
    expect(cluster.region).toMatch(region);
    expect(cluster.name).toMatch(/^[A-Za-z0-9][\w-]{0,99}$/);
    if (cluster.issuerUrl !== undefined)
      expect(new URL(cluster.issuerUrl).href.replace(/\/$/, "")).toBe(cluster.issuerUrl);
    else expect(cluster.profile).toBeTruthy();
    if (cluster.deploy) expect(cluster.context ?? cluster.kubeconfig ?? cluster.profile).toBeTruthy();
  }
  for (const target of targetAccounts) {
    expect(target.accountId).toMatch(account);
    expect(target.region).toMatch(region);
    expect(target.profile).toMatch(/^[A-Za-z0-9][\w.@+-]*$/);
    expect([...target.description].every((letter) => letter.codePointAt(0)! <= 0xff)).toBe(true);
    const names = clusters.map(({ name }) => name);
    for (const name of [...target.existingOidcProviders, ...target.adopt.oidcProviders]) expect(names).toContain(name);
    expect(target.permissions.policies.length).toBeGreaterThan(0);
  }
  expect(targetAccounts.map(({ profile }) => profile)).toContain(defaultProfile);
  expect(iam.roleName).toMatch(/^[\w+=,.@-]{1,60}$/);
  expect(iam.path).toMatch(/^\/([!-~]*[!-.0-~]\/)?$/);
  expect(Number.isInteger(iam.sessionDuration) && iam.sessionDuration >= 3600 && iam.sessionDuration <= 43200).toBe(
    true,
  );
  expect(Object.keys(iam.tags).length).toBeLessThanOrEqual(50);
  for (const { namespace, serviceAccount } of subjects) {
    expect(namespace).toMatch(label);
    expect(serviceAccount).toMatch(/^[a-z0-9.-]+$/);
  }
  expect(kubernetes.namespace).toMatch(label);
  expect(holmes.namespace).toMatch(label);
  expect(Object.keys(holmes.podLabels).length).toBeGreaterThan(0);
  expect(mcp.transport === "sse" ? mcp.replicas : Math.sign(mcp.replicas)).toBe(1);
  expect(mcp.networkPolicy.egressPorts.every((port) => Number.isInteger(port) && port > 0 && port < 65536)).toBe(true);
  if (clusters.some(({ deploy }) => deploy)) expect(image.build ?? image.prebuilt).toBeDefined();
  if (image.prebuilt !== undefined) expect(image.prebuilt).toMatch(/^[a-zA-Z0-9._/:@-]+$/);
  expectNoNonsense(settings, "settings");
}

function expectNoNonsense(value: unknown, path: string): void {
  if (typeof value === "number") expect(Number.isSafeInteger(value), path).toBe(true);
  if (typeof value === "string") expect(value.includes("\0"), path).toBe(false);
  expect(value, path).not.toBeNull();
  if (!isNode(value)) return;
  for (const key of Object.keys(value)) expectNoNonsense(value[key], `${path}.${key}`);
}

async function check(stack: Stack, faults: readonly Fault[]): Promise<"accepted" | "rejected"> {
  const raw = stackConfig(stack);
  const damage = faults.map((one) => apply(raw, one));
  const what = damage.map((one) => one.what).join("; ");
  const result = await load(raw);
  if (!(result instanceof Error)) {
    expectSane(result);
    expectKept(raw, result, what);
    return "accepted";
  }
  expect(pulumi.RunError.isInstance(result), `${what}\n${result.stack}`).toBe(true);
  expect(result.message).not.toMatch(/\n\s+at /);
  for (const line of result.message.split("\n").slice(1, -1)) {
    expect(line, what).toMatch(/^ {2}- .+: found .+; expected .+$/);
  }
  if (damage.length === 1) {
    const { key } = damage[0]!;
    const written = /^[\w-]+$/.test(key) ? key : visible(JSON.stringify(key));
    expect(result.message.includes(written), `${what}: no ${written} in\n${result.message}`).toBe(true);
  }
  return "rejected";
}

describe("random changes", () => {
  const outcomes = { accepted: 0, rejected: 0 };

  test.each<[Stack, number]>([
    ["dev", runs * 0.35],
    ["prod", runs * 0.35],
  ])(
    "%s with one change, %d runs",
    async (stack, numRuns) => {
      const property = fc.asyncProperty(fault, async (one) => {
        outcomes[await check(stack, [one])] += 1;
      });
      await fc.assert(property, { seed, numRuns });
    },
    900_000,
  );

  test.each<[Stack, number]>([
    ["dev", runs * 0.15],
    ["prod", runs * 0.15],
  ])(
    "%s with several changes, %d runs",
    async (stack, numRuns) => {
      const property = fc.asyncProperty(fc.array(fault, { minLength: 2, maxLength: 4 }), async (faults) => {
        outcomes[await check(stack, faults)] += 1;
      });
      await fc.assert(property, { seed, numRuns });
    },
    900_000,
  );

  // About 5 % of the changed configs are valid. Fewer than 2 % would mean that the test no longer covers valid configs.
  test("most configs are rejected, and some are accepted", () => {
    expect(outcomes.accepted + outcomes.rejected).toBe(runs);
    expect(outcomes.rejected).toBeGreaterThan(runs * 0.6);
    expect(outcomes.accepted).toBeGreaterThan(runs * 0.02);
  });
});

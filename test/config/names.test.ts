/** The config rejects every name that the program renders into a pod, with each optional part enabled. */
import { describe, expect, test } from "vitest";
import { annotations, environmentNames, labels, metricsAnnotations, port, volumes } from "../../config/names.js";
import { Problems, pathText } from "../../config/problems.js";
import { readingOf } from "../../config/reading.js";
import { mcpRules } from "../../config/rules/mcp.js";
import { configSchema } from "../../config/schema.js";
import { changed } from "../program/stacks.js";
import { damaged, problemsOf, stackConfig } from "./support.js";

type Change = Record<string, unknown>;

/** Values of the user in the changes below. The program does not reserve them. */
const own = ["HTTPS_PROXY"];
const tokens = { type: "bearer", tokens: ["a".repeat(32)] };
const digest = `@sha256:${"0".repeat(64)}`;
const kubeconfig = "apiVersion: v1\nkind: Config\n";
const variants: ReadonlyArray<readonly [name: string, changes: Change, secrets?: string[]]> = [
  ["as checked in", {}],
  ["streamable HTTP with several replicas", { "mcp.transport": "streamable-http", "mcp.replicas": 2 }],
  ["deny list", { "mcp.denyList": ["aws logs start-query"] }],
  ["suggested commands", { "mcp.suggestCommands": true }],
  ["generated tokens", { "mcp.authentication": { type: "bearer" } }],
  ["own tokens", { "mcp.authentication": tokens }, ["mcp"]],
  ["metrics", { "mcp.metrics": { enabled: true, peers: [{ podSelector: { matchLabels: { app: "a" } } }] } }],
  ["secret environment", { "mcp.env": { HTTPS_PROXY: "http://a.example.com:443" } }, ["mcp"]],
  ["content of a kubeconfig", { "clusters[0].kubeconfig": kubeconfig }, ["clusters"]],
  ["prebuilt image", { image: { prebuilt: `registry.example.com/a${digest}` } }],
  ["check of the NetworkPolicy", { "verify.requireNetworkPolicy": true }],
  ["existing namespace", { "kubernetes.createNamespace": false, "kubernetes.createServiceAccount": false }],
];

interface Names {
  labels: string[];
  annotations: string[];
  env: string[];
  volumes: string[];
  mountPaths: string[];
  ports: number[];
}

const none = (): Names => ({ labels: [], annotations: [], env: [], volumes: [], mountPaths: [], ports: [] });

/** The names in the pod templates of a stack. */
async function namesOf(stack: "dev" | "prod", changes: Change, secrets: string[]): Promise<Names> {
  const { resources } = await changed(stack, (config) => damaged(config, changes), secrets);
  const names = none();
  for (const { template } of resources.map(({ open }) => (open.spec ?? {}) as { template?: any })) {
    if (template === undefined) continue;
    names.labels.push(...Object.keys(template.metadata.labels));
    names.annotations.push(...Object.keys(template.metadata.annotations ?? {}));
    names.volumes.push(...(template.spec.volumes ?? []).map(({ name }: { name: string }) => name));
    for (const { env = [], volumeMounts = [], ports = [] } of template.spec.containers) {
      names.env.push(...env.map(({ name }: { name: string }) => name).filter((name: string) => !own.includes(name)));
      names.mountPaths.push(...volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath));
      names.ports.push(...ports.map(({ containerPort }: { containerPort: number }) => containerPort));
    }
  }
  return names;
}

const all = none();
for (const stack of ["dev", "prod"] as const) {
  for (const [, changes, secrets = []] of variants) {
    const names = await namesOf(stack, changes, secrets);
    for (const key of Object.keys(all) as (keyof Names)[])
      (all[key] as unknown[]) = [...new Set([...all[key], ...names[key]])].sort();
  }
}

/** Paths of the problems that the rules of `mcp` report. */
function rejected(changes: Change): string[] {
  const config = readingOf(configSchema, damaged(stackConfig("dev"), changes));
  const problems = new Problems(() => false);
  for (const { check } of mcpRules) check(config, problems, () => true);
  return problems.all.map(({ path }) => pathText(path));
}

test("no name in names.ts is unused", () => {
  expect(all.volumes).toEqual([...volumes].sort());
  expect(all.env).toEqual([...environmentNames].sort());
  expect(all.labels).toEqual(Object.keys(labels("")).sort());
  expect(all.annotations).toEqual([...Object.values(annotations), ...Object.keys(metricsAnnotations(port))].sort());
});

describe("rejected by the config", () => {
  test.each(all.labels)("label %s", (name) => {
    expect(rejected({ "mcp.podLabels": { [name]: "x" } })).toEqual([pathText(["mcp", "podLabels", name])]);
  });

  test.each(all.annotations)("annotation %s", (name) => {
    const changes = { "mcp.podAnnotations": { [name]: "x" }, "mcp.metrics.enabled": true };
    expect(rejected(changes)).toEqual([pathText(["mcp", "podAnnotations", name])]);
  });

  test.each(all.env)("environment variable %s", (name) => {
    expect(rejected({ "mcp.env": { [name]: "x" } })).toEqual([`mcp.env.${name}`]);
  });

  test.each(all.volumes)("volume %s", (name) => {
    expect(rejected({ "mcp.extraVolumes": [{ name, emptyDir: {} }] })).toEqual(["mcp.extraVolumes[0].name"]);
  });

  const parents = (path: string): string[] => (path === "" ? [] : [path, ...parents(path.replace(/\/[^/]*$/, ""))]);
  test.each([...new Set(all.mountPaths.flatMap((path) => [`${path}/inner`, ...parents(path)]))])(
    "mount path %s",
    (mountPath) => {
      const changes = {
        "mcp.extraVolumes": [{ name: "extra", emptyDir: {} }],
        "mcp.extraVolumeMounts": [{ name: "extra", mountPath }],
      };
      expect(rejected(changes)).toEqual(["mcp.extraVolumeMounts[0].mountPath"]);
    },
  );

  test("the server's port, and no other", async () => {
    expect(all.ports).toEqual([port, 9090]);
    const problems = await problemsOf(damaged(stackConfig("dev"), { "mcp.metrics.port": port }));
    expect(problems.map(({ path }) => pathText(path))).toEqual(["mcp.metrics.port"]);
    expect(await problemsOf(damaged(stackConfig("dev"), { "mcp.metrics.port": 9090 }))).toEqual([]);
  });
});

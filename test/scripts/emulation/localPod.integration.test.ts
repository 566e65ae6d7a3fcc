import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Registered } from "../../../scripts/common/evaluate.js";
import { Processes } from "../../../scripts/common/processes.js";
import { startLocalPod } from "../../../scripts/emulation/localPod.js";
import type { TokenArgs } from "../../../scripts/emulation/tokens.js";

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), "an Engineer's folder-"));
afterAll(async () => {
  await processes.stopAll();
  rmSync(folder, { recursive: true });
});

/** Responds to every request with its arguments, environment and files. */
const program = `
const { readFileSync } = require("node:fs");
const files = process.env.FILES.split(",").map((file) => readFileSync(file, "utf8"));
const port = process.argv[process.argv.indexOf("--port") + 1];
const body = JSON.stringify({ args: process.argv.slice(2), token: process.env.TOKEN, files });
require("node:http").createServer((_, response) => response.end(body)).listen(Number(port), "127.0.0.1");
`;

const resource = (cluster: string, kind: string, name: string, open: object) =>
  ({
    name: `${cluster}/${name}`,
    type: kind,
    provider: `${cluster}/kubernetes`,
    open: { metadata: { name, namespace: "n" }, ...open },
  }) as unknown as Registered;

const deployment = (volumes: object[]) =>
  resource("b", "kubernetes:apps/v1:Deployment", "deployment", {
    spec: {
      template: {
        spec: {
          serviceAccountName: "sa",
          volumes,
          containers: [
            {
              startupProbe: { httpGet: { path: "/healthz" } },
              command: ["/image/gateway"],
              args: ["--stdio", "exec /image/server", "--host", "0.0.0.0", "--port", "8000"],
              env: [
                { name: "FILES", value: "/etc/config/file,/etc/tokens/token" },
                { name: "TOKEN", valueFrom: { secretKeyRef: { name: "secret", key: "token" } } },
              ],
              volumeMounts: [
                { name: "config", mountPath: "/etc/config" },
                { name: "tokens", mountPath: "/etc/tokens" },
              ],
            },
          ],
        },
      },
    },
  });

const volumes = [
  { name: "config", configMap: { name: "config" } },
  { name: "tokens", secret: { secretName: "secret" } },
];
const resources = ["a", "b"].flatMap((cluster) => [
  resource(cluster, "kubernetes:core/v1:ConfigMap", "config", { data: { file: `of cluster ${cluster}` } }),
  resource(cluster, "kubernetes:core/v1:Secret", "secret", { stringData: { token: `token of ${cluster}` } }),
]);
const args = (workload: Registered) => {
  const file = join(folder, "program.cjs");
  writeFileSync(file, program);
  return {
    workload,
    resources,
    folder: join(folder, "pod"),
    image: { "/image/gateway": [process.execPath, file], "/image/server": ["/it's here/python", "-m", "server"] },
    environment: {},
    token: async ({ audience }: TokenArgs) => `token for ${audience}`,
  };
};

test("a pod gets the ConfigMap and Secret of its own cluster, in folders with spaces and apostrophes", async () => {
  const { port } = await startLocalPod(processes, args(deployment(volumes)));
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toEqual({
    args: ["--stdio", "exec '/it'\\''s here/python' '-m' 'server'", "--host", "127.0.0.1", "--port", String(port)],
    token: "token of b",
    files: ["of cluster b", "token of b"],
  });
});

test("a ConfigMap that is managed outside the stack is reported", async () => {
  const other = [...volumes.slice(1), { name: "config", configMap: { name: "ca-bundle" } }];
  await expect(startLocalPod(processes, args(deployment(other)))).rejects.toThrow(
    "ConfigMap n/ca-bundle is managed outside this stack. The rehearsal cannot read it.",
  );
});

test("a projected volume can have several tokens, and nothing else", async () => {
  const token = (audience: string) => ({ serviceAccountToken: { audience, path: audience } });
  const projected = (...sources: object[]) => [...volumes.slice(1), { name: "config", projected: { sources } }];
  await startLocalPod(processes, args(deployment(projected(token("file"), token("folder/second")))));
  for (const path of ["file", "folder/second"]) {
    expect(readFileSync(join(folder, "pod/etc/config", path), "utf8")).toBe(`token for ${path}`);
  }
  const mixed = deployment(projected(token("file"), { configMap: { name: "ca-bundle" } }));
  await expect(startLocalPod(processes, args(mixed))).rejects.toThrow(
    "volume config is of a kind that only a cluster has",
  );
});

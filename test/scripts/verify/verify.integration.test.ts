// `npm run verify` with a kubectl that records its calls and returns prepared output.
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { profilesByCluster } from "../../../config/profiles.js";
import type { ClusterSettings } from "../../../config/settings.js";
import { workloadOf } from "../../../documents/workload.js";
import { projectFolder } from "../../../scripts/common/command.js";
import type { Evaluation } from "../../../scripts/common/evaluate.js";
import { Processes } from "../../../scripts/common/processes.js";
import { accessFlags, clustersToVerify } from "../../../scripts/verify/access.js";
import { verifyInCluster } from "../../../scripts/verify/job.js";
import { Kubectl } from "../../../scripts/verify/kubectl.js";
import { changed } from "../../program/stacks.js";

/** Output of kubectl. Calls go through a list; its last entry repeats. */
interface Script {
  deployment?: object | null;
  pods?: object[][];
  jobs?: object[];
  events?: { message: string; involvedObject?: object }[];
  log?: string;
  /** Exit code of `logs`. "never" follows until the process is killed. */
  logs?: number | "never";
  /** Verbs that fail, or `get` of a kind, with their error output. */
  fails?: Record<string, string>;
  /** Contexts whose cluster is not reachable. */
  unreachable?: string[];
}

interface Call {
  readonly verb: string;
  readonly flags: string[];
  readonly args: string[];
  readonly input: any;
}

/** Sends its arguments and input to `answer` in this process, and prints the response. bash starts faster than Node.js. */
const recorder = (port: number) => String.raw`#!/usr/bin/env bash
exec 3<>/dev/tcp/127.0.0.1/${port}
input=""
[[ " $* " == *" create "* ]] && input=$(cat)
printf '%s\0' "$#" "$@" "$input" >&3
IFS= read -rd '' -u 3 out
printf %s "$out"
IFS= read -rd '' -u 3 error
printf %s "$error" >&2
IFS= read -rd '' -u 3 code
exit "$code"
`;

interface Answer {
  readonly out?: string;
  readonly error?: string;
  /** undefined: never ends. */
  readonly code: number | undefined;
}

/** Number of earlier calls of a kind, for the lists of a script. */
type Counts = Map<string, number>;

function answer(script: Script, { verb, flags, args, input }: Call, counts: Counts, jobName?: string): Answer {
  const context = flags.find((flag) => flag.startsWith("--context="))?.slice("--context=".length);
  const fail = (error: string): Answer => ({ error: `${error}\n`, code: 1 });
  if (script.unreachable?.includes(context ?? ""))
    return fail("Unable to connect to the server: dial tcp: i/o timeout");
  const failure = script.fails?.[verb] ?? script.fails?.[`${verb} ${args[0]}`];
  if (failure !== undefined) return fail(failure);
  if (verb === "logs") return { out: script.log, code: script.logs === "never" ? undefined : (script.logs ?? 0) };
  const next = <T>(kind: string, list: readonly T[]): T => {
    const count = counts.get(kind + context) ?? 0;
    counts.set(kind + context, count + 1);
    return list[Math.min(count, list.length - 1)]!;
  };
  const say = (object: unknown): Answer => ({
    out: object === undefined ? "" : JSON.stringify(object),
    error: "Warning: kubectl also writes to standard error\n",
    code: 0,
  });
  if (verb === "create") return say({ ...input, metadata: { ...input.metadata, uid: "0f0f0f0f-job" } });
  if (verb !== "get") return say(undefined);
  switch (args[0]) {
    case "deployment":
      if (script.deployment === null)
        return fail(`Error from server (NotFound): deployments.apps "${args[1]}" not found`);
      return say(script.deployment);
    case "pods":
      return say({ items: next("pods", script.pods!) });
    case "job":
      return say(next("jobs", script.jobs!));
    default:
      return say({
        items: (script.events ?? []).map(({ message, ...event }) => ({
          involvedObject: { name: jobName },
          message: message.replace("JOB", jobName ?? ""),
          ...event,
        })),
      });
  }
}

const image = "registry.example.com/aws-api-mcp-server@sha256:0123";
const deployment = {
  spec: {
    template: {
      spec: {
        containers: [
          { name: "istio-proxy", image: "proxy" },
          { name: "mcp", image },
        ],
        volumes: [{ name: "aws-config", configMap: { name: "the-accounts" } }],
      },
    },
  },
};
const job = (...conditions: object[]) => ({ metadata: { name: "job", uid: "uid" }, status: { conditions } });
const complete = job({ type: "SuccessCriteriaMet", status: "True" }, { type: "Complete", status: "True" });
const failedJob = (reason: string, message: string) => job({ type: "Failed", status: "True", reason, message });
const running = { metadata: { name: "pod-1" }, status: { phase: "Running" } };
const right: Script = { deployment, pods: [[], [running]], jobs: [job(), complete], log: "ok    dev\n" };

const processes = new Processes();
const folders: string[] = [];
const servers: Server[] = [];
let dev: Evaluation;
let prod: Evaluation;

beforeAll(async () => {
  dev = await changed("dev");
  prod = await changed("prod");
});

afterAll(async () => {
  await processes.stopAll();
  for (const server of servers) server.close();
  for (const folder of folders) await rm(folder, { recursive: true });
});

/** Creates a kubectl that returns the output of the script. */
async function recording(script: Script) {
  const folder = await mkdtemp(path.join(tmpdir(), "verify-command-"));
  folders.push(folder);
  const calls: Call[] = [];
  const counts: Counts = new Map();
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      const [count, ...fields] = text.split("\0");
      if (fields.length < Number(count) + 2) return;
      const words = fields.slice(0, Number(count));
      const verbAt = words.findIndex((word) => !word.startsWith("--"));
      const [flags, verb, args] = [words.slice(0, verbAt), words[verbAt]!, words.slice(verbAt + 1)];
      const call = { verb, flags, args, input: verb === "create" ? JSON.parse(fields[Number(count)]!) : null };
      calls.push(call);
      const {
        out = "",
        error = "",
        code,
      } = answer(script, call, counts, calls.find((one) => one.verb === "create")?.input.metadata.name);
      socket.write(`${out}\0${error}\0${code === undefined ? "" : `${code}\0`}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const command = path.join(folder, "kubectl");
  await writeFile(command, recorder((server.address() as AddressInfo).port), { mode: 0o755 });
  return { command, calls: () => calls };
}

async function verify(script: Script, evaluation = dev) {
  const { command, calls } = await recording(script);
  const { settings, clusters } = evaluation;
  const cluster = clusters[0]!.name;
  const own = new Processes();
  let shown = "";
  const told: string[] = [];
  const flags = ["--context=there", `--namespace=${settings.kubernetes.namespace}`];
  try {
    const result = await verifyInCluster({
      kubectl: new Kubectl(command, cluster, flags),
      processes: own,
      workload: workloadOf(settings, clusters[0]!, profilesByCluster(settings, clusters).get(cluster)!, ""),
      show: (text) => {
        shown += text;
      },
      tell: (line) => told.push(line),
      pause: 1,
    }).catch((error: Error) => error);
    return { result, calls, shown: () => shown, told };
  } finally {
    await own.stopAll();
  }
}

const created = (calls: Call[], kind: string) =>
  calls.find(({ verb, input }) => verb === "create" && input.kind === kind)!.input;

describe("the Job on demand", () => {
  let ran: Awaited<ReturnType<typeof verify>>;
  let calls: () => Call[];
  beforeAll(async () => {
    ran = await verify(right);
    calls = ran.calls;
  });

  test("is the Job of pulumi up, with the image and the accounts of the running Deployment", () => {
    expect(ran.result).toBe(true);
    const made = created(calls(), "Job");
    const ofUp = dev.resources.find(({ type }) => type === "kubernetes:batch/v1:Job")!.open as {
      metadata: { namespace: string };
      spec: Record<string, unknown>;
    };
    const pod = made.spec.template.spec;
    expect(pod.containers[0].image).toBe(image);
    const volumes = Object.fromEntries(pod.volumes.map((volume: { name: string }) => [volume.name, volume]));
    expect(volumes["aws-config"].configMap.name).toBe("the-accounts");
    expect(volumes.verify.configMap.name).toBe(made.metadata.name);
    expect(made.metadata.namespace).toBe(ofUp.metadata.namespace);

    // Everything else is equal.
    const comparable = (spec: unknown) =>
      JSON.parse(JSON.stringify(spec), (key, value) =>
        ["image", "ttlSecondsAfterFinished", "holmes-aws-mcp/verifies", "configMap"].includes(key) ? undefined : value,
      );
    expect(comparable(made.spec)).toEqual(comparable(ofUp.spec));
  });

  test("owns the ConfigMap with its script and accounts", () => {
    const [made, map] = [created(calls(), "Job"), created(calls(), "ConfigMap")];
    expect(map.metadata.name).toBe(made.metadata.name);
    expect(map.metadata.ownerReferences).toEqual([
      { apiVersion: "batch/v1", kind: "Job", name: made.metadata.name, uid: "0f0f0f0f-job" },
    ]);
    expect(made.spec.ttlSecondsAfterFinished).toBeGreaterThan(0);
    expect(map.data["verify.py"]).toBe(readFileSync("verification/verify.py", "utf8"));
    const { endpoint, transport, accounts } = JSON.parse(map.data["accounts.json"]);
    expect({ endpoint, transport }).toEqual({
      endpoint: "http://holmes-aws-mcp.holmes-aws-mcp.svc.cluster.local:8000/sse",
      transport: "sse",
    });
    expect(accounts.map(({ profile }: { profile: string }) => profile)).toEqual(["dev", "sandbox"]);
  });

  test("has a unique name, and sets cluster and namespace in every call", async () => {
    const second = await verify(right);
    expect(created(calls(), "Job").metadata.name).not.toBe(created(second.calls(), "Job").metadata.name);
    const flags = new Set(calls().map((call) => call.flags.join(" ")));
    expect([...flags]).toEqual(["--context=there --namespace=holmes-aws-mcp"]);
  });

  test("shows the log of its pod, and deletes Job and ConfigMap", () => {
    expect(ran.shown()).toContain("ok    dev\n");
    const name = created(calls(), "Job").metadata.name;
    expect(calls().find(({ verb }) => verb === "logs")!.args).toEqual(["--follow", "pod/pod-1"]);
    expect(calls().at(-1)).toMatchObject({
      verb: "delete",
      args: ["job,configmap", name, "--ignore-not-found", "--wait=false"],
    });
  });

  test("is deleted after its creation, also when the program stops during the creation", async () => {
    const own = new Processes();
    const ended: string[] = [];
    class Slow extends Kubectl {
      override async run(args: readonly string[], input?: string): Promise<string> {
        if (args[0] === "create") {
          void own.stopAll();
          await sleep(100);
        }
        const output = await super.run(args, input);
        ended.push(args[0]!);
        return output;
      }
    }
    const { command } = await recording(right);
    const { settings, clusters } = dev;
    const cluster = clusters[0]!;
    const profiles = profilesByCluster(settings, clusters).get(cluster.name)!;
    await verifyInCluster({
      kubectl: new Slow(command, cluster.name, ["--context=there"]),
      processes: own,
      workload: workloadOf(settings, cluster, profiles, ""),
      show: () => {},
      tell: () => {},
      pause: 1,
    });
    await own.stopAll();
    expect(ended.filter((verb) => verb !== "get")).toEqual(["create", "create", "delete"]);
  });

  test("fails when the Job fails, with the Job's reason", async () => {
    const jobs = [failedJob("BackoffLimitExceeded", "Job has reached the specified backoff limit")];
    const { result, told, calls } = await verify({ ...right, jobs });
    expect(result).toBe(false);
    expect(told.at(-1)).toBe(
      "cluster dev-cluster: the Job failed (BackoffLimitExceeded: Job has reached the specified backoff limit)",
    );
    expect(calls().at(-1)!.verb).toBe("delete");
  });

  test("succeeds when only the log is interrupted", async () => {
    const { result, told } = await verify({ ...right, logs: 1 });
    expect(result).toBe(true);
    expect(told.join("\n")).toContain("kubectl logs ended with code 1");
  });

  test("reports once why a pod has not started", async () => {
    const waiting = { metadata: { name: "pod-1" }, status: { phase: "Pending" } };
    const events = ["pod", "job"].map((kind) => ({ message: `the ${kind} waits` }));
    const pods = [[], [waiting], [waiting], [running]];
    const { result, told, calls } = await verify({ ...right, pods, jobs: [job(), job(), job(), complete], events });
    expect(result).toBe(true);
    expect(told.slice(1)).toEqual(["cluster dev-cluster: the pod waits", "cluster dev-cluster: the job waits"]);
    expect(calls().filter(({ args }) => args[0] === "events")).toHaveLength(3);
  });

  test("reports the warning events of its own Job when the pod is not created", async () => {
    const events = [
      { message: 'pods "x" is forbidden: exceeded quota' },
      { message: "another Job", involvedObject: { name: "another-job" } },
    ];
    const jobs = [failedJob("DeadlineExceeded", "Job was active longer than specified deadline")];
    const { result, told, calls } = await verify({ ...right, pods: [[]], jobs, events });
    expect(result).toBe(false);
    expect(calls().find(({ args }) => args[0] === "events")!.args).toContain("--field-selector=type=Warning");
    expect(told.slice(1)).toEqual([
      'cluster dev-cluster: pods "x" is forbidden: exceeded quota',
      "cluster dev-cluster: the Job failed (DeadlineExceeded: Job was active longer than specified deadline)",
    ]);
  });

  test("reports repeated events once, also when each names another pod", async () => {
    const events = ["x7k2p", "9fzqd", "bb5c4"].map((pod) => ({
      message: `Error creating: pods "JOB-${pod}" is forbidden`,
    }));
    const { told } = await verify({ ...right, pods: [[], [], [running]], jobs: [job(), job(), complete], events });
    expect(told.slice(1)).toEqual([
      expect.stringMatching(
        /^cluster dev-cluster: Error creating: pods "holmes-aws-mcp-verify-[0-9a-f]{8}" is forbidden$/,
      ),
    ]);
  });

  test("succeeds without the permission to list events, and reports it once", async () => {
    const fails = { "get events": 'Error from server (Forbidden): events is forbidden: User "ci" cannot list' };
    const { result, told } = await verify({
      ...right,
      pods: [[], [], [running]],
      jobs: [job(), job(), complete],
      fails,
    });
    expect(result).toBe(true);
    expect(told.slice(1)).toEqual([
      expect.stringMatching(/^cluster dev-cluster: warning events cannot be read: .*events is forbidden/),
    ]);
  });

  test("without the Deployment: reports its name, and creates nothing", async () => {
    const { result, calls } = await verify({ ...right, deployment: null });
    expect(String(result)).toContain('deployments.apps "holmes-aws-mcp" not found. Check the context');
    expect(calls().map(({ verb }) => verb)).toEqual(["get"]);
  });

  test("with a Deployment managed outside this stack: creates nothing", async () => {
    const other = { spec: { template: { spec: { containers: [{ name: "web", image: "nginx" }] } } } };
    const { result, calls } = await verify({ ...right, deployment: other });
    expect(String(result)).toContain("Deployment holmes-aws-mcp/holmes-aws-mcp was not created by this program");
    expect(calls().map(({ verb }) => verb)).toEqual(["get"]);
  });

  test("deletes what it created when kubectl fails", async () => {
    const { result, calls } = await verify({
      ...right,
      pods: undefined,
      jobs: undefined,
      fails: { create: "forbidden" },
    });
    expect(String(result)).toContain("kubectl create: forbidden");
    expect(calls().at(-1)!.verb).toBe("delete");
  });

  test("without kubectl: reports the fix", async () => {
    const kubectl = new Kubectl("/nonexistent/kubectl", "dev", []);
    await expect(kubectl.run(["get", "pods"])).rejects.toThrow(
      "cluster dev: /nonexistent/kubectl get: command not found. Install kubectl, or pass its path with --kubectl",
    );
  });
});

describe("clustersToVerify", () => {
  const names = (clusters: ClusterSettings[]) => clusters.map(({ name }) => name);

  test("returns every cluster that the server is deployed to, or the one in --cluster", () => {
    expect(names(clustersToVerify(prod.settings, {}))).toEqual(["prod-us", "prod-eu"]);
    expect(names(clustersToVerify(prod.settings, { cluster: "prod-eu", context: "x" }))).toEqual(["prod-eu"]);
    const [first, second] = prod.settings.clusters;
    const trusted = { stack: "prod", clusters: [first!, { ...second!, deploy: false }] };
    expect(names(clustersToVerify(trusted, { context: "x" }))).toEqual(["prod-us"]);
  });

  test.each([
    [
      "an unknown name",
      { cluster: "x" },
      "--cluster x: stack prod has no such cluster, or does not deploy the MCP server to it. Expected one of: prod-us, prod-eu.",
    ],
    ["one context for two clusters", { context: "x" }, "Add --cluster with one of: prod-us, prod-eu"],
    ["one kubeconfig for two clusters", { kubeconfig: "x" }, "Add --cluster with one of: prod-us, prod-eu"],
  ])("rejects %s", (_, given, expected) => {
    expect(() => clustersToVerify(prod.settings, given)).toThrow(expected);
  });

  test("rejects a stack without the server", async () => {
    const { settings } = await changed("prod", (config) => {
      config.mcp = { enabled: false };
    });
    expect(() => clustersToVerify(settings, {})).toThrow(
      "stack prod: the MCP server is not deployed to any cluster. Expected mcp.enabled: true, and a cluster without deploy: false.",
    );
  });
});

describe("accessFlags", () => {
  const cluster = (change: Partial<ClusterSettings>): ClusterSettings => ({
    ...dev.clusters[0]!,
    context: undefined,
    kubeconfig: undefined,
    profile: undefined,
    ...change,
  });

  test.each<[string, Partial<ClusterSettings>, object, string[]]>([
    ["the context of the config", { context: "a" }, {}, ["--context=a"]],
    ["its kubeconfig", { kubeconfig: "kube/config" }, {}, ["--kubeconfig=kube/config"]],
    ["both", { kubeconfig: "~/.kube/x", context: "a" }, {}, [`--kubeconfig=${homedir()}/.kube/x`, "--context=a"]],
    ["options that override the config", { kubeconfig: "k", context: "a" }, { context: "b" }, ["--context=b"]],
    [
      "--kubeconfig, with the context of the config",
      { context: "a" },
      { kubeconfig: "k" },
      ["--kubeconfig=k", "--context=a"],
    ],
    ["--kubeconfig and its current context", { kubeconfig: "c" }, { kubeconfig: "k" }, ["--kubeconfig=k"]],
  ])("use %s", (_, change, given, expected) => {
    expect(accessFlags(cluster(change), given, processes)).toEqual(expected);
  });

  test("write a kubeconfig that the config contains to a temporary file with mode 0600", async () => {
    const own = new Processes();
    const kubeconfig = "apiVersion: v1\nkind: Config\nclusters:\n  - name: a\n";
    const [flag] = accessFlags(cluster({ kubeconfig }), {}, own);
    const file = flag!.replace("--kubeconfig=", "");
    expect(readFileSync(file, "utf8")).toBe(kubeconfig);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await own.stopAll();
    expect(existsSync(path.dirname(file))).toBe(false);
  });

  test("reject a cluster without kubeconfig and context, and a secret kubeconfig", () => {
    expect(() => accessFlags(cluster({ eksName: "development", profile: "ops" }), {}, processes)).toThrow(
      "Run aws eks update-kubeconfig --name development --region us-east-1 --profile ops and pass --context NAME",
    );
    // Without decryption, readStackFile returns this value for a secret.
    expect(() => accessFlags(cluster({ kubeconfig: "[secret]\n" }), {}, processes)).toThrow(
      "the kubeconfig is a secret, which only Pulumi can read",
    );
  });
});

describe("the command", () => {
  async function command(args: string[], onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void) {
    const tsx = ["--import", "tsx", "scripts/verify/main.ts", ...args];
    let kill: (signal: NodeJS.Signals) => void = () => {};
    const child = processes.start("npm run verify", process.execPath, tsx, {
      cwd: projectFolder,
      onOutput: (text) => onOutput?.(text, kill),
    });
    kill = (signal) => void process.kill(child.pid, signal);
    const code = await child.exited;
    return { code, output: child.output() };
  }

  test("verifies all clusters: an unreachable one fails the run and does not stop the others", async () => {
    const { command: kubectl, calls } = await recording({ ...right, unreachable: ["prod-us"] });
    const { code, output } = await command(["--stack", "prod", "--kubectl", kubectl]);
    expect(output).toContain(`cluster prod-us: ${kubectl} get: Unable to connect to the server`);
    expect(output).toContain("ok    dev\n");
    expect(output).toContain("not verified: prod-us (");
    expect(calls().filter(({ verb }) => verb === "create")).toHaveLength(2);
    expect(created(calls(), "Job").spec.template.spec.containers[0].env).toContainEqual({
      name: "READ_OPERATIONS_ONLY",
      value: "true",
    });
    expect(code).toBe(1);
  });

  test("a Job that cannot be deleted fails the run and does not stop the others", async () => {
    const { command: kubectl, calls } = await recording({ ...right, fails: { delete: "connection refused" } });
    const { code, output } = await command(["--stack", "prod", "--kubectl", kubectl]);
    expect(output).toContain(`cluster prod-us: ${kubectl} delete: connection refused\n`);
    expect(output).toContain("not verified: prod-us, prod-eu (");
    expect(calls().filter(({ verb }) => verb === "create")).toHaveLength(4);
    expect(code).toBe(1);
  });

  test("exits with 0 when every cluster passes, and runs the script of the repository", async () => {
    const { command: kubectl, calls } = await recording(right);
    const { code, output } = await command(["--stack", "prod", "--cluster", "prod-eu", "--kubectl", kubectl]);
    expect(output).toContain("verified: every account passes in prod-eu");
    expect(created(calls(), "ConfigMap").data["verify.py"]).toBe(readFileSync("verification/verify.py", "utf8"));
    expect(calls().every(({ flags }) => flags.includes("--context=prod-eu"))).toBe(true);
    expect(code).toBe(0);
  });

  test("deletes what it created when it is interrupted", async () => {
    const { command: kubectl, calls } = await recording({ ...right, pods: [[running]], logs: "never" });
    const { code } = await command(["--stack", "dev", "--kubectl", kubectl], (text, kill) => {
      if (text.includes("ok    dev")) kill("SIGINT");
    });
    const name = created(calls(), "Job").metadata.name;
    expect(
      calls()
        .filter(({ verb }) => verb === "delete")
        .map(({ args }) => args[1]),
    ).toContain(name);
    expect(code).toBe(130);
  });

  test.each([
    [[], "required option '--stack <name>' not specified"],
    [["--stack", "dev", "--kubeconfig", ""], "Expected a value that is not empty"],
  ])("rejects %j", async (args, expected) => {
    const { code, output } = await command(args);
    expect(output).toContain(expected);
    expect(output).toMatch(/\nRun npm run verify -- --help for usage\.\n$/);
    expect(code).toBe(1);
  });
});

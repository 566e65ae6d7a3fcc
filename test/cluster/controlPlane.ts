// A real Kubernetes control plane on loopback, with kwok as the kubelet of one fake node: everything that an API server
// decides is real (schemas, admission, tokens, controllers), while pods have no containers, no logs and no network.
import { spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JSONWebKeySet } from "jose";
import { stringify } from "yaml";
import { type Child, freePort, Processes } from "../../scripts/common/processes.js";
import { type Progress, toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane } from "./controlPlaneBinary.js";

export { buildControlPlane, kubernetesVersion } from "./controlPlaneBinary.js";

export interface ControlPlaneOptions {
  /**
   * Issuer of service account tokens, such as `https://oidc.eks.us-east-1.amazonaws.com/id/<ID>`: with an EKS cluster's
   * own, the tokens are what that cluster would give. Nothing is served at that address.
   */
  issuerUrl: string;
  /** Audiences the API server itself accepts. @default its own and `sts.amazonaws.com` */
  audiences?: string[];
  /** Where progress of a build goes, line by line. @default stderr */
  progress?: Progress;
}

export interface KubectlResult {
  stdout: string;
  stderr: string;
  /** Exit code; 128 and more when a signal ended it. */
  code: number;
}

export interface KubectlOptions {
  /** Text for stdin, for `-f -`. */
  input?: string;
  /** Kubeconfig to use instead of the administrator's. */
  kubeconfigPath?: string;
  /** Added to the environment, for exec credentials. */
  env?: Record<string, string>;
}

export interface ControlPlane {
  /** `https://127.0.0.1:<port>` */
  url: string;
  kubeconfigPath: string;
  /** Content of that file, an administrator's. */
  kubeconfig: string;
  context: string;
  adminToken: string;
  /** The server's self-signed certificate, which is its own authority. */
  caPem: string;
  /** kubectl of the server's version. */
  kubectlPath: string;
  /** Name and process id of what runs, for measurements. */
  processes: ReadonlyMap<string, number>;
  /** The keys of service account tokens, as the API server serves them. */
  jwks(): Promise<JSONWebKeySet>;
  /**
   * A token of an existing service account by the TokenRequest API.
   * @param expirationSeconds at least 600, the API's minimum.
   */
  createToken(namespace: string, serviceAccount: string, audience: string, expirationSeconds?: number): Promise<string>;
  /** Runs kubectl as the administrator; a failure is a `code`, not an exception. */
  kubectl(args: string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Ends every process and removes every file. */
  stop(): Promise<void>;
}

const CONTEXT = "test";
const READY_WITHIN_MS = 120_000;
const NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "fake",
    annotations: { "kwok.x-k8s.io/node": "fake" },
    labels: { "kubernetes.io/hostname": "fake", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
  },
  // kwok keeps it. Its own default has no ephemeral storage.
  status: Object.fromEntries(
    ["capacity", "allocatable"].map((key) => [
      key,
      { cpu: "1k", memory: "1Ti", pods: "1M", "ephemeral-storage": "1Ti" },
    ]),
  ),
};

/**
 * Starts etcd, API server, controller manager, scheduler and kwok, and returns when a pod could be scheduled: 4 s on
 * two idle cores, 750 MB in all. Loopback only; all files are in one temporary folder; everything ends with this
 * process.
 *
 * @throws Error when Go is missing (with the reason), or with the end of a program's output when it stops or is not
 * ready in two minutes.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  // Another process can take a port before the program listens on it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (attempt === 3 || !(error as Error).message.includes("address already in use")) throw error;
    }
  }
}

async function startOnce(options: ControlPlaneOptions): Promise<ControlPlane> {
  const reasons: string[] = [];
  const progress: Progress = (line) => {
    reasons.push(line);
    (options.progress ?? toStderr)(line);
  };
  const binary = await buildControlPlane(progress);
  if (binary === undefined) throw new Error(reasons.at(-1));

  const directory = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-cluster-"));
  const processes = new Processes();
  const children = new Map<string, Child>();
  // A test run that is broken off may end without a stop.
  const removeFiles = () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  process.once("exit", removeFiles);
  processes.onStop(() => {
    process.off("exit", removeFiles);
    removeFiles();
  });
  const stop = () => {
    // There is nothing to save, and an orderly end takes 5 s.
    for (const child of children.values()) child.killNow();
    return processes.stopAll();
  };

  const start = (program: string, args: string[]) => {
    const child = processes.start(program, join(directory, "bin", program), args, {
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", HOME: directory },
    });
    children.set(program, child);
  };
  /** Polls, and fails at once when one of the programs has stopped. */
  const until = async (what: string, isTrue: () => Promise<boolean>) => {
    const deadline = Date.now() + READY_WITHIN_MS;
    const stopped = Promise.race(
      [...children].map(async ([program, child]) => `${program} stopped with code ${await child.exited}`),
    );
    while (!(await isTrue())) {
      const failure = Date.now() > deadline ? `not ready in ${READY_WITHIN_MS / 1000} s` : undefined;
      const ended = failure ?? (await Promise.race([stopped, sleep(100, undefined)]));
      if (ended === undefined) continue;
      const outputs = [...children].map(([program, child]) => `--- ${program}\n${child.output()}`);
      throw new Error(`control plane, waiting for ${what}: ${ended}\n${outputs.join("\n")}`);
    }
  };

  try {
    mkdirSync(join(directory, "bin"));
    for (const program of ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl"]) {
      symlinkSync(binary, join(directory, "bin", program));
    }
    const file = (name: string, content?: string) => {
      const path = join(directory, name);
      if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
      return path;
    };
    const [etcdPort, etcdPeerPort, port] = [await freePort(), await freePort(), await freePort()];
    const etcdUrl = `http://127.0.0.1:${etcdPort}`;
    const etcdPeerUrl = `http://127.0.0.1:${etcdPeerPort}`;
    const url = `https://127.0.0.1:${port}`;
    const adminToken = randomBytes(24).toString("hex");
    const tokens = file("tokens.csv", `${adminToken},test-admin,test-admin,"system:masters"\n`);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = file("service-account.key", privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const issuerAudience = "https://kubernetes.default.svc";

    start("etcd", [
      `--data-dir=${file("etcd")}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${etcdPeerUrl}`,
      `--initial-advertise-peer-urls=${etcdPeerUrl}`,
      `--initial-cluster=default=${etcdPeerUrl}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
    ]);
    start("kube-apiserver", [
      `--etcd-servers=${etcdUrl}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${port}`,
      "--endpoint-reconciler-type=none",
      `--cert-dir=${file("certificates")}`,
      `--token-auth-file=${tokens}`,
      "--authorization-mode=Node,RBAC",
      // What a privileged pod meets is then Pod Security, as on EKS, and not this switch.
      "--allow-privileged=true",
      "--service-cluster-ip-range=10.96.0.0/16",
      `--service-account-issuer=${options.issuerUrl}`,
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      `--api-audiences=${(options.audiences ?? [issuerAudience, "sts.amazonaws.com"]).join(",")}`,
    ]);

    const certificate = join(directory, "certificates", "apiserver.crt");
    await until(
      "the API server's certificate",
      async () => existsSync(certificate) && readFileSync(certificate).length > 0,
    );
    const caPem = readFileSync(certificate, "utf8");
    const call = (method: string, path: string, body?: unknown) =>
      callApi({ url, caPem, adminToken }, method, path, body);
    await until("the API server", async () => (await call("GET", "/readyz").catch(() => undefined))?.status === 200);

    const kubeconfig = stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: CONTEXT, cluster: { server: url, "certificate-authority-data": base64(caPem) } }],
      users: [{ name: CONTEXT, user: { token: adminToken } }],
      contexts: [{ name: CONTEXT, context: { cluster: CONTEXT, user: CONTEXT } }],
      "current-context": CONTEXT,
    });
    const kubeconfigPath = file("kubeconfig", kubeconfig);

    // Before the scheduler sees a pod: one that finds no node waits 8 s for its next attempt.
    const node = await call("POST", "/api/v1/nodes", NODE);
    if (node.status !== 201) throw new Error(`control plane, creating the node: ${node.status} ${node.text}`);

    start("kube-controller-manager", [
      `--kubeconfig=${kubeconfigPath}`,
      `--root-ca-file=${certificate}`,
      `--service-account-private-key-file=${key}`,
      "--use-service-account-credentials=false",
      "--leader-elect=false",
      "--secure-port=0",
    ]);
    start("kube-scheduler", [`--kubeconfig=${kubeconfigPath}`, "--leader-elect=false", "--secure-port=0"]);
    const stages = await capture(binary, ["kwok-stages"], {});
    start("kwok", [
      `--kubeconfig=${kubeconfigPath}`,
      `--config=${file("stages.yaml", stages.stdout)}`,
      "--manage-all-nodes=true",
      "--node-ip=127.0.0.1",
      "--node-lease-duration-seconds=40", // without a lease the node flaps
    ]);

    await until("the node", async () => {
      const { status, text } = await call("GET", "/api/v1/nodes/fake");
      return status === 200 && isSchedulable(JSON.parse(text));
    });
    // The API server rejects pods until the controller manager has created their service account.
    await until("the default service account", async () => {
      return (await call("GET", "/api/v1/namespaces/default/serviceaccounts/default")).status === 200;
    });

    const kubectlPath = join(directory, "bin", "kubectl");
    return {
      url,
      kubeconfigPath,
      kubeconfig,
      context: CONTEXT,
      adminToken,
      caPem,
      kubectlPath,
      processes: new Map([...children].map(([program, child]) => [program, child.pid])),
      jwks: async () => {
        const { status, text } = await call("GET", "/openid/v1/jwks");
        if (status !== 200) throw new Error(`${url}/openid/v1/jwks: ${status} ${text}`);
        return JSON.parse(text);
      },
      createToken: async (namespace, serviceAccount, audience, expirationSeconds = 3600) => {
        const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
        const { status, text } = await call("POST", path, {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { audiences: [audience], expirationSeconds },
        });
        if (status !== 201) throw new Error(`token of ${namespace}:${serviceAccount}: ${status} ${text}`);
        return JSON.parse(text).status.token;
      },
      kubectl: (args, { input, kubeconfigPath: other, env } = {}) => {
        const common = [`--kubeconfig=${other ?? kubeconfigPath}`, `--cache-dir=${join(directory, "kubectl-cache")}`];
        return capture(kubectlPath, [...common, ...args], {
          input,
          env: { PATH: process.env.PATH ?? "", HOME: directory, ...env },
        });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

interface Node {
  spec: { taints?: { key: string }[] };
  status: { conditions?: { type: string; status: string }[] };
}

function isSchedulable(node: Node): boolean {
  const ready = node.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && (node.spec.taints ?? []).length === 0;
}

interface Server {
  url: string;
  caPem: string;
  adminToken: string;
}

/** One request with the administrator's token; only a broken connection is an exception. */
function callApi(
  { url, caPem, adminToken }: Server,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}${path}`,
      {
        method,
        ca: caPem,
        agent: false, // a connection kept open would outlive the server
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
        });
        answer.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const SIGNAL_CODE = 128;

/** Runs a short-lived program to its end; what it prints is kept whole. */
function capture(
  command: string,
  args: string[],
  { input, env }: { input?: string | undefined; env?: Record<string, string> },
): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: env ?? process.env, stdio: ["pipe", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...texts, code: code ?? SIGNAL_CODE }));
    child.stdin.on("error", () => undefined); // the process can end without reading its input; its exit code shows why
    child.stdin.end(input ?? "");
  });
}

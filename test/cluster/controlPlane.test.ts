// The control plane that the other tests stand on is what it says it is.
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { platform, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, kubernetesVersion, startControlPlane } from "./controlPlane.js";

const ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const AUDIENCE = "sts.amazonaws.com";

describe("without a supported Go version, the control plane is skipped with the reason", () => {
  const { PATH, XDG_CACHE_HOME } = process.env;
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-go-"));
  });
  afterEach(() => {
    process.env.PATH = PATH;
    if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each([
    { found: undefined, reason: "`go` is not on the PATH" },
    { found: "go1.25.4", reason: "`go` on the PATH is go1.25.4" },
    { found: "devel", reason: "`go` on the PATH is devel" },
  ])("$found", async ({ found, reason }) => {
    process.env.PATH = directory;
    process.env.XDG_CACHE_HOME = join(directory, "cache");
    if (found !== undefined) writeFileSync(join(directory, "go"), `#!/bin/sh\necho ${found}\n`, { mode: 0o755 });
    const lines: string[] = [];
    expect(await buildControlPlane((line) => lines.push(line))).toBeUndefined();
    expect(lines).toEqual([`no control plane: Go 1.26 or newer is needed to build it, and ${reason}`]);
  });
});

const binary = await buildControlPlane(toStderr);

describe.skipIf(binary === undefined)("control plane", () => {
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane({ issuerUrl: ISSUER });
  });
  afterAll(() => cluster?.stop());

  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl(args);
    expect(stderr, args.join(" ")).toBe("");
    expect(code).toBe(0);
    return stdout;
  };
  const create = (...objects: object[]) =>
    cluster.kubectl(["create", "--validate=strict", "-f", "-"], {
      input: objects.map((object) => JSON.stringify(object)).join("\n---\n"),
    });
  const namespace = (name: string) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  const container = {
    name: "main",
    image: "registry.example/app:1",
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
  const pod = (overrides: object = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "plain", namespace: "restricted" },
    spec: { containers: [{ ...container, ...overrides }] },
  });

  test("server and kubectl have the pinned version, and the node is ready", async () => {
    const version = JSON.parse(await kubectl("version", "-o", "json"));
    expect(version.serverVersion.gitVersion).toBe(kubernetesVersion());
    expect(version.clientVersion.gitVersion).toBe(kubernetesVersion());
    const { items } = JSON.parse(await kubectl("get", "nodes", "-o", "json"));
    expect(items).toHaveLength(1);
    expect(items[0].status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  });

  test.runIf(platform() === "linux")("every program listens on loopback only", () => {
    const addresses = [...cluster.processes].flatMap(([program, pid]) =>
      listenAddresses(pid).map((address) => ({ program, address })),
    );
    expect(addresses.filter(({ program }) => program === "kube-apiserver")).not.toEqual([]);
    expect(addresses.filter(({ program }) => program === "etcd")).not.toEqual([]);
    expect(addresses.filter(({ address }) => address !== "127.0.0.1")).toEqual([]);
  });

  test("a namespace enforces Pod Security restricted", async () => {
    expect((await create(namespace("restricted"))).code).toBe(0);
    await kubectl("wait", "--for=create", "serviceaccount/default", "-n", "restricted", "--timeout=30s");
    const { securityContext } = container;
    const weak = {
      "allowPrivilegeEscalation != false": { securityContext: { ...securityContext, allowPrivilegeEscalation: true } },
      "unrestricted capabilities": { securityContext: { ...securityContext, capabilities: { drop: [] } } },
      "runAsNonRoot != true": { securityContext: { ...securityContext, runAsNonRoot: false } },
      seccompProfile: { securityContext: { ...securityContext, seccompProfile: { type: "Unconfined" } } },
      privileged: { securityContext: { privileged: true } },
    };
    for (const [reason, overrides] of Object.entries(weak)) {
      const { code, stderr } = await create(pod(overrides));
      expect(code, reason).toBe(1);
      expect(stderr).toContain('violates PodSecurity "restricted:latest"');
      expect(stderr).toContain(reason);
    }
    expect(await create(pod())).toMatchObject({ code: 0, stdout: "pod/plain created\n" });
  });

  test("rejects an unknown field", async () => {
    const { code, stderr } = await create(pod({ imagePullPolicies: "Always" }));
    expect(code).toBe(1);
    expect(stderr).toContain('unknown field "spec.containers[0].imagePullPolicies"');
  });

  test("issues service account tokens with the claims of EKS, signed with a published key", async () => {
    await kubectl("create", "namespace", "tokens");
    await kubectl("create", "serviceaccount", "reader", "-n", "tokens");
    const token = await cluster.createToken("tokens", "reader", AUDIENCE, 3600);
    expect(decodeProtectedHeader(token).alg).toBe("RS256");
    const keys = createLocalJWKSet(await cluster.jwks());
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: AUDIENCE });
    expect(payload).toMatchObject({
      iss: ISSUER,
      aud: [AUDIENCE],
      sub: "system:serviceaccount:tokens:reader",
      "kubernetes.io": { namespace: "tokens", serviceaccount: { name: "reader" } },
    });
    expect(payload.exp! - payload.iat!).toBe(3600);

    const forOthers = await cluster.createToken("tokens", "reader", "vault.example", 600);
    await expect(jwtVerify(forOthers, keys, { audience: AUDIENCE })).rejects.toThrow(errors.JWTClaimValidationFailed);
    await expect(cluster.createToken("tokens", "reader", AUDIENCE, 599)).rejects.toThrow(/may not specify a duration/);
    await expect(cluster.createToken("tokens", "missing-account", AUDIENCE)).rejects.toThrow(
      /tokens:missing-account: 404/,
    );
  });

  test("a Deployment becomes available and a Job completes", async () => {
    await kubectl("create", "deployment", "web", "--image=registry.example/app:1", "--replicas=2");
    await kubectl("create", "job", "once", "--image=registry.example/app:1");
    await kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s");
    await kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=60s");
    const deployment = JSON.parse(await kubectl("get", "deployment", "web", "-o", "json"));
    expect(deployment.status).toMatchObject({ replicas: 2, availableReplicas: 2 });
  });

  test("returns the exit code and error output of kubectl", async () => {
    expect(await cluster.kubectl(["get", "pod", "absent"])).toEqual({
      code: 1,
      stdout: "",
      stderr: 'Error from server (NotFound): pods "absent" not found\n',
    });
  });

  test("stop ends every process and deletes every file", async () => {
    const short = await startControlPlane({ issuerUrl: ISSUER });
    const pids = [...short.processes.values()];
    expect(pids).toHaveLength(5);
    await short.stop();
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(existsSync(dirname(short.kubeconfigPath))).toBe(false);
  });
});

/** The addresses on which a process accepts TCP connections; Linux only. */
function listenAddresses(pid: number): string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed in the meantime
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === LISTEN && inodes.has(inode ?? ""))
      .map(([, local]) => local!.split(":")[0]!)
      .map((hex) =>
        hex.length === 8
          ? hex
              .match(/../g)!
              .reverse()
              .map((byte) => Number.parseInt(byte, 16))
              .join(".")
          : hex,
      ),
  );
}

const LISTEN = "0A";

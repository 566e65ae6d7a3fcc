// The workload of both checked-in stacks on a real API server, one control plane per cluster with that cluster's own
// token issuer, from the very manifests that `npm run plan` writes.
import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Loopback } from "../../scripts/common/loopback.js";
import { Processes } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { startMoto } from "../../scripts/emulation/moto.js";
import { startStsFront } from "../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../scripts/emulation/tokens.js";
import { type Endpoint, isAllowed, type NetworkPolicy } from "../documents/networkPolicyEvaluation.js";
import { changed } from "../program/stacks.js";
import { buildControlPlane, type ControlPlane, type KubectlResult, startControlPlane } from "./controlPlane.js";
import { type KubernetesObject, manifests, objects, provision } from "./renderedStack.js";

const binary = await buildControlPlane(toStderr);
const stacks = { dev: await changed("dev"), prod: await changed("prod") };
const workloads = (["dev", "prod"] as const).flatMap((id) =>
  stacks[id].clusters
    .filter(({ deploy }) => deploy)
    .map(({ name, issuerUrl }) => [`${id}/${name}`, { id, name, issuerUrl }] as const),
);
const MANAGER = "holmes-aws-mcp-test";

describe.skipIf(binary === undefined)("workload", () => {
  const processes = new Processes();
  const keys = new Map<string, Awaited<ReturnType<ControlPlane["jwks"]>>>();
  let front: Loopback;

  beforeAll(async () => {
    const moto = await startMoto(processes);
    front = await startStsFront(moto.url, keys);
    for (const stack of Object.values(stacks)) await provision(stack, front.url);
  });
  afterAll(async () => {
    await front?.close();
    await processes.stopAll();
  });

  test("both stacks have a cluster", () => {
    expect(workloads.map(([title]) => title)).toEqual(["dev/dev-cluster", "prod/prod-us", "prod/prod-eu"]);
  });

  describe.each(workloads)("%s", (_, { id, name, issuerUrl }) => {
    const stack = stacks[id];
    const { kubernetes, holmes, targetAccounts } = stack.settings;
    const { namespace } = kubernetes;
    const text = manifests(stack, name);
    const rendered = objects(text);
    let cluster: ControlPlane;
    let first: KubectlResult;

    const kubectl = async (...args: string[]) => {
      const { code, stdout, stderr } = await cluster.kubectl(args);
      expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    const apply = (input: string) =>
      cluster.kubectl(["apply", "--server-side", "--validate=strict", `--field-manager=${MANAGER}`, "-f", "-"], {
        input,
      });
    const get = async <T = KubernetesObject>(...args: string[]): Promise<T> =>
      JSON.parse(await kubectl("get", "-n", namespace, "-o", "json", ...args));
    const only = (kind: string) => {
      const found = rendered.filter((object) => object.kind === kind);
      expect(found, kind).toHaveLength(1);
      return found[0]!;
    };

    beforeAll(async () => {
      cluster = await startControlPlane({ issuerUrl });
      keys.set(issuerUrl, await cluster.jwks());
      first = await apply(text);
    });
    afterAll(() => cluster?.stop());

    test("applies every manifest with strict validation, without errors or warnings", () => {
      expect(first).toMatchObject({ code: 0, stderr: "" });
      expect(first.stdout.trimEnd().split("\n")).toHaveLength(rendered.length);
    });

    test("the Deployment becomes available and every Job completes", async () => {
      await kubectl("wait", "-n", namespace, "--for=condition=Available", "deployment", "--all", "--timeout=60s");
      await kubectl("wait", "-n", namespace, "--for=condition=Complete", "job", "--all", "--timeout=60s");
      const { spec, status } = await get("deployment", only("Deployment").metadata.name);
      expect(status).toMatchObject({ availableReplicas: spec.replicas, updatedReplicas: spec.replicas });
      const jobs = rendered.filter(({ kind }) => kind === "Job").map(({ metadata }) => metadata.name);
      expect(jobs).toContainEqual(expect.stringContaining("-verify-"));
      expect((await get<{ items: KubernetesObject[] }>("jobs")).items.map(({ metadata }) => metadata.name)).toEqual(
        jobs.sort(),
      );
    });

    test("a second apply changes nothing", async () => {
      // All that we own of each object; what controllers report about it is theirs.
      const owned = async () => {
        const list = await cluster.kubectl(["get", "-o", "json", "--show-managed-fields", "-f", "-"], { input: text });
        expect(list).toMatchObject({ code: 0, stderr: "" });
        return (JSON.parse(list.stdout).items as KubernetesObject[]).map(({ status, metadata, ...object }) => {
          const { resourceVersion, managedFields, ...rest } = metadata;
          return { ...object, metadata: rest, managed: managedFields?.filter(({ manager }) => manager === MANAGER) };
        });
      };
      const before = await owned();
      expect(before).toHaveLength(rendered.length);
      for (const { managed } of before) expect(managed).toHaveLength(1);
      expect(await apply(text)).toMatchObject({ code: 0, stderr: "" });
      expect(await owned()).toEqual(before);
    });

    test("the commands of docs/verify.md find the service account's role and the running pod", async () => {
      const account = await kubectl("get", "sa", kubernetes.serviceAccount, "-n", namespace, "-o", "yaml");
      const annotation = only("ServiceAccount").metadata.annotations?.["eks.amazonaws.com/role-arn"];
      expect(annotation).toMatch(/^arn:aws:iam::\d{12}:role\//);
      expect(account).toContain(`eks.amazonaws.com/role-arn: ${annotation}`);
      const pods = await kubectl("get", "pods", "-l", "app=aws-api-mcp-server", "-n", namespace, "--no-headers");
      expect(pods.trimEnd().split("\n")).toEqual([expect.stringMatching(/^holmes-aws-mcp-\S+\s+1\/1\s+Running/)]);
    });

    describe("Pod Security", () => {
      const templates = rendered.filter(({ kind }) => ["Deployment", "Job"].includes(kind));
      const create = (template: KubernetesObject, weaken: (spec: PodSpec) => void = () => {}) => {
        const pod = structuredClone(template.spec.template);
        weaken(pod.spec);
        const metadata = { ...pod.metadata, name: "probe", namespace };
        return cluster.kubectl(["create", "--dry-run=server", "--validate=strict", "-f", "-"], {
          input: JSON.stringify({ apiVersion: "v1", kind: "Pod", ...pod, metadata }),
        });
      };
      const container = (change: (security: Record<string, unknown>) => void) => (spec: PodSpec) =>
        change(spec.containers[0]!.securityContext);

      test("the namespace enforces restricted", async () => {
        const { metadata } = await get("namespace", namespace);
        expect(metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
      });

      test.each(templates.map((template) => [template.kind, template] as const))(
        "pod of the %s: accepted as rendered",
        async (_, template) => {
          expect(await create(template)).toMatchObject({ code: 0, stderr: "" });
        },
      );

      test.each<[string, string, (spec: PodSpec) => void]>([
        [
          "a privileged container",
          "privileged",
          (spec) => {
            spec.containers[0]!.securityContext = { privileged: true };
          },
        ],
        [
          "privilege escalation",
          "allowPrivilegeEscalation != false",
          container((security) => {
            security.allowPrivilegeEscalation = true;
          }),
        ],
        [
          "capabilities kept",
          "unrestricted capabilities",
          container((security) => {
            security.capabilities = {};
          }),
        ],
        [
          "a capability added",
          "unrestricted capabilities",
          container((security) => {
            security.capabilities = { drop: ["ALL"], add: ["NET_ADMIN"] };
          }),
        ],
        [
          "root allowed",
          "runAsNonRoot != true",
          container((security) => {
            security.runAsNonRoot = false;
          }),
        ],
        [
          "root as the user",
          "runAsUser=0",
          container((security) => {
            security.runAsUser = 0;
          }),
        ],
        [
          "no seccomp",
          "seccompProfile",
          container((security) => {
            security.seccompProfile = { type: "Unconfined" };
          }),
        ],
        [
          "the host's network",
          "host namespaces",
          (spec) => {
            spec.hostNetwork = true;
          },
        ],
        [
          "the host's processes",
          "host namespaces",
          (spec) => {
            spec.hostPID = true;
          },
        ],
        [
          "the host's files",
          "restricted volume types",
          (spec) => {
            spec.volumes = [...(spec.volumes ?? []), { name: "host", hostPath: { path: "/" } }];
          },
        ],
      ])("rejects a weakened pod: %s", async (_, reason, weaken) => {
        for (const template of templates) {
          const { code, stderr } = await create(template, weaken);
          expect(code).toBe(1);
          expect(stderr).toContain('violates PodSecurity "restricted:latest"');
          expect(stderr).toContain(reason);
        }
      });
    });

    test("the stored NetworkPolicy admits only Holmes, and blocks the metadata addresses", async () => {
      const { items: policies } = await get<{ items: NetworkPolicy[] }>("networkpolicies");
      expect(policies).not.toEqual([]);
      const { items } = await get<{ items: KubernetesObject[] }>("pods", "-l", "app=aws-api-mcp-server");
      const server: Endpoint = { pod: { namespace, labels: items[0]!.metadata.labels ?? {} } };
      const network = { policies, namespaces: { [namespace]: {}, [holmes.namespace]: {}, other: {} } };
      const caller = (where: string, labels: Record<string, string>): Endpoint => ({
        pod: { namespace: where, labels },
      });
      const mayCall = (from: Endpoint) => isAllowed(network, { from, to: server, protocol: "TCP", port: 8000 });
      const mayReach = (ip: string) => isAllowed(network, { from: server, to: { ip }, protocol: "TCP", port: 443 });
      expect(mayCall(caller(holmes.namespace, holmes.podLabels))).toBe(true);
      expect(mayCall(caller(holmes.namespace, {}))).toBe(false);
      expect(mayCall(caller("other", holmes.podLabels))).toBe(false);
      expect(["52.94.76.10", "2600:1f14::10"].map(mayReach)).toEqual([true, true]);
      expect(["169.254.169.254", "169.254.170.23", "fd00:ec2::254"].map(mayReach)).toEqual([false, false, false]);
    });

    describe("tokens of this API server", () => {
      const sts = () =>
        new STSClient({
          endpoint: front.url,
          region: "us-east-1",
          credentials: { accessKeyId: "none", secretAccessKey: "none" },
        });
      const assume = async (RoleArn: string, WebIdentityToken: string) => {
        const client = sts();
        try {
          const { AssumedRoleUser } = await client.send(
            new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: "test", WebIdentityToken }),
          );
          return AssumedRoleUser?.Arn;
        } finally {
          client.destroy();
        }
      };
      /** What the kubelet would ask for, read off the pod as the API server has it. */
      const projected = async () => {
        const { items } = await get<{ items: KubernetesObject[] }>("pods", "-l", "app=aws-api-mcp-server");
        const { serviceAccountName, volumes } = items[0]!.spec;
        const [source] = volumes.flatMap(({ projected }: PodVolume) => projected?.sources ?? []);
        return { serviceAccount: serviceAccountName as string, ...(source.serviceAccountToken as ServiceAccountToken) };
      };
      /** Role ARN by profile, from the AWS config file as the pod would mount it. */
      const profiles = async () => {
        const { data } = await get("configmap", "holmes-aws-mcp");
        return new Map(
          [...(data.config as string).matchAll(/^\[profile (.+)\]\n(?:.+\n)*?role_arn = (\S+)$/gm)].map(
            ([, profile, arn]) => [profile!, arn!],
          ),
        );
      };

      const refused = async (tokens: string[], error: { name: string; message?: string }) => {
        const roles = await profiles();
        expect(roles.size).toBe(targetAccounts.length);
        for (const role of roles.values()) {
          for (const token of tokens) await expect(assume(role, token)).rejects.toMatchObject(error);
        }
      };

      test("the role of every profile accepts the token of the pod", async () => {
        const { serviceAccount, audience, expirationSeconds } = await projected();
        const token = await cluster.createToken(namespace, serviceAccount, audience, expirationSeconds);
        const roles = await profiles();
        expect([...roles.keys()].sort()).toEqual(targetAccounts.map(({ profile }) => profile).sort());
        for (const { profile, accountId } of targetAccounts) {
          const role = roles.get(profile)!;
          expect(await assume(role, token)).toMatch(
            new RegExp(`^arn:aws:sts::${accountId}:assumed-role/${role.split("/").at(-1)}/test$`),
          );
        }
      });

      test("rejects the token of another service account, also one of the same name in another namespace", async () => {
        const { serviceAccount, audience } = await projected();
        await kubectl("create", "serviceaccount", "intruder", "-n", namespace);
        await kubectl("create", "namespace", "elsewhere");
        await kubectl("create", "serviceaccount", serviceAccount, "-n", "elsewhere");
        const tokens = [
          await cluster.createToken(namespace, "intruder", audience),
          await cluster.createToken(namespace, "default", audience),
          await cluster.createToken("elsewhere", serviceAccount, audience),
        ];
        await refused(tokens, { name: "AccessDenied" });
      });

      test("rejects a token for another audience", async () => {
        const { serviceAccount } = await projected();
        const token = await cluster.createToken(namespace, serviceAccount, "https://kubernetes.default.svc");
        const message = expect.stringMatching(/^Incorrect token audience \(https:\/\/kubernetes\.default\.svc is not/);
        await refused([token], { name: "InvalidIdentityTokenException", message });
      });

      test("rejects a token with a forged signature", async () => {
        const { serviceAccount, audience } = await projected();
        const real = await cluster.createToken(namespace, serviceAccount, audience);
        const { kid } = decodeProtectedHeader(real);
        const forged = await new ClusterIssuer(issuerUrl).sign(decodeJwt(real), { kid });
        await refused([forged], { name: "InvalidIdentityTokenException" });
      });
    });

    describe("a change of the accounts", () => {
      const templateHash = async () => {
        const name = only("Deployment").metadata.name;
        await kubectl("rollout", "status", `deployment/${name}`, "-n", namespace, "--timeout=60s");
        const { items } = await get<{ items: KubernetesObject[] }>("pods", "-l", "app=aws-api-mcp-server");
        expect(items).toHaveLength(1);
        return items[0]!.metadata.labels?.["pod-template-hash"];
      };
      const applied = async (change: (accounts: { description: string }[]) => void = () => {}) => {
        const evaluation = await changed(id, ({ targetAccounts }) => change(targetAccounts));
        expect(await apply(manifests(evaluation, name))).toMatchObject({ code: 0, stderr: "" });
        return templateHash();
      };

      test("a changed description or a new account rolls out the pod, and the previous config rolls it back", async () => {
        const before = await templateHash();
        const described = await applied((accounts) => {
          for (const account of accounts) account.description = "New words";
        });
        // The server reads the descriptions at its start and gives them to the model.
        expect(described).not.toBe(before);
        const added = { profile: "added", accountId: "999999999999", region: "eu-west-1", description: "" };
        expect([before, described]).not.toContain(await applied((accounts) => void accounts.push(added)));
        expect((await get("configmap", "holmes-aws-mcp")).data.config).toContain("[profile added]");
        expect(await applied()).toBe(before);
      });
    });
  });
});

interface PodSpec {
  containers: { securityContext: Record<string, unknown> }[];
  volumes: PodVolume[];
  hostNetwork?: boolean;
  hostPID?: boolean;
}

interface PodVolume {
  name: string;
  projected?: { sources: { serviceAccountToken?: ServiceAccountToken }[] };
  hostPath?: { path: string };
}

interface ServiceAccountToken {
  audience: string;
  expirationSeconds: number;
}

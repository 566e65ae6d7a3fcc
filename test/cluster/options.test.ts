// The workload with its options turned on, on a real API server: what a checked-in stack leaves out is applied here.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toStderr } from "../../scripts/common/progress.js";
import { changed } from "../program/stacks.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "./controlPlane.js";
import { type KubernetesObject, manifests, objects } from "./renderedStack.js";

const binary = await buildControlPlane(toStderr);

describe.skipIf(binary === undefined)("workload with options", () => {
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane({ issuerUrl: "https://issuer.example" });
  });
  afterAll(() => cluster?.stop());

  const kubectl = async (args: string[], input?: string) => {
    const { code, stdout, stderr } = await cluster.kubectl(args, { input });
    expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  const get = async (namespace: string, ...args: string[]) =>
    JSON.parse(await kubectl(["get", "-n", namespace, "-o", "json", ...args]));
  /** Applies the dev stack with a changed config, and waits for its Deployment. */
  const deploy = async (change: Parameters<typeof changed>[1], secretKeys?: string[]): Promise<KubernetesObject[]> => {
    const text = manifests(await changed("dev", change, secretKeys), "dev-cluster");
    await kubectl(["apply", "--server-side", "--validate=strict", "-f", "-"], text);
    const rendered = objects(text);
    const { name, namespace } = rendered.find(({ kind }) => kind === "Deployment")!.metadata;
    await kubectl(["rollout", "status", `deployment/${name}`, "-n", namespace!, "--timeout=60s"]);
    return rendered;
  };
  const kinds = (rendered: KubernetesObject[]) => rendered.map(({ kind }) => kind);

  test("several HTTP replicas with every placement option are available, with a PodDisruptionBudget of one", async () => {
    await kubectl(["create", "priorityclass", "observability", "--value=1000"]);
    const rendered = await deploy(
      (config) => {
        config.kubernetes = { namespace: "http" };
        config.mcp = {
          transport: "streamable-http",
          replicas: 3,
          priorityClassName: "observability",
          imagePullSecrets: ["registry"],
          nodeSelector: { "kubernetes.io/os": "linux" },
          tolerations: [{ key: "dedicated", operator: "Equal", value: "tools", effect: "NoSchedule" }],
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 100,
                  podAffinityTerm: {
                    topologyKey: "topology.kubernetes.io/zone",
                    labelSelector: { matchLabels: { app: "aws-api-mcp-server" } },
                  },
                },
              ],
            },
          },
          podLabels: { team: "platform" },
          podAnnotations: { "example.com/owner": "platform" },
          env: { HTTPS_PROXY: "http://proxy.example:3128" },
          networkPolicy: { egressPorts: [443, 3128] },
          extraVolumes: [{ name: "authorities", configMap: { name: "authorities", optional: true } }],
          extraVolumeMounts: [{ name: "authorities", mountPath: "/etc/authorities", readOnly: true }],
          denyList: ["aws logs start-query"],
        };
      },
      ["mcp"],
    );
    expect(kinds(rendered)).toContain("PodDisruptionBudget");
    // The environment's, and the tokens' in both namespaces.
    expect(kinds(rendered).filter((kind) => kind === "Secret")).toHaveLength(3);

    const { items: pods } = await get("http", "pods", "-l", "app=aws-api-mcp-server,team=platform");
    expect(pods).toHaveLength(3);
    // Admission sets the priority of the class.
    for (const pod of pods)
      expect(pod.spec).toMatchObject({ priority: 1000, imagePullSecrets: [{ name: "registry" }] });

    const { items: services } = await get("http", "services");
    expect(services).toHaveLength(1);
    expect(services[0].spec).toMatchObject({ sessionAffinity: "ClientIP", ports: [{ port: 8000 }] });
    // The controller adds the endpoints in batches, after the pods are ready.
    const endpoints = async () => {
      const slices = await get(
        "http",
        "endpointslices",
        "-l",
        `kubernetes.io/service-name=${services[0].metadata.name}`,
      );
      return slices.items.flatMap((slice: { endpoints: object[] }) => slice.endpoints);
    };
    await expect.poll(endpoints, { timeout: 20_000 }).toHaveLength(3);

    const budget = rendered.find(({ kind }) => kind === "PodDisruptionBudget")!.metadata.name;
    await kubectl([
      "wait",
      "-n",
      "http",
      "--for=jsonpath={.status.disruptionsAllowed}=1",
      `pdb/${budget}`,
      "--timeout=30s",
    ]);
    expect((await get("http", "pdb", budget)).status).toMatchObject({
      expectedPods: 3,
      currentHealthy: 3,
      desiredHealthy: 2,
    });
  });

  test("uses an existing namespace and service account without changing them", async () => {
    await kubectl(["create", "namespace", "theirs"]);
    await kubectl(["create", "serviceaccount", "their-account", "-n", "theirs"]);
    const before = await get("theirs", "namespace/theirs", "serviceaccount/their-account");
    const rendered = await deploy((config) => {
      config.kubernetes = {
        namespace: "theirs",
        createNamespace: false,
        serviceAccount: "their-account",
        createServiceAccount: false,
      };
    });
    expect(kinds(rendered)).not.toContain("Namespace");
    expect(kinds(rendered)).not.toContain("ServiceAccount");
    expect(await get("theirs", "namespace/theirs", "serviceaccount/their-account")).toEqual(before);
    const { items: pods } = await get("theirs", "pods", "-l", "app=aws-api-mcp-server");
    expect(pods.map((pod: KubernetesObject) => pod.spec.serviceAccountName)).toEqual(["their-account"]);
  });

  test("the API server accepts additional peers and ports of the network policy", async () => {
    const peer = { namespaceSelector: { matchLabels: { team: "observability" } } };
    const rule = { to: [{ ipBlock: { cidr: "10.0.0.0/8" } }], ports: [{ protocol: "TCP", port: 3128 }] };
    const rendered = await deploy((config) => {
      config.kubernetes = { namespace: "guarded" };
      config.mcp = { networkPolicy: { additionalPeers: [peer], additionalEgress: [rule], egressPorts: [443, 8443] } };
    });
    const name = rendered.find(({ kind }) => kind === "NetworkPolicy")!.metadata.name;
    const { spec } = await get("guarded", "networkpolicy", name);
    expect(spec.ingress[0].from).toContainEqual(peer);
    expect(spec.egress).toContainEqual(rule);
  });

  test("creates no network policy and no verification when they are disabled", async () => {
    const rendered = await deploy((config) => {
      config.kubernetes = { namespace: "bare" };
      config.mcp = { networkPolicy: { enabled: false } };
      config.verify = { enabled: false };
    });
    expect(kinds(rendered)).toEqual(["Namespace", "ServiceAccount", "ConfigMap", "Service", "Deployment"]);
    for (const kind of ["networkpolicies", "jobs"]) expect((await get("bare", kind)).items).toEqual([]);
  });
});

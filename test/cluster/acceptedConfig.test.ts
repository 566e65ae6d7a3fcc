/** The API server accepts what the config reader accepts: each variant of the Kubernetes keys, in a server-side dry run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { toStderr } from "../../scripts/common/progress.js";
import { damaged, problemsOf, stackConfig } from "../config/support.js";
import { changed } from "../program/stacks.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "./controlPlane.js";
import { type KubernetesObject, manifests, objects } from "./renderedStack.js";

const binary = await buildControlPlane(toStderr);

const node = "mcp.affinity.nodeAffinity";
const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
const peers = "mcp.networkPolicy.additionalPeers";
const egress = "mcp.networkPolicy.additionalEgress";
const expressions = [
  { key: "a", operator: "In", values: ["b", ""] },
  { key: "example.com/a", operator: "NotIn", values: ["b"] },
  { key: "A.b_c-d", operator: "Exists" },
  { key: "a", operator: "DoesNotExist" },
];
const nodeExpressions = [
  ...expressions,
  { key: "a", operator: "Gt", values: ["1"] },
  { key: "a", operator: "Lt", values: ["5"] },
];
const selector = { matchLabels: { "example.com/a": "B_c.d-e", b: "" }, matchExpressions: expressions };
const term = {
  topologyKey: "topology.kubernetes.io/zone",
  labelSelector: selector,
  namespaceSelector: selector,
  namespaces: ["a", "b-c"],
  matchLabelKeys: ["pod-template-hash"],
  mismatchLabelKeys: ["c"],
};
const volumes = {
  configMap: { name: "a.b", items: [{ key: "k.e_y", path: "a/b", mode: 0o400 }], defaultMode: 0o444, optional: true },
  secret: { secretName: "a", items: [{ key: "k", path: "p" }], defaultMode: 0, optional: false },
  emptyDir: { medium: "Memory", sizeLimit: "1.5Gi" },
  persistentVolumeClaim: { claimName: "a", readOnly: true },
  csi: { driver: "secrets-store.csi.k8s.io", readOnly: true, volumeAttributes: { a: "b" } },
  downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] },
  ephemeral: {
    volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
  },
  projected: { sources: [{ configMap: { name: "a" } }, { secret: { name: "b", optional: true } }], defaultMode: 0o440 },
};
const http = { "mcp.transport": "streamable-http" };

/** Title, changes of the dev stack. */
const accepted: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
  [
    "tolerations",
    {
      "mcp.tolerations": [
        { operator: "Exists" },
        { key: "a", operator: "Exists", effect: "NoSchedule" },
        { key: "example.com/a", operator: "Equal", value: "b", effect: "PreferNoSchedule" },
        { key: "a" },
        { key: "a", value: "", operator: "Exists", effect: "NoExecute", tolerationSeconds: 0 },
        { key: "a", effect: "NoExecute", tolerationSeconds: 2 ** 31 - 1 },
      ],
    },
  ],
  ["node selector", { "mcp.nodeSelector": { "kubernetes.io/os": "linux", "example.com/a": "", b: "C_d.e-f" } }],
  [
    "node affinity",
    {
      [`${node}.${required}`]: {
        nodeSelectorTerms: [
          { matchExpressions: nodeExpressions, matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] },
          {},
        ],
      },
      [`${node}.${preferred}`]: [
        { weight: 1, preference: { matchExpressions: nodeExpressions } },
        { weight: 100, preference: { matchExpressions: expressions } },
      ],
    },
  ],
  ["empty affinity", { "mcp.affinity": { nodeAffinity: {}, podAffinity: {}, podAntiAffinity: {} } }],
  ...["podAffinity", "podAntiAffinity"].map(
    (kind) =>
      [
        kind,
        {
          [`mcp.affinity.${kind}.${required}`]: [term, { topologyKey: "kubernetes.io/hostname", labelSelector: {} }],
          [`mcp.affinity.${kind}.${preferred}`]: [{ weight: 50, podAffinityTerm: term }],
        },
      ] as const,
  ),
  [
    "topology spread constraints",
    {
      "mcp.topologySpreadConstraints": [
        { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "ScheduleAnyway", labelSelector: {} },
        {
          ...{ maxSkew: 2 ** 31 - 1, topologyKey: "b", whenUnsatisfiable: "DoNotSchedule", minDomains: 2 },
          ...{ labelSelector: selector, nodeAffinityPolicy: "Ignore", nodeTaintsPolicy: "Honor" },
          matchLabelKeys: ["pod-template-hash"],
        },
      ],
    },
  ],
  ...Object.entries(volumes).map(
    ([source, value]) =>
      [
        `volume ${source}`,
        {
          "mcp.extraVolumes": [{ name: "extra", [source]: value }],
          "mcp.extraVolumeMounts": [{ name: "extra", mountPath: "/etc/extra", readOnly: true }],
        },
      ] as const,
  ),
  [
    "mounts",
    {
      "mcp.extraVolumes": [{ name: "extra", emptyDir: {} }],
      "mcp.extraVolumeMounts": [
        { name: "extra", mountPath: "/a b/ü", subPath: "c/d..e" },
        { name: "extra", mountPath: "/etc/ssl/certs/a.pem", subPath: ".a", readOnly: false },
        { name: "extra", mountPath: "/srv" },
      ],
    },
  ],
  [
    "labels and annotations",
    {
      "mcp.podLabels": { a: "", "example.com/B_c.d-e": "F_g.h-i", [`${"a".repeat(63)}`]: "v".repeat(63) },
      "mcp.podAnnotations": { a: "", "example.com/B": "any text: ü\n{}", "sidecar.istio.io/inject": "false" },
    },
  ],
  ...[
    [
      { cpu: "100m", memory: "384Mi" },
      { cpu: "1", memory: "0.5Gi" },
    ],
    [
      { cpu: ".5", memory: "500000k" },
      { cpu: "1.125", memory: "1G" },
    ],
    [
      { cpu: "0.5", memory: "1000000000" },
      { cpu: "1000", memory: "1Ti" },
    ],
  ].map(
    ([requests, limits]) => [`resources ${JSON.stringify(limits)}`, { "mcp.resources": { requests, limits } }] as const,
  ),
  [
    "peers",
    {
      [peers]: [
        { podSelector: {} },
        { podSelector: selector },
        { namespaceSelector: selector },
        { namespaceSelector: {}, podSelector: selector },
        { ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16", "10.2.3.4/32"] } },
        { ipBlock: { cidr: "fd00::/8", except: ["fd00:1::/64"] } },
        { ipBlock: { cidr: "192.0.2.1/32" } },
      ],
    },
  ],
  [
    "egress",
    {
      [egress]: [
        { to: [{ podSelector: {} }, { ipBlock: { cidr: "10.0.0.0/8" } }] },
        {
          to: [{ namespaceSelector: {} }],
          ports: [
            { port: 1 },
            { port: 65535, endPort: 65535, protocol: "UDP" },
            { port: 1024, endPort: 2048, protocol: "SCTP" },
            { port: "a-1b", protocol: "TCP" },
            { protocol: "TCP" },
          ],
        },
      ],
    },
  ],
  ["DNS", { "mcp.networkPolicy.dns": { peers: [{ podSelector: selector }], cidrs: ["10.0.0.10/32", "fd00::a/128"] } }],
  ["metrics", { "mcp.metrics": { enabled: true, port: 65535, peers: [{ namespaceSelector: selector }] } }],
  [
    "names",
    { "mcp.serviceName": "s".repeat(39), "mcp.priorityClassName": "a.b", "mcp.imagePullSecrets": ["a.b", "c"] },
  ],
  ["several replicas", { ...http, "mcp.replicas": 20, "mcp.listenAddress": "::" }],
];

describe.skipIf(binary === undefined)("accepted by the config and by the API server", () => {
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane({ issuerUrl: "https://issuer.example" });
    // A pod's admission needs its namespace, which enforces Pod Security, its service account and its priority class.
    const stack = objects(manifests(await changed("dev"), "dev-cluster"));
    const before = stack.filter(({ kind }) => ["Namespace", "ServiceAccount"].includes(kind));
    expect(before).toHaveLength(2);
    const priority = { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "a.b" }, value: 1 };
    const input = [...before, priority].map((object) => stringify(object)).join("---\n");
    expect(await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input })).toMatchObject({ code: 0 });
  });
  afterAll(() => cluster?.stop());

  test.each(accepted)("%s", async (_, changes) => {
    expect(await problemsOf(damaged(stackConfig("dev"), changes))).toEqual([]);
    const evaluation = await changed("dev", (config) => damaged(config, changes));
    const rendered: KubernetesObject[] = objects(manifests(evaluation, "dev-cluster"));
    const pods = rendered.flatMap(({ kind, metadata, spec }) =>
      kind === "Deployment"
        ? [
            {
              apiVersion: "v1",
              kind: "Pod",
              metadata: { ...metadata, ...spec.template.metadata },
              spec: spec.template.spec,
            },
          ]
        : [],
    );
    expect(pods).toHaveLength(1);
    const input = [...rendered, ...pods].map((object) => stringify(object)).join("---\n");
    const { code, stderr } = await cluster.kubectl(
      ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
      { input },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

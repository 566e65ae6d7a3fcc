import { doc, envValue, flag, integer, list, object, oneOf, secret, set, text, textMap } from "../fields.js";
import {
  affinity,
  cidr,
  networkPolicyEgressRule,
  networkPolicyPeer,
  toleration,
  topologySpreadConstraint,
  volume,
  volumeMount,
} from "../kubernetesFields.js";
import { rules } from "../limits.js";

const resources = object({
  requests: doc(
    object({
      cpu: doc(text(rules.quantity).default("100m"), "CPU that the scheduler sets aside.", "250m"),
      memory: doc(text(rules.memory).default("256Mi"), "Memory that the scheduler sets aside.", "256Mi"),
    }).prefault({}),
    "What the scheduler sets aside.",
    { cpu: "200m" },
  ),
  limits: doc(
    object({
      cpu: doc(text(rules.quantity).optional(), "CPU that the container may use. Default: no limit.", "1"),
      memory: doc(
        text(rules.memory).default("768Mi"),
        "Memory that the container may use; 50 clients at once peaked at 317 MiB.",
        "1Gi",
      ),
    }).prefault({}),
    "What the container may use.",
    { memory: "1Gi" },
  ),
});

const networkPolicy = object({
  enabled: doc(flag().default(true), "The only guard inside the cluster: neither transport authenticates.", false),
  additionalPeers: doc(
    list(networkPolicyPeer, "NetworkPolicyPeers").default([]),
    "More peers that may call the server, as in a NetworkPolicy.",
    [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "debug" } } }],
  ),
  egressPorts: doc(
    set(integer(1, 65535), "TCP ports").default([443]),
    "TCP ports that the pod can reach at any address that is not link-local (metadata). `[]`: none, for stacks that send all traffic through a proxy (`additionalEgress`).",
    [443, 3128],
  ),
  additionalEgress: doc(
    list(networkPolicyEgressRule, "NetworkPolicyEgressRules").default([]),
    "More egress rules, such as one to a proxy in the cluster, as in a NetworkPolicy.",
    [{ to: [{ ipBlock: { cidr: "10.0.0.0/16" } }], ports: [{ protocol: "TCP", port: 3128 }] }],
  ),
  dnsNamespace: doc(text(rules.dnsLabel).default("kube-system"), "Namespace of the cluster's DNS.", "kube-system"),
  dns: doc(
    object({
      peers: doc(list(networkPolicyPeer, "NetworkPolicyPeers").default([]), "Pods that serve DNS.", [
        { podSelector: { matchLabels: { "k8s-app": "node-local-dns" } } },
      ]),
      cidrs: doc(set(cidr(), "CIDR blocks").default([]), "Addresses that serve DNS.", ["172.20.0.10/32"]),
    }).prefault({}),
    "Where the cluster's DNS is when it is not a pod of `dnsNamespace`, for instance in EKS Auto Mode. Replaces `dnsNamespace`.",
    { cidrs: ["172.20.0.10/32"] },
  ),
});

const authentication = object({
  type: doc(
    oneOf("bearer", "none").optional(),
    "`bearer`: clients send a token that the stack creates. Default: `bearer` with `streamable-http`, `none` with `sse`.",
    "bearer",
  ),
  tokenVersion: doc(
    integer(1, 1_000_000).default(1),
    "Raise it by one to rotate the token. The token of the version before stays valid until the next rotation.",
    2,
  ),
  tokens: doc(
    list(secret(rules.bearerToken), "tokens")
      .min(1, { error: "one or two tokens" })
      .max(2, { error: "one or two tokens" })
      .optional(),
    "Tokens of your own, set as secrets, in place of the ones that the stack creates. Holmes gets the first; both are accepted.",
    ["example-token-of-32-characters-or-more"],
  ),
});

const metrics = object({
  enabled: doc(flag().default(false), "Whether the server serves Prometheus metrics.", true),
  port: doc(integer(1024, 65535).default(9090), "Port of the metrics.", 9464),
  peers: doc(list(networkPolicyPeer, "NetworkPolicyPeers").default([]), "Peers that may read the metrics.", [
    { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
  ]),
});

export const mcpSchema = object({
  enabled: doc(
    flag().default(true),
    "false: IAM only; the outputs then carry the values for Holmes' own chart.",
    false,
  ),
  transport: doc(
    oneOf("sse", "streamable-http").default("sse"),
    "How Holmes talks to the server: `sse` through Supergateway, or the server's native HTTP.",
    "streamable-http",
  ),
  serviceName: doc(
    text(rules.serviceName).default("holmes-aws-mcp"),
    "Name of Deployment and Service. Never `aws-api-mcp`: its service links stop the server.",
    "holmes-aws-mcp",
  ),
  listenAddress: doc(
    oneOf("0.0.0.0", "::").default("0.0.0.0"),
    "Addresses that the pod listens on; `::` in IPv6 clusters.",
    "::",
  ),
  replicas: doc(integer(1, 20).default(1), "Pods: 1 with `sse`, because a session lives in one process.", 2),
  resources: doc(resources.prefault({}), "Resources of the container.", { limits: { memory: "1Gi" } }),
  nodeSelector: doc(
    textMap(rules.labelKey, rules.labelValue).default({}),
    "Labels of the nodes to run on. Default for a built image: its architecture.",
    { "karpenter.sh/nodepool": "tools" },
  ),
  tolerations: doc(list(toleration, "Tolerations").default([]), "Tolerations of the pod.", [
    { key: "dedicated", operator: "Equal", value: "tools", effect: "NoSchedule" },
  ]),
  affinity: doc(affinity.optional(), "Affinity of the pod.", {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "topology.kubernetes.io/zone", operator: "In", values: ["us-east-1a"] }] },
        ],
      },
    },
  }),
  topologySpreadConstraints: doc(
    list(topologySpreadConstraint, "TopologySpreadConstraints").optional(),
    "Default with several replicas: spread over nodes where possible.",
    [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { app: "aws-api-mcp-server" } },
      },
    ],
  ),
  priorityClassName: doc(text(rules.dnsSubdomain).optional(), "Priority class of the pod.", "tools"),
  imagePullSecrets: doc(
    set(text(rules.dnsSubdomain), "names of Secrets").default([]),
    "Secrets for the registry, by name.",
    ["registry-credentials"],
  ),
  podLabels: doc(textMap(rules.labelKey, rules.labelValue).default({}), "More labels of the pod.", {
    team: "platform",
  }),
  podAnnotations: doc(textMap(rules.labelKey, envValue).default({}), "More annotations of the pod.", {
    "karpenter.sh/do-not-disrupt": "true",
  }),
  env: doc(
    textMap(rules.environmentName, envValue).default({}),
    "More environment, such as a proxy. When `mcp` holds a Pulumi secret, the values reach the pods through a Kubernetes Secret. What would break credentials or guards is refused.",
    { HTTPS_PROXY: "http://proxy.example.com:3128" },
  ),
  extraVolumes: doc(list(volume, "Volumes").default([]), "More volumes of the pod, such as a CA bundle.", [
    { name: "ca", configMap: { name: "company-ca" } },
  ]),
  extraVolumeMounts: doc(list(volumeMount, "VolumeMounts").default([]), "Their mounts.", [
    { name: "ca", mountPath: "/etc/company-ca", readOnly: true },
  ]),
  denyList: doc(
    set(
      text({
        pattern: /^aws [a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$/,
        expected: 'a command without options, such as "aws secretsmanager get-secret-value"',
      }),
      "AWS CLI commands",
    ).default([]),
    "Commands that the server refuses, in addition to IAM.",
    ["aws logs start-query"],
  ),
  suggestCommands: doc(
    flag().default(false),
    "Whether `suggest_aws_commands` may send users' texts to AWS's endpoint.",
    true,
  ),
  concurrency: doc(integer(1, 64).default(16), "Calls that one pod runs side by side.", 32),
  callTimeoutSeconds: doc(
    integer(5, 115, " of seconds").default(100),
    "Deadline of one call, in seconds; below the 120 s that Holmes waits.",
    60,
  ),
  maxAnswerBytes: doc(
    integer(10_000, 10_000_000, " of bytes").default(1_000_000),
    "Largest answer to one call, in bytes. A larger one is an error that says how to narrow the question.",
    200_000,
  ),
  allowedEndpoints: doc(
    set(text(rules.hostName), "host names").default([]),
    "Hosts that the server may call besides AWS's own endpoints, such as VPC endpoints with private names.",
    ["ec2.internal.example.com"],
  ),
  authentication: doc(authentication.prefault({}), "How clients authenticate to the server.", { type: "bearer" }),
  metrics: doc(metrics.prefault({}), "Prometheus metrics of the calls.", { enabled: true }),
  networkPolicy: doc(networkPolicy.prefault({}), "Who may call the server, and what it may call.", {
    egressPorts: [443, 3128],
  }),
});

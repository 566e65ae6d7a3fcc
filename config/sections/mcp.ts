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
      cpu: doc(text(rules.quantity).default("100m"), "CPU request.", "250m"),
      memory: doc(text(rules.memory).default("256Mi"), "Memory request.", "256Mi"),
    }).prefault({}),
    "Resource requests of the container.",
    { cpu: "200m" },
  ),
  limits: doc(
    object({
      cpu: doc(text(rules.quantity).optional(), "CPU limit. Default: no limit.", "1"),
      memory: doc(
        text(rules.memory).default("768Mi"),
        "Memory limit. The server used up to 317 MiB with 50 concurrent clients.",
        "1Gi",
      ),
    }).prefault({}),
    "Resource limits of the container.",
    { memory: "1Gi" },
  ),
});

const networkPolicy = object({
  enabled: doc(
    flag().default(true),
    "Whether to create the NetworkPolicy. With `authentication.type: none`, it is the only protection of the server inside the cluster.",
    false,
  ),
  additionalPeers: doc(
    list(networkPolicyPeer, "NetworkPolicyPeers").default([]),
    "Additional peers that can call the server, as in a NetworkPolicy.",
    [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "debug" } } }],
  ),
  egressPorts: doc(
    set(integer(1, 65535), "TCP ports").default([443]),
    "TCP ports that the pod can reach at any address except link-local (metadata) addresses. Set `[]` if a proxy handles all traffic (`additionalEgress`).",
    [443, 3128],
  ),
  additionalEgress: doc(
    list(networkPolicyEgressRule, "NetworkPolicyEgressRules").default([]),
    "Additional egress rules, as in a NetworkPolicy. For example, a rule for a proxy in the cluster.",
    [{ to: [{ ipBlock: { cidr: "10.0.0.0/16" } }], ports: [{ protocol: "TCP", port: 3128 }] }],
  ),
  dnsNamespace: doc(text(rules.dnsLabel).default("kube-system"), "Namespace of the cluster's DNS pods.", "kube-system"),
  dns: doc(
    object({
      peers: doc(list(networkPolicyPeer, "NetworkPolicyPeers").default([]), "Pods that serve DNS.", [
        { podSelector: { matchLabels: { "k8s-app": "node-local-dns" } } },
      ]),
      cidrs: doc(set(cidr(), "CIDR blocks").default([]), "Addresses that serve DNS.", ["172.20.0.10/32"]),
    }).prefault({}),
    "DNS servers of the cluster, if they are not pods in `dnsNamespace`, for example in EKS Auto Mode. Overrides `dnsNamespace`.",
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
    "Version of the token. Increase it by one to rotate the token. The previous token stays valid until the next rotation.",
    2,
  ),
  tokens: doc(
    list(secret(rules.bearerToken), "tokens")
      .min(1, { error: "one or two tokens" })
      .max(2, { error: "one or two tokens" })
      .optional(),
    "Your own tokens, set as secrets, instead of the tokens that the stack creates. Holmes uses the first token. The server accepts both.",
    ["example-token-of-32-characters-or-more"],
  ),
});

const metrics = object({
  enabled: doc(flag().default(false), "Whether the server exposes Prometheus metrics.", true),
  port: doc(integer(1024, 65535).default(9090), "Port of the metrics endpoint.", 9464),
  peers: doc(list(networkPolicyPeer, "NetworkPolicyPeers").default([]), "Peers that can read the metrics.", [
    { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
  ]),
});

export const mcpSchema = object({
  enabled: doc(
    flag().default(true),
    "Whether to deploy the MCP server. With `false`, the stack creates only IAM resources, and its outputs contain the values for the Helm chart of Holmes.",
    false,
  ),
  transport: doc(
    oneOf("sse", "streamable-http").default("sse"),
    "MCP transport: `sse` through Supergateway, or the server's native streamable HTTP.",
    "streamable-http",
  ),
  serviceName: doc(
    text(rules.serviceName).default("holmes-aws-mcp"),
    "Name of the Deployment and the Service. `aws-api-mcp` is rejected, because the environment variables of its service links make the server fail.",
    "holmes-aws-mcp",
  ),
  listenAddress: doc(
    oneOf("0.0.0.0", "::").default("0.0.0.0"),
    "Address that the pod listens on. Use `::` in IPv6 clusters.",
    "::",
  ),
  replicas: doc(
    integer(1, 20).default(1),
    "Number of pods. Must be 1 with `sse`, because each session exists in a single process.",
    2,
  ),
  resources: doc(resources.prefault({}), "Resources of the container.", { limits: { memory: "1Gi" } }),
  nodeSelector: doc(
    textMap(rules.labelKey, rules.labelValue).default({}),
    "Node selector of the pod. Default for a built image: the architecture of the image.",
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
    "Topology spread constraints of the pod. Default with several replicas: spread across nodes if possible.",
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
    "Names of the Secrets with registry credentials.",
    ["registry-credentials"],
  ),
  podLabels: doc(textMap(rules.labelKey, rules.labelValue).default({}), "Additional labels of the pod.", {
    team: "platform",
  }),
  podAnnotations: doc(textMap(rules.labelKey, envValue).default({}), "Additional annotations of the pod.", {
    "karpenter.sh/do-not-disrupt": "true",
  }),
  env: doc(
    textMap(rules.environmentName, envValue).default({}),
    "Additional environment variables, such as proxy settings. If `mcp` contains a Pulumi secret, the pods read the values from a Kubernetes Secret. Variables that affect credentials or protections are rejected.",
    { HTTPS_PROXY: "http://proxy.example.com:3128" },
  ),
  extraVolumes: doc(list(volume, "Volumes").default([]), "Additional volumes of the pod, such as a CA bundle.", [
    { name: "ca", configMap: { name: "company-ca" } },
  ]),
  extraVolumeMounts: doc(list(volumeMount, "VolumeMounts").default([]), "Mounts of the additional volumes.", [
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
    "AWS CLI commands that the server rejects, in addition to the restrictions in IAM.",
    ["aws logs start-query"],
  ),
  suggestCommands: doc(
    flag().default(false),
    "Whether the tool `suggest_aws_commands` can send user input to its AWS endpoint.",
    true,
  ),
  concurrency: doc(integer(1, 64).default(16), "Maximum number of concurrent calls in one pod.", 32),
  callTimeoutSeconds: doc(
    integer(5, 115, " of seconds").default(100),
    "Timeout of a call, in seconds. Must be less than the 120 s timeout of Holmes.",
    60,
  ),
  maxAnswerBytes: doc(
    integer(10_000, 10_000_000, " of bytes").default(1_000_000),
    "Maximum size of a response, in bytes. For a larger response, the server returns an error that explains how to narrow the request.",
    200_000,
  ),
  allowedEndpoints: doc(
    set(text(rules.hostName), "host names").default([]),
    "Hosts that the server can call in addition to the AWS endpoints, such as VPC endpoints with private names.",
    ["ec2.internal.example.com"],
  ),
  authentication: doc(authentication.prefault({}), "How clients authenticate to the server.", { type: "bearer" }),
  metrics: doc(metrics.prefault({}), "Prometheus metrics of the calls.", { enabled: true }),
  networkPolicy: doc(networkPolicy.prefault({}), "Network access to and from the server.", {
    egressPorts: [443, 3128],
  }),
});

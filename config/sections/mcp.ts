import { optional } from "zod";
import { choice, flag, integer, list, oneOf, secret, section, set, text, textMap } from "../fields.js";
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
import { port } from "../names.js";

const resources = section({
  requests: section({
    cpu: text(rules.quantity, "250m").default("100m").describe("CPU request."),
    memory: text(rules.memory).default("256Mi").describe("Memory request."),
  }).describe("Resource requests of the container."),
  limits: section({
    cpu: optional(text(rules.quantity, "1")).describe("CPU limit. Default: no limit."),
    memory: text(rules.memory, "1Gi")
      .default("768Mi")
      .describe("Memory limit. The server used up to 317 MiB with 50 concurrent clients."),
  }).describe("Resource limits of the container."),
});

const networkPolicy = section({
  enabled: flag(true).describe(
    "Whether to create the NetworkPolicy. With `authentication.type: none`, it is the only protection of the server inside the cluster.",
  ),
  additionalPeers: list(networkPolicyPeer, "NetworkPolicyPeers")
    .default([])
    .describe("Additional peers that can call the server, as in a NetworkPolicy."),
  egressPorts: set(integer(1, 65535), "TCP ports", [443, 3128])
    .default([443])
    .describe(
      "TCP ports that the pod can reach at any address except link-local (metadata) addresses. Set `[]` if a proxy handles all traffic (`additionalEgress`).",
    ),
  additionalEgress: list(networkPolicyEgressRule, "NetworkPolicyEgressRules", [
    { to: [{ ipBlock: { cidr: "10.0.0.0/16" } }], ports: [{ protocol: "TCP", port: 3128 }] },
  ])
    .default([])
    .describe("Additional egress rules, as in a NetworkPolicy. For example, a rule for a proxy in the cluster."),
  dnsNamespace: text(rules.dnsLabel).default("kube-system").describe("Namespace of the cluster's DNS pods."),
  dns: section({
    peers: list(networkPolicyPeer, "NetworkPolicyPeers", [
      { podSelector: { matchLabels: { "k8s-app": "node-local-dns" } } },
    ])
      .default([])
      .describe("Pods that serve DNS."),
    cidrs: set(cidr(), "CIDR blocks", ["172.20.0.10/32"]).default([]).describe("Addresses that serve DNS."),
  }).describe(
    "DNS servers of the cluster, if they are not pods in `dnsNamespace`, for example in EKS Auto Mode. Overrides `dnsNamespace`.",
  ),
});

const authentication = section({
  type: optional(oneOf("bearer", "none")).describe(
    "`bearer`: clients send a token that the stack creates. Default: `bearer` with `streamable-http`, `none` with `sse`.",
  ),
  tokenVersion: integer(1, 1_000_000)
    .default(1)
    .describe(
      "Version of the token. Increase it by one to rotate the token. The previous token stays valid until the next rotation.",
    ),
  tokens: optional(
    list(secret(rules.bearerToken, "example-token-of-32-characters-or-more"), "tokens")
      .min(1, { error: "one or two tokens" })
      .max(2, { error: "one or two tokens" }),
  ).describe(
    "Your own tokens, set as secrets, instead of the tokens that the stack creates. Holmes uses the first token. The server accepts both.",
  ),
});

const metrics = section({
  enabled: flag(false).describe("Whether the server exposes Prometheus metrics."),
  port: integer(1024, 65535)
    .refine((value) => value !== port, { error: "a port that the server does not use" })
    .meta({ example: 9464 })
    .default(9090)
    .describe(`Port of the metrics endpoint. Must not be the port of the server, ${port}.`),
  peers: list(networkPolicyPeer, "NetworkPolicyPeers").default([]).describe("Peers that can read the metrics."),
});

export const mcpSchema = section({
  enabled: flag(true).describe(
    "Whether to deploy the MCP server. With `false`, the stack creates only IAM resources, and its outputs contain the values for the Helm chart of Holmes.",
  ),
  transport: choice("sse", "streamable-http").describe(
    "MCP transport: `sse` through Supergateway, or the server's native streamable HTTP.",
  ),
  serviceName: text(rules.serviceName)
    .refine((name) => name !== "aws-api-mcp", {
      error: "a different name, because Kubernetes sets AWS_API_MCP_PORT=tcp://…, with which the server does not start",
    })
    .default("holmes-aws-mcp")
    .describe("Name of the Deployment and the Service. Not `aws-api-mcp`, whose service links make the server fail."),
  listenAddress: choice("0.0.0.0", "::").describe("Address that the pod listens on. Use `::` in IPv6 clusters."),
  replicas: integer(1, 20)
    .default(1)
    .describe("Number of pods. Must be 1 with `sse`, because each session exists in a single process."),
  resources: resources.describe("Resources of the container."),
  nodeSelector: textMap(rules.labelKey, rules.labelValue, { "karpenter.sh/nodepool": "tools" })
    .default({})
    .describe("Node selector of the pod. Default for a built image: the architecture of the image."),
  tolerations: list(toleration, "Tolerations", [
    { key: "dedicated", operator: "Equal", value: "tools", effect: "NoSchedule" },
  ])
    .default([])
    .describe("Tolerations of the pod."),
  affinity: optional(
    affinity.meta({
      example: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: "topology.kubernetes.io/zone", operator: "In", values: ["us-east-1a"] }] },
            ],
          },
        },
      },
    }),
  ).describe("Affinity of the pod."),
  topologySpreadConstraints: optional(
    list(topologySpreadConstraint, "TopologySpreadConstraints", [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { app: "aws-api-mcp-server" } },
      },
    ]),
  ).describe("Topology spread constraints of the pod. Default with several replicas: spread across nodes if possible."),
  priorityClassName: optional(text(rules.dnsSubdomain, "tools")).describe("Priority class of the pod."),
  imagePullSecrets: set(text(rules.dnsSubdomain, "registry-credentials"), "names of Secrets")
    .default([])
    .describe("Names of the Secrets with registry credentials."),
  podLabels: textMap(rules.labelKey, rules.labelValue, { team: "platform" })
    .default({})
    .describe("Additional labels of the pod."),
  podAnnotations: textMap(rules.labelKey, rules.anyText, { "karpenter.sh/do-not-disrupt": "true" })
    .default({})
    .describe("Additional annotations of the pod."),
  env: textMap(rules.environmentName, rules.anyText, { HTTPS_PROXY: "http://proxy.example.com:3128" })
    .default({})
    .describe(
      "Additional environment variables, such as proxy settings. If `mcp` contains a Pulumi secret, the pods read the values from a Kubernetes Secret. Variables that affect credentials or protections are rejected.",
    ),
  extraVolumes: list(volume, "Volumes", [{ name: "ca", configMap: { name: "company-ca" } }])
    .default([])
    .describe("Additional volumes of the pod, such as a CA bundle."),
  extraVolumeMounts: list(volumeMount, "VolumeMounts", [{ name: "ca", mountPath: "/etc/company-ca", readOnly: true }])
    .default([])
    .describe("Mounts of the additional volumes."),
  denyList: set(text(rules.awsCommand, "aws logs start-query"), "AWS CLI commands")
    .default([])
    .describe("AWS CLI commands that the server rejects, in addition to the restrictions in IAM."),
  suggestCommands: flag(false).describe(
    "Whether the tool `suggest_aws_commands` can send user input to its AWS endpoint.",
  ),
  concurrency: integer(1, 64).default(16).describe("Maximum number of concurrent calls in one pod."),
  callTimeoutSeconds: integer(5, 115, " of seconds")
    .meta({ example: 60 })
    .default(100)
    .describe("Timeout of a call, in seconds. Must be less than the 120 s timeout of Holmes."),
  maxAnswerBytes: integer(10_000, 10_000_000, " of bytes")
    .default(1_000_000)
    .describe(
      "Maximum size of a response, in bytes. For a larger response, the server returns an error that explains how to narrow the request.",
    ),
  allowedEndpoints: set(text(rules.hostName, "ec2.internal.example.com"), "host names")
    .default([])
    .describe("Additional hosts that the server can call, such as VPC endpoints with private names."),
  authentication: authentication.describe("How clients authenticate to the server."),
  metrics: metrics.describe("Prometheus metrics of the calls."),
  networkPolicy: networkPolicy.describe("Network access to and from the server."),
});

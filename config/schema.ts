/**
 * The shape of the stack config: every key with its type, limits, default, meaning and an example.
 * The reader (load.ts) parses with it, docs/config.md is generated from it.
 */
import { z } from "zod";
import { limits, rules, type TextRule } from "./limits.js";

/** Gives a key its line in docs/config.md. */
const doc = <T extends z.ZodType>(schema: T, description: string, example: z.input<T>): T =>
  schema.meta({ description, examples: [example] }) as T;

const text = ({ pattern, expected }: TextRule) => z.string({ error: expected }).regex(pattern, { error: expected });

const flag = () => z.boolean({ error: "true or false" });

const integer = (min: number, max: number, unit = "") => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
};

const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

const list = <T extends z.ZodType>(item: T, of: string) => z.array(item, { error: `a list of ${of}` });

/** A list without repetitions: AWS and Kubernetes drop or refuse them. */
const set = <T extends z.ZodType<string | number>>(item: T, of: string) =>
  list(item, of).superRefine((values, context) => {
    for (const [index, value] of values.entries()) {
      if (values.indexOf(value) === index) continue;
      context.addIssue({ code: "custom", path: [index], message: "each entry once", input: value });
    }
  });

const object = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: `an object with ${Object.keys(shape).join(", ")}` });

const keyed = <T extends z.ZodType>(key: TextRule, value: T, of: string) =>
  z.record(
    z.string().superRefine((name, context) => {
      if (!key.pattern.test(name)) context.addIssue({ code: "custom", message: key.expected, input: name });
    }),
    value,
    { error: `a map of ${key.expected}, to ${of}` },
  );

const textMap = (key: TextRule, value: TextRule) => keyed(key, text(value), value.expected);

const line: TextRule = {
  pattern: /^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u,
  expected: "a text of one line that is not empty",
};
/**
 * A text that may be a Pulumi secret: `npm run plan` and the like read a stack without decrypting it, and put
 * `[secret]` and a line break in its place (scripts/common/stackFile.ts).
 */
const secret = ({ pattern, ...rule }: TextRule) =>
  text({ ...rule, pattern: new RegExp(`${pattern.source}|^\\[secret\\]\\n$`, pattern.flags) });

const envValue: TextRule = { pattern: /^[^\0]*$/, expected: "a text" };
const filePath: TextRule = { pattern: line.pattern, expected: "the path of a file, relative to the project's folder" };

/** A part of a Kubernetes object that is handed on as it is: the API server checks it at preview (server-side dry run). */
const kubernetesObject = (kind: string) =>
  z
    .record(z.string(), z.json({ error: `a Kubernetes ${kind}` }), { error: `a Kubernetes ${kind}` })
    .refine((value) => Object.keys(value).length > 0, { error: `a Kubernetes ${kind} that is not empty` });

const labelSelector = z.strictObject(
  {
    matchLabels: textMap(rules.labelKey, rules.labelValue).optional(),
    matchExpressions: list(
      object({
        key: text(rules.labelKey),
        operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"),
        values: list(text(rules.labelValue), "label values").optional(),
      }),
      "label expressions",
    ).optional(),
  },
  { error: "a label selector with matchLabels or matchExpressions" },
);

const networkPolicyPeer = z
  .strictObject(
    {
      podSelector: labelSelector.optional(),
      namespaceSelector: labelSelector.optional(),
      ipBlock: object({ cidr: text(rules.cidr), except: set(text(rules.cidr), "CIDR blocks").optional() }).optional(),
    },
    { error: "a NetworkPolicyPeer with podSelector, namespaceSelector or ipBlock" },
  )
  .refine(
    ({ podSelector, namespaceSelector, ipBlock }) =>
      (ipBlock === undefined) !== (podSelector === undefined && namespaceSelector === undefined),
    { error: "a NetworkPolicyPeer with either podSelector and namespaceSelector (one or both) or ipBlock" },
  );

const networkPolicyEgressRule = z.strictObject(
  {
    to: list(networkPolicyPeer, "NetworkPolicyPeers").min(1, {
      error: "at least one peer: none would mean everywhere",
    }),
    ports: list(
      object({
        protocol: oneOf("TCP", "UDP", "SCTP").optional(),
        port: z.union([integer(1, 65535), text(rules.portName)], { error: "a port's number or name" }).optional(),
        endPort: integer(1, 65535).optional(),
      }),
      "NetworkPolicyPorts",
    ).optional(),
  },
  { error: "a NetworkPolicyEgressRule with to, ports" },
);

const toleration = object({
  key: text(rules.labelKey).optional(),
  operator: oneOf("Exists", "Equal").optional(),
  value: text(rules.labelValue).optional(),
  effect: oneOf("NoSchedule", "PreferNoSchedule", "NoExecute").optional(),
  tolerationSeconds: integer(0, 2 ** 31 - 1, " of seconds").optional(),
});

const volumeMount = object({
  name: text(rules.dnsLabel),
  mountPath: text(rules.mountPath),
  subPath: text(line).optional(),
  readOnly: flag().optional(),
});

const cluster = object({
  name: doc(text(rules.clusterName), "Name of the cluster in this stack.", "prod-us-east-1"),
  eksName: doc(
    text(rules.clusterName).optional(),
    "Name of the cluster in EKS, where it is another: two regions may have clusters of one name. Default: `name`.",
    "prod",
  ),
  previousName: doc(
    text(rules.clusterName).optional(),
    "The name that this cluster had in the stack before it was renamed, so that its resources are kept.",
    "production",
  ),
  region: doc(text(rules.region), "Region of the cluster.", "us-east-1"),
  accountId: doc(text(rules.accountId), "Account of the cluster, in quotes.", "111111111111"),
  oidcIssuerId: doc(
    text(rules.oidcIssuerId).optional(),
    "Last part of the issuer URL. This or `oidcIssuerUrl`; both must agree; neither: looked up from EKS with `profile`.",
    "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  oidcIssuerUrl: doc(
    text(rules.oidcIssuerUrl).optional(),
    "The whole issuer URL; the way to name a self-hosted issuer.",
    "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  previousIssuers: doc(
    set(text(rules.oidcIssuerUrl), "issuer URLs").default([]),
    "Issuer URLs that are trusted as well, while a re-created cluster takes over. Empty it afterwards.",
    ["https://oidc.eks.us-east-1.amazonaws.com/id/9F8E7D6C5B4A39281706F5E4D3C2B1A0"],
  ),
  profile: doc(
    text(rules.profile).optional(),
    "AWS profile of the cluster's account, for look-ups from EKS and for the kubeconfig made from them.",
    "clusters",
  ),
  kubeconfig: doc(
    z
      .string({ error: "the path of a kubeconfig file, or its content as a text" })
      .regex(/\S/, { error: "the path of a kubeconfig file, or its content as a text" })
      .optional(),
    "Path of a kubeconfig file, or its content (set that as a secret when a credential is in it). Neither this nor `context`: made from EKS with an exec credential.",
    "~/.kube/prod",
  ),
  context: doc(
    text(line).optional(),
    "Context of the kubeconfig; alone, of the kubeconfig that kubectl would use.",
    "prod-us-east-1",
  ),
  deploy: doc(
    flag().default(true),
    "Whether the MCP server is deployed to this cluster; false: it is only trusted.",
    false,
  ),
  roleNumber: doc(
    integer(1, 20).optional(),
    "Pins the cluster to a numbered role where the clusters need several (docs/limits.md). Default: filled in the order of the list.",
    2,
  ),
});

const kubernetes = object({
  namespace: doc(
    text(rules.dnsLabel).default("holmes-aws-mcp"),
    "Namespace of the MCP server, the same in every cluster.",
    "holmes-aws-mcp",
  ),
  createNamespace: doc(
    flag().default(true),
    "Whether the program makes the namespace, with Pod Security `restricted` enforced; false: it is there already.",
    false,
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("aws-api-mcp-sa"),
    "Service account of the MCP server: the one that the roles trust.",
    "multi-account-mcp-sa",
  ),
  createServiceAccount: doc(
    flag().default(true),
    "Whether the program makes the service account; false: it is there already.",
    false,
  ),
  additionalSubjects: doc(
    list(text(rules.subject), "namespace:serviceAccount").default([]),
    "More `namespace:serviceAccount` pairs that the roles trust, such as Holmes' own.",
    ["robusta:robusta-holmes-service-account"],
  ),
});

const iam = object({
  roleName: doc(
    text(rules.roleName).default("EKSMultiAccountMCPRole"),
    "Name of the role in every target account; further roles get `-2`, `-3`.",
    "EKSMultiAccountMCPRole",
  ),
  policyName: doc(
    text(rules.policyName).default("MCPReadOnlyPolicy"),
    "Name of the permission policy; further policies get `-2`, `-3`.",
    "MCPReadOnlyPolicy",
  ),
  sessionDuration: doc(
    integer(limits.sessionDuration.min, limits.sessionDuration.max, " of seconds").default(3600),
    "Longest session that the role allows, in seconds. The MCP server's own sessions always last 3600 s and are renewed by the SDK.",
    7200,
  ),
  path: doc(text(rules.path).default("/"), "IAM path of role and policies.", "/holmes/"),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "Managed policy that bounds the role: its name (with path) in each account, or an ARN.",
    "holmes/ReadOnlyBoundary",
  ),
  tags: doc(
    textMap(rules.tagKey, rules.tagValue).default({}),
    `Tags of every AWS resource that the program makes: at most ${limits.tags}.`,
    { team: "platform" },
  ),
  trustPolicyLimit: doc(
    integer(256, limits.trustPolicy.max, " of characters").default(limits.trustPolicy.default),
    "Characters that are not white space that a trust policy may have: IAM's quota in your accounts.",
    4096,
  ),
  sensitiveReads: doc(
    oneOf("deny", "allow").default("deny"),
    "`deny`: an explicit Deny on what hands out credentials or returns secrets or customers' data. `allow`: the breadth of the old policy.",
    "deny",
  ),
  sensitiveReadsExcept: doc(
    set(text(rules.iamAction), "denied actions").default([]),
    "Denied actions to leave open all the same, one by one, as docs/permissions.md writes them.",
    ["ecs:Describe*TaskDefinition"],
  ),
  logContents: doc(
    oneOf("allow", "deny").default("allow"),
    "Whether the contents of logs can be read. `deny` adds an explicit Deny; log groups and streams can still be listed.",
    "deny",
  ),
  dataPerimeter: doc(
    flag().default(true),
    "Whether calls that read data from resources in other accounts are denied.",
    false,
  ),
  exclusivePolicies: doc(
    flag().default(false),
    "Whether policies that were added to the role outside this stack are removed at the next `up`.",
    true,
  ),
  disabledPolicyGroups: doc(
    set(text(line), "names of service groups").default([]),
    "Service groups of the default policy to leave out (docs/permissions.md lists them).",
    ["cost"],
  ),
  additionalActions: doc(
    set(text(rules.iamAction), "IAM actions").default([]),
    "More actions to allow; held to the same checks as the default.",
    ["kendra:DescribeIndex"],
  ),
  allowedRegions: doc(
    set(text(rules.region), "regions").default([]),
    "Regions that may be read; global services are exempt. Default: all.",
    ["us-east-1", "eu-west-1"],
  ),
  policyFile: doc(
    text(filePath).optional(),
    "JSON file with a permission policy of your own, in place of the default.",
    "policies.prod.json",
  ),
  policyChecks: doc(
    oneOf("error", "warn").default("error"),
    "What a finding in a policy of your own (writes, secrets, patterns that match nothing) is. A file that is no permission policy is always an error.",
    "warn",
  ),
  allowWritePermissions: doc(
    flag().default(false),
    "Accepts a `policyFile` that allows write actions on every resource. Only for a stack that must have one.",
    true,
  ),
  retainOidcProviders: doc(
    flag().default(false),
    "Whether OIDC providers stay at destroy. Default: those that the stack made are removed.",
    true,
  ),
});

const assumeRole = object({
  roleArn: doc(
    text(rules.roleArn),
    "Role in the target account that provisions.",
    "arn:aws:iam::111111111111:role/Provisioner",
  ),
  externalId: doc(
    secret(rules.externalId).optional(),
    "External id that the role's trust policy asks for.",
    "holmes-aws-mcp",
  ),
  sourceProfile: doc(
    text(rules.profile).optional(),
    "AWS profile that assumes the role. Default: the SDK's default credentials.",
    "management",
  ),
});

const adoption = object({
  oidcProviders: doc(
    z
      .union([flag(), set(text(rules.clusterName), "cluster names")], {
        error: "true, false or a list of cluster names",
      })
      .default(false),
    "Providers to take over: all, or those of the named clusters.",
    ["prod-us-east-1"],
  ),
  role: doc(flag().default(false), "Whether the role is taken over.", true),
  policy: doc(flag().default(false), "Whether the inline policy is taken over.", true),
});

const targetAccount = object({
  profile: doc(
    text(rules.profile),
    "Name of the account for Holmes (`--profile`), and the AWS profile that provisions it.",
    "prod",
  ),
  previousProfile: doc(
    text(rules.profile).optional(),
    "The profile that this account had in the stack before it was renamed, so that its resources are kept.",
    "production",
  ),
  accountId: doc(
    text(rules.accountId),
    "Account id, in quotes. The provider rejects any other account.",
    "111111111111",
  ),
  description: doc(
    text(rules.description).default(""),
    "What Holmes is told about the account; also the role's description.",
    "Production: workloads and databases",
  ),
  region: doc(
    text(rules.region).optional(),
    "Default region of the profile. Default: the first cluster's region.",
    "eu-west-1",
  ),
  clusters: doc(
    set(text(rules.clusterName), "cluster names").min(1, { error: "at least one cluster" }).optional(),
    "Clusters that the account trusts. Default: all.",
    ["prod-us-east-1"],
  ),
  assumeRole: doc(assumeRole.optional(), "Role to assume for provisioning, in place of the profile.", {
    roleArn: "arn:aws:iam::111111111111:role/Provisioner",
  }),
  existingOidcProviders: doc(
    set(text(rules.clusterName), "cluster names").default([]),
    "Clusters whose OIDC provider the account has already: used, never changed, never deleted.",
    ["prod-us-east-1"],
  ),
  adopt: doc(
    z.union([flag(), adoption], { error: "true, false or an object with oidcProviders, role, policy" }).default(false),
    "Takes over what the old shell script made: all of it, or the named parts. It can stay in the file until a cluster is added: its provider is not there to take over, so name the parts then.",
    true,
  ),
  manage: doc(
    flag().default(true),
    "false: the role is made elsewhere (another stack, a StackSet); its ARN follows from the names.",
    false,
  ),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "In place of `iam.permissionsBoundary` for this account.",
    "ReadOnlyBoundary",
  ),
  policyFile: doc(text(filePath).optional(), "In place of `iam.policyFile` for this account.", "policies.billing.json"),
});

const ecr = object({
  profile: doc(
    text(rules.profile),
    "Profile of the account that holds the repository: of a managed target account or of a cluster.",
    "dev",
  ),
  region: doc(
    text(rules.region).optional(),
    "Region of the repository. Default: that of the account or cluster.",
    "us-east-1",
  ),
  create: doc(
    flag().default(true),
    "Whether the program makes the repository (scan on push, immutable tags, lifecycle policy).",
    false,
  ),
  keepImages: doc(integer(1, 1000).default(20), "Images that the lifecycle policy keeps.", 50),
  forceDelete: doc(
    flag().default(false),
    "Whether destroy removes the repository with the images in it. Default: destroy stops there, because another stack may run one of them.",
    true,
  ),
  pullAccounts: doc(
    set(text(rules.accountId), "account ids").default([]),
    "Accounts that may pull, such as those of other clusters.",
    ["333333333333"],
  ),
});

const registry = object({
  server: doc(text(rules.registryHost).optional(), "Registry host. Default: that of the repository.", "ghcr.io"),
  username: doc(secret(line), "User name.", "robot"),
  password: doc(
    secret(line),
    "Password or token: `pulumi config set --path --secret 'image.build.registry.password'`.",
    "…",
  ),
});

const build = object({
  repository: doc(
    text(rules.repository),
    "Repository to push to, with its registry; with `ecr`, the name of the repository alone.",
    "ghcr.io/example/aws-api-mcp-server",
  ),
  tag: doc(
    text(rules.tag).optional(),
    "Image tag. Default: a hash of the folder image/, so that a changed image never meets an immutable tag.",
    "1.2.0",
  ),
  platform: doc(
    oneOf("linux/amd64", "linux/arm64").default("linux/amd64"),
    "Platform of the nodes that run the pod.",
    "linux/arm64",
  ),
  baseImage: doc(
    text(rules.imageReference).optional(),
    "Base image, for instance in a mirror. Default: the one in image/Dockerfile.",
    "mirror.example.com/supercorp/supergateway:4.0.0",
  ),
  network: doc(text(line).optional(), "Docker network of the build's RUN instructions.", "host"),
  args: doc(textMap(rules.environmentName, envValue).default({}), "Build arguments.", {
    HTTPS_PROXY: "http://proxy.example.com:3128",
  }),
  ecr: doc(ecr.optional(), "For a repository in ECR; the credentials come from the provider.", { profile: "dev" }),
  registry: doc(registry.optional(), "Credentials of any other registry. Default: those of the Docker client.", {
    username: "robot",
    password: "…",
  }),
});

const imageVerification = object({
  repository: doc(
    text(rules.githubRepository),
    "GitHub repository whose workflow signed the image.",
    "example/holmes-aws-mcp",
  ),
  key: doc(text(filePath).optional(), "Public key file. Default: keyless signature of the workflow.", "cosign.pub"),
});

const image = object({
  prebuilt: doc(
    text(rules.imageReference).optional(),
    "Reference of an image to deploy; a digest is best.",
    `111111111111.dkr.ecr.us-east-1.amazonaws.com/holmes/aws-api-mcp-server@sha256:${"0f1e2d3c4b5a6978".repeat(4)}`,
  ),
  build: doc(build.optional(), "Builds the folder image/ and pushes it; needs a Docker engine, for preview as well.", {
    repository: "ghcr.io/example/aws-api-mcp-server",
  }),
  verify: doc(
    imageVerification.optional(),
    "Verifies the signature of the `prebuilt` digest with cosign at `up`, before anything is deployed.",
    { repository: "example/holmes-aws-mcp" },
  ),
});

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
      cidrs: doc(set(text(rules.cidr), "CIDR blocks").default([]), "Addresses that serve DNS.", ["172.20.0.10/32"]),
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

const mcp = object({
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
  affinity: doc(
    object({
      nodeAffinity: kubernetesObject("NodeAffinity").optional(),
      podAffinity: kubernetesObject("PodAffinity").optional(),
      podAntiAffinity: kubernetesObject("PodAntiAffinity").optional(),
    }).optional(),
    "Affinity of the pod.",
    {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "topology.kubernetes.io/zone", operator: "In", values: ["us-east-1a"] }] },
          ],
        },
      },
    },
  ),
  topologySpreadConstraints: doc(
    list(kubernetesObject("TopologySpreadConstraint"), "TopologySpreadConstraints").optional(),
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
    "More environment, such as a proxy. What would break credentials or guards is refused.",
    { HTTPS_PROXY: "http://proxy.example.com:3128" },
  ),
  extraVolumes: doc(
    list(kubernetesObject("Volume"), "Volumes").default([]),
    "More volumes of the pod, such as a CA bundle.",
    [{ name: "ca", configMap: { name: "company-ca" } }],
  ),
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

/** Regions with an endpoint of the hosted AWS MCP server (AWS General Reference, autumn 2026). */
const hostedRegions = [
  ...(["us-east-1", "us-west-2", "ap-southeast-1", "ap-southeast-2"] as const),
  ...(["ap-northeast-1", "eu-central-1", "eu-west-1", "eu-west-2"] as const),
] as const;

const holmes = object({
  namespace: doc(text(rules.dnsLabel).default("default"), "Namespace of Holmes.", "robusta"),
  podLabels: doc(
    textMap(rules.labelKey, rules.labelValue)
      .refine((labels) => Object.keys(labels).length > 0, {
        error: "at least one label: none would let every pod of the namespace call the server",
      })
      .default({ app: "holmes" }),
    "Labels of Holmes' pods: all of them together.",
    { app: "holmes" },
  ),
  serverName: doc(
    text(rules.serverName).default("aws_api"),
    "Name of the entry in Holmes' `mcp_servers`.",
    "aws_accounts",
  ),
  hosted: doc(
    flag().default(false),
    "With `mcp.enabled: false`: Holmes uses the hosted AWS MCP server and signs itself; the roles then trust `serviceAccount`.",
    true,
  ),
  hostedRegion: doc(
    oneOf(...hostedRegions).optional(),
    "Region of the hosted server's endpoint and of the signatures for it.",
    "eu-west-1",
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("robusta-holmes-service-account"),
    "Holmes' own service account; used by the hosted mode.",
    "holmes-holmes-service-account",
  ),
});

const verify = object({
  enabled: doc(
    flag().default(true),
    "Whether `up` ends with a Job per cluster that asks for every account through the server.",
    false,
  ),
  timeoutSeconds: doc(integer(60, 1800, " of seconds").default(300), "How long the Job may take, in seconds.", 600),
  requireNetworkPolicy: doc(
    flag().default(false),
    "Whether the update fails when a pod without Holmes' labels reaches the server. Default: a warning.",
    true,
  ),
  skipProfiles: doc(
    set(text(rules.profile), "profiles").default([]),
    "Profiles that the Job leaves out, for instance while an account is sick.",
    ["sandbox"],
  ),
});

const organization = object({
  profile: doc(text(rules.profile), "AWS profile of the management or delegated administrator account.", "management"),
  accountId: doc(text(rules.accountId), "Its account id, in quotes.", "111111111111"),
  region: doc(
    text(rules.region),
    "Region that holds the StackSet, and the one region that it deploys to.",
    "us-east-1",
  ),
  organizationalUnits: doc(
    set(text(rules.organizationalUnit), "organizational unit ids").min(1, {
      error: "at least one organizational unit",
    }),
    "Where the StackSet makes providers, roles and policies.",
    ["ou-abcd-11112222"],
  ),
  autoDeployment: doc(flag().default(true), "Whether new accounts get them by themselves.", false),
  callAs: doc(
    oneOf("SELF", "DELEGATED_ADMIN").default("SELF"),
    "`DELEGATED_ADMIN` from a delegated administrator account.",
    "DELEGATED_ADMIN",
  ),
  existingOidcProviders: doc(
    keyed(rules.clusterName, set(text(rules.accountId), "account ids"), "lists of account ids").default({}),
    "By cluster: accounts that have its OIDC provider already; none is made there.",
    { "prod-us-east-1": ["222222222222"] },
  ),
  accountsFile: doc(
    text(filePath).optional(),
    "YAML or JSON file with a list of `{profile, accountId, description, region}`: the profiles of the workload, as `targetAccounts` with `manage: false`.",
    "accounts.yaml",
  ),
});

/** An account of `organization.accountsFile`: one that the program does not manage. */
export const accountsFileSchema = list(
  targetAccount.pick({ profile: true, accountId: true, description: true, region: true }),
  "accounts: profile, accountId, description, region",
);

/** Stack config, one entry per key under `holmes-aws-mcp:`. */
export const configSchema = object({
  clusters: doc(
    list(cluster, "source clusters").min(1, { error: "at least one cluster" }),
    "The source clusters: whose service account the roles trust, and where the server runs.",
    [{ name: "prod-us-east-1", region: "us-east-1", accountId: "111111111111", profile: "clusters" }],
  ),
  kubernetes: doc(kubernetes.prefault({}), "Names in the clusters.", { namespace: "holmes-aws-mcp" }),
  iam: doc(iam.prefault({}), "The role in every target account.", { path: "/holmes/" }),
  targetAccounts: doc(list(targetAccount, "target accounts").default([]), "The accounts that Holmes may read.", [
    { profile: "prod", accountId: "111111111111", description: "Production" },
  ]),
  defaultProfile: doc(
    text(rules.profile).optional(),
    "Target account whose role the service account's annotation names. Default: the first.",
    "prod",
  ),
  image: doc(image.optional(), "Either `prebuilt` or `build`; not needed when nothing is deployed.", {
    build: { repository: "ghcr.io/example/aws-api-mcp-server" },
  }),
  mcp: doc(mcp.prefault({}), "The MCP server.", { transport: "streamable-http", replicas: 2 }),
  holmes: doc(holmes.prefault({}), "Where Holmes is, and what it calls the server.", { namespace: "robusta" }),
  verify: doc(verify.prefault({}), "The check at the end of `up`.", { timeoutSeconds: 600 }),
  organization: doc(organization.optional(), "A CloudFormation StackSet for hundreds of accounts (docs/accounts.md).", {
    profile: "management",
    accountId: "111111111111",
    region: "us-east-1",
    organizationalUnits: ["ou-abcd-11112222"],
  }),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = Config["clusters"][number];
export type TargetAccountConfig = Config["targetAccounts"][number];

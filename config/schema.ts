/**
 * The shape of the stack config: every key with its type, default, limits and an example.
 * The reader (load.ts) parses with it, docs/config.md is generated from it.
 */
import { z } from "zod";
import { limits, rules, type TextRule } from "./limits.js";

/** Text that keeps one rule; a number in its place gets told about quotes, because YAML drops leading zeros. */
const text = ({ pattern, expected }: TextRule) =>
  z
    .string({
      error: ({ input }) =>
        typeof input === "number" ? `${expected}; put it in quotes, or YAML reads a number` : expected,
    })
    .regex(pattern, { error: expected });

const flag = () => z.boolean({ error: "true or false" });

const integer = (min: number, max: number, unit = "") => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
};

const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

const list = <T extends z.ZodType>(item: T, of: string) => z.array(item, { error: `a list of ${of}` });

const object = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: `an object with ${Object.keys(shape).join(", ")}` });

/** A part of a Kubernetes object, handed on as it is: the API server checks it at preview (server-side dry run). */
const kubernetesObject = (kind: string) =>
  z
    .record(z.string(), z.json(), { error: `a Kubernetes ${kind}` })
    .refine((value) => Object.keys(value).length > 0, { error: `a Kubernetes ${kind} that is not empty` });

const textMap = (key: TextRule, value: TextRule) =>
  z.record(
    z.string().superRefine((name, context) => {
      if (!key.pattern.test(name)) context.addIssue({ code: "custom", message: key.expected });
    }),
    text(value),
    { error: `a map of ${key.expected}, to ${value.expected}` },
  );

const anyText: TextRule = { pattern: /^[\s\S]+$/, expected: "a text that is not empty" };
const envValue: TextRule = { pattern: /^[^\0]*$/, expected: "a text" };
const filePath: TextRule = { pattern: /^[^\0\n]+$/, expected: "the path of a file, relative to the project's folder" };

const cluster = object({
  name: text(rules.clusterName).describe("Name of the EKS cluster. Example: `prod-us-east-1`."),
  region: text(rules.region).describe("Region of the cluster. Example: `us-east-1`."),
  accountId: text(rules.accountId).describe("Account of the cluster: 12 digits, in quotes."),
  oidcIssuerId: text(rules.oidcIssuerId)
    .optional()
    .describe(
      "Last part of the issuer URL: 32 hexadecimal characters. This or `oidcIssuerUrl`; both must agree; neither: looked up from EKS with `profile`.",
    ),
  oidcIssuerUrl: text(rules.oidcIssuerUrl)
    .optional()
    .describe("The whole issuer URL; the way to name a self-hosted issuer."),
  previousIssuers: list(text(rules.oidcIssuerUrl), "issuer URLs")
    .default([])
    .describe("Issuer URLs that are trusted as well, while a re-created cluster takes over. Empty it afterwards."),
  profile: text(rules.profile)
    .optional()
    .describe("AWS profile of the cluster's account, for look-ups from EKS and for the kubeconfig made from them."),
  kubeconfig: z
    .string({ error: "the path of a kubeconfig file, or its content" })
    .min(1, { error: "the path of a kubeconfig file, or its content" })
    .optional()
    .describe(
      "Path of a kubeconfig file, or its content (then set it as a secret). Neither this nor `context`: made from EKS with an exec credential.",
    ),
  context: text(anyText)
    .optional()
    .describe("Context of the kubeconfig; alone, of the kubeconfig that kubectl would use."),
  deploy: flag()
    .default(true)
    .describe("Whether the MCP server is deployed to this cluster; false: it is only trusted."),
  roleNumber: integer(1, 20)
    .optional()
    .describe(
      "Pins the cluster to a numbered role where the clusters need several (see docs/limits.md). Default: filled in the order of the list.",
    ),
});

const kubernetes = object({
  namespace: text(rules.dnsLabel)
    .default("holmes-aws-mcp")
    .describe("Namespace of the MCP server, the same in every cluster."),
  createNamespace: flag()
    .default(true)
    .describe(
      "Whether the program makes the namespace, with Pod Security `restricted` enforced; false: it is there already.",
    ),
  serviceAccount: text(rules.dnsSubdomain)
    .default("aws-api-mcp-sa")
    .describe("Service account of the MCP server: the one that the roles trust."),
  createServiceAccount: flag()
    .default(true)
    .describe("Whether the program makes the service account; false: it is there already."),
  additionalSubjects: list(text(rules.subject), "namespace:serviceAccount")
    .default([])
    .describe("More `namespace:serviceAccount` pairs that the roles trust, such as Holmes' own."),
});

const iam = object({
  roleName: text(rules.roleName)
    .default("EKSMultiAccountMCPRole")
    .describe("Name of the role in every target account; further roles get `-2`, `-3`."),
  policyName: text(rules.policyName)
    .default("MCPReadOnlyPolicy")
    .describe("Name of the permission policy; further policies get `-2`, `-3`."),
  sessionDuration: integer(limits.sessionDuration.min, limits.sessionDuration.max, " of seconds")
    .default(3600)
    .describe(
      "Longest session that the role allows, in seconds. The MCP server's own sessions always last 3600 s and are renewed by the SDK.",
    ),
  path: text(rules.path).default("/").describe("IAM path of role and policies. Example: `/holmes/`."),
  permissionsBoundary: text(rules.permissionsBoundary)
    .optional()
    .describe("Managed policy that bounds the role: its name (with path) in each account, or an ARN."),
  tags: textMap(rules.tagKey, rules.tagValue).default({}).describe("Tags of every IAM resource: at most 50."),
  trustPolicyLimit: integer(256, limits.trustPolicy.max, " of characters")
    .default(limits.trustPolicy.default)
    .describe("Characters that are not white space that a trust policy may have: IAM's quota in your accounts."),
  sensitiveReads: oneOf("deny", "allow")
    .default("deny")
    .describe(
      "`deny`: an explicit Deny on what hands out credentials or returns secrets or customers' data. `allow`: the breadth of the old policy.",
    ),
  disabledPolicyGroups: list(text(anyText), "names of service groups")
    .default([])
    .describe("Service groups of the default policy to leave out (docs/permissions.md lists them). Example: `[cost]`."),
  additionalActions: list(text(rules.iamAction), "IAM actions")
    .default([])
    .describe("More actions to allow; held to the same checks as the default."),
  allowedRegions: list(text(rules.region), "regions")
    .default([])
    .describe("Regions that may be read; global services are exempt. Default: all."),
  policyFile: text(filePath)
    .optional()
    .describe("JSON file with a permission policy of your own, in place of the default."),
  policyChecks: oneOf("error", "warn")
    .default("error")
    .describe("What a finding in a policy of your own (writes, secrets, patterns that match nothing) is."),
  retainOidcProviders: flag()
    .default(false)
    .describe("Keeps the OIDC providers at destroy. Default: those that the stack made are removed."),
});

const assumeRole = object({
  roleArn: text(rules.roleArn).describe("Role in the target account that provisions."),
  externalId: text(rules.externalId).optional().describe("External id that the role's trust policy asks for."),
  sourceProfile: text(rules.profile)
    .optional()
    .describe("AWS profile that assumes the role. Default: the SDK's default credentials."),
});

const adoption = object({
  oidcProviders: z
    .union([flag(), list(text(rules.clusterName), "cluster names")], {
      error: "true, false or a list of cluster names",
    })
    .default(false)
    .describe("Providers to take over: all, or those of the named clusters."),
  role: flag().default(false).describe("Whether the role is taken over."),
  policy: flag().default(false).describe("Whether the inline policy is taken over."),
});

const targetAccount = object({
  profile: text(rules.profile).describe(
    "Name of the account for Holmes (`--profile`), and the AWS profile that provisions it.",
  ),
  accountId: text(rules.accountId).describe(
    "Account id: 12 digits, in quotes. The provider refuses any other account.",
  ),
  description: text(rules.description).default("").describe("What Holmes is told about the account."),
  region: text(rules.region).optional().describe("Default region of the profile. Default: the first cluster's region."),
  assumeRole: assumeRole.optional().describe("Role to assume for provisioning, in place of the profile."),
  existingOidcProviders: list(text(rules.clusterName), "cluster names")
    .default([])
    .describe("Clusters whose OIDC provider the account has already: used, never changed, never deleted."),
  adopt: z
    .union([flag(), adoption], { error: "true, false or an object with oidcProviders, role, policy" })
    .default(false)
    .describe("Takes over what the old shell script made: all of it, or the named parts. It can stay in the file."),
  manage: flag()
    .default(true)
    .describe("false: the role is made elsewhere (another stack, a StackSet); its ARN follows from the names."),
  permissionsBoundary: text(rules.permissionsBoundary)
    .optional()
    .describe("In place of `iam.permissionsBoundary` for this account."),
  policyFile: text(filePath).optional().describe("In place of `iam.policyFile` for this account."),
});

const ecr = object({
  profile: text(rules.profile).describe(
    "Profile of the account that holds the repository: of a target account or of a cluster.",
  ),
  region: text(rules.region).optional().describe("Region of the repository. Default: that of the account or cluster."),
  create: flag()
    .default(true)
    .describe("Whether the program makes the repository (scan on push, immutable tags, lifecycle policy)."),
  keepImages: integer(1, 1000).default(20).describe("Images that the lifecycle policy keeps."),
  forceDelete: flag()
    .default(false)
    .describe(
      "Whether destroy removes the repository with the images in it. Default: destroy stops there, because another stack may run one of them.",
    ),
  pullAccounts: list(text(rules.accountId), "account ids")
    .default([])
    .describe("Accounts that may pull, such as those of other clusters."),
});

const registry = object({
  server: text(anyText).optional().describe("Registry host. Default: that of the repository."),
  username: text(anyText).describe("User name."),
  password: text(anyText).describe(
    "Password or token: `pulumi config set --path --secret 'image.build.registry.password'`.",
  ),
});

const build = object({
  repository: z
    .string({ error: rules.repository.expected })
    .describe("Repository to push to, with its registry; with `ecr`, the name of the repository alone.")
    .regex(rules.repository.pattern, { error: rules.repository.expected }),
  tag: text(rules.tag)
    .optional()
    .describe("Image tag. Default: a hash of the folder image/, so that a changed image never meets an immutable tag."),
  platform: oneOf("linux/amd64", "linux/arm64")
    .default("linux/amd64")
    .describe("Platform of the nodes that run the pod."),
  baseImage: text(rules.imageReference)
    .optional()
    .describe("Base image, for instance in a mirror. Default: the one in image/Dockerfile."),
  ecr: ecr.optional().describe("For a repository in ECR; the credentials come from the provider."),
  registry: registry.optional().describe("Credentials of any other registry. Default: those of the Docker client."),
});

const image = object({
  prebuilt: text(rules.imageReference).optional().describe("Reference of an image to deploy; a digest is best."),
  build: build
    .optional()
    .describe("Builds the folder image/ and pushes it; needs a Docker engine, for preview as well."),
});

const quantities = object({
  cpu: text(rules.quantity).optional().describe("CPU. Example: `250m`."),
  memory: text(rules.quantity).optional().describe("Memory. Example: `256Mi`."),
});

const resources = object({
  requests: quantities.default({ cpu: "100m", memory: "256Mi" }).describe("What the scheduler sets aside."),
  limits: quantities
    .default({ memory: "768Mi" })
    .describe("What the container may use; 50 clients at once peaked at 317 MiB."),
});

const networkPolicy = object({
  enabled: flag().default(true).describe("The only guard inside the cluster: neither transport authenticates."),
  additionalPeers: list(kubernetesObject("NetworkPolicyPeer"), "NetworkPolicyPeers")
    .default([])
    .describe("More peers that may call the server."),
  egressPorts: list(integer(1, 65535), "TCP ports")
    .default([443])
    .describe("TCP ports that the pod may reach anywhere but at link-local (metadata) addresses."),
  additionalEgress: list(kubernetesObject("NetworkPolicyEgressRule"), "NetworkPolicyEgressRules")
    .default([])
    .describe("More egress rules, such as one to a proxy in the cluster."),
  dnsNamespace: text(rules.dnsLabel).default("kube-system").describe("Namespace of the cluster's DNS."),
});

const mcp = object({
  enabled: flag().default(true).describe("false: IAM only; the outputs then carry the values for Holmes' own chart."),
  transport: oneOf("sse", "streamable-http")
    .default("sse")
    .describe("How Holmes talks to the server: `sse` through Supergateway, or the server's native HTTP."),
  serviceName: text(rules.serviceName)
    .default("holmes-aws-mcp")
    .describe("Name of Deployment and Service. Never `aws-api-mcp`: its service links stop the server."),
  listenAddress: oneOf("0.0.0.0", "::")
    .default("0.0.0.0")
    .describe("Addresses that the pod listens on; `::` in IPv6 clusters."),
  replicas: integer(1, 20).default(1).describe("Pods: 1 with `sse`, because a session lives in one process."),
  resources: resources.prefault({}).describe("Resources of the container."),
  nodeSelector: textMap(rules.labelKey, rules.labelValue)
    .default({})
    .describe("Labels of the nodes to run on. Default for a built image: its architecture."),
  tolerations: list(kubernetesObject("Toleration"), "Tolerations").default([]).describe("Tolerations of the pod."),
  affinity: kubernetesObject("Affinity").optional().describe("Affinity of the pod."),
  topologySpreadConstraints: list(kubernetesObject("TopologySpreadConstraint"), "TopologySpreadConstraints")
    .optional()
    .describe("Default with several replicas: spread over nodes where possible."),
  priorityClassName: text(rules.dnsSubdomain).optional().describe("Priority class of the pod."),
  imagePullSecrets: list(text(rules.dnsSubdomain), "names of Secrets")
    .default([])
    .describe("Secrets for the registry, by name."),
  podLabels: textMap(rules.labelKey, rules.labelValue).default({}).describe("More labels of the pod."),
  podAnnotations: textMap(rules.labelKey, envValue).default({}).describe("More annotations of the pod."),
  env: textMap(rules.environmentName, envValue)
    .default({})
    .describe("More environment, such as `HTTPS_PROXY`. What would break credentials or guards is refused."),
  extraVolumes: list(kubernetesObject("Volume"), "Volumes")
    .default([])
    .describe("More volumes of the pod, such as a CA bundle."),
  extraVolumeMounts: list(kubernetesObject("VolumeMount"), "VolumeMounts").default([]).describe("Their mounts."),
  denyList: list(
    text({
      pattern: /^aws [a-z0-9-]+( [a-z0-9-]+)*$/,
      expected: 'a command without options, such as "aws secretsmanager get-secret-value"',
    }),
    "AWS CLI commands",
  )
    .default([])
    .describe("Commands that the server refuses, in addition to IAM. Example: `[aws logs start-query]`."),
  suggestCommands: flag()
    .default(false)
    .describe("Whether `suggest_aws_commands` may send users' texts to AWS's endpoint."),
  networkPolicy: networkPolicy.prefault({}).describe("Who may call the server, and what it may call."),
});

const holmes = object({
  namespace: text(rules.dnsLabel).default("default").describe("Namespace of Holmes."),
  podLabels: textMap(rules.labelKey, rules.labelValue).default({ app: "holmes" }).describe("Labels of Holmes' pods."),
  serverName: text(rules.dnsLabel).default("aws").describe("Name of the entry in Holmes' `mcp_servers`."),
  hosted: flag()
    .default(false)
    .describe(
      "With `mcp.enabled: false`: Holmes uses the hosted AWS MCP server and signs itself; the roles then trust `serviceAccount`.",
    ),
  serviceAccount: text(rules.dnsSubdomain)
    .default("robusta-holmes-service-account")
    .describe("Holmes' own service account; used by the hosted mode."),
});

const verify = object({
  enabled: flag()
    .default(true)
    .describe("Whether `up` ends with a Job per cluster that asks for every account through the server."),
  timeoutSeconds: integer(60, 1800, " of seconds").default(300).describe("How long the Job may take, in seconds."),
  skipProfiles: list(text(rules.profile), "profiles")
    .default([])
    .describe("Profiles that the Job leaves out, for instance while an account is sick."),
});

const organization = object({
  profile: text(rules.profile).describe("AWS profile of the management or delegated administrator account."),
  accountId: text(rules.accountId).describe("Its account id."),
  region: text(rules.region).describe("Region that holds the StackSet, and the one region that it deploys to."),
  organizationalUnits: list(text(rules.organizationalUnit), "organizational unit ids")
    .min(1, { error: "at least one organizational unit" })
    .describe("Where the StackSet makes providers, roles and policies."),
  autoDeployment: flag().default(true).describe("Whether new accounts get them by themselves."),
  callAs: oneOf("SELF", "DELEGATED_ADMIN")
    .default("SELF")
    .describe("`DELEGATED_ADMIN` from a delegated administrator account."),
  accountsFile: text(filePath)
    .optional()
    .describe(
      "YAML or JSON file with a list of `{profile, accountId, description, region}`: the profiles of the workload, as `targetAccounts` with `manage: false`.",
    ),
});

/** Stack config, one entry per key under `holmes-aws-mcp:`. */
export const configSchema = object({
  clusters: list(cluster, "source clusters")
    .min(1, { error: "at least one cluster" })
    .describe("The source clusters: whose service account the roles trust, and where the server runs."),
  kubernetes: kubernetes.prefault({}).describe("Names in the clusters."),
  iam: iam.prefault({}).describe("The role in every target account."),
  targetAccounts: list(targetAccount, "target accounts").default([]).describe("The accounts that Holmes may read."),
  defaultProfile: text(rules.profile)
    .optional()
    .describe("Target account whose role the service account's annotation names. Default: the first."),
  image: image.optional().describe("Either `prebuilt` or `build`; not needed when nothing is deployed."),
  mcp: mcp.prefault({}).describe("The MCP server."),
  holmes: holmes.prefault({}).describe("Where Holmes is, and what it calls the server."),
  verify: verify.prefault({}).describe("The check at the end of `up`."),
  organization: organization
    .optional()
    .describe("A CloudFormation StackSet for hundreds of accounts (docs/accounts.md)."),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = Config["clusters"][number];
export type TargetAccountConfig = Config["targetAccounts"][number];

/**
 * Limits and name rules of AWS and Kubernetes, each with its source. Sizes of IAM policies are in policies/size.ts.
 */
import { Region } from "@pulumi/aws/types/enums/index.js";

/** A rule for a string: its pattern, and its description for error messages. */
export interface TextRule {
  readonly pattern: RegExp;
  readonly expected: string;
  /** Returns how to fix an invalid string, if known. */
  readonly fix?: ((text: string) => string | undefined) | undefined;
}

const rule = (pattern: RegExp, expected: string, fix?: TextRule["fix"]): TextRule => ({ pattern, expected, fix });

/** A rule for a DNS name. Suggests the string in lower case, with each invalid character replaced by `-`. */
const dnsName = (pattern: RegExp, expected: string): TextRule =>
  rule(pattern, expected, (text) => {
    const name = text.toLowerCase().replace(/[^a-z0-9.-]/g, "-");
    return pattern.test(name) ? `Use ${JSON.stringify(name)}.` : undefined;
  });

/** A URL that contains a password. */
export const urlPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/@]*:[^/@]+@/i;

/** By the prefix of regions: the partition, and the DNS suffix of endpoints (AWS General Reference, "AWS partitions"). */
const partitions: ReadonlyArray<readonly [prefix: string, partition: string, dnsSuffix: string]> = [
  ["cn-", "aws-cn", "amazonaws.com.cn"],
  ["us-gov-", "aws-us-gov", "amazonaws.com"],
  ["us-isob-", "aws-iso-b", "sc2s.sgov.gov"],
  ["us-isof-", "aws-iso-f", "csp.hci.ic.gov"],
  ["us-iso-", "aws-iso", "c2s.ic.gov"],
  ["eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"],
  ["eusc-", "aws-eusc", "amazonaws.eu"],
  ["", "aws", "amazonaws.com"],
];

const partitionEntry = (region: string) => partitions.find(([prefix]) => region.startsWith(prefix))!;

/** Returns the partition of a region: `cn-north-1` gives `aws-cn`. */
export const partitionOf = (region: string): string => partitionEntry(region)[1];

/** Returns the DNS suffix of the endpoints in a region, for example `amazonaws.com`. */
export const dnsSuffixOf = (region: string): string => partitionEntry(region)[2];

/** Returns the issuer URL of an EKS cluster, `https://oidc.eks.<region>.<dns suffix>/id/<ID>`. */
export function issuerUrl(region: string, id: string): string {
  return `https://oidc.eks.${region}.${dnsSuffixOf(region)}/id/${id}`;
}

/** A single line that is not blank. */
const line = /^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u;

export const rules = {
  line: rule(line, "a non-empty single-line string"),
  filePath: rule(line, "the path of a file, relative to the project directory"),
  anyText: rule(/^[^\0]*$/, "a string"),
  /** AWS Account Management: an account ID has 12 digits. */
  accountId: rule(/^\d{12}$/, 'an AWS account ID: 12 digits in quotes, such as "111111111111"', (text) =>
    /^\d+$/.test(text)
      ? `It has ${text.length} digits.`
      : /^[\d -]+$/.test(text) && text.replace(/\D/g, "").length === 12
        ? `Use ${JSON.stringify(text.replace(/\D/g, ""))}.`
        : undefined,
  ),
  /** The regions that the installed AWS provider supports. */
  region: rule(new RegExp(`^(${Object.values(Region).join("|")})$`), 'an AWS region, such as "us-east-1"', (text) => {
    if (text === "global") return "Global services use us-east-1.";
    if (/[A-Z_ ]/.test(text)) return "Use the region code, in lower case.";
    return /^[a-z-]+-\d[a-z]$/.test(text)
      ? `${text} is an Availability Zone. Its region is ${text.slice(0, -1)}.`
      : undefined;
  }),
  /** EKS CreateCluster: 1 to 100 letters, digits, `-` and `_`, starting with a letter or digit. */
  clusterName: rule(
    /^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/,
    "an EKS cluster name: letters, digits, - and _, at most 100 characters, starting with a letter or digit",
  ),
  /** Observed in EKS issuers: 32 hexadecimal characters, upper case. */
  oidcIssuerId: rule(
    /^[0-9A-F]{32}$/,
    "the issuer ID (last part of the issuer URL): 32 hexadecimal characters, upper case",
    (text) =>
      /^[0-9a-f]{32}$/i.test(text)
        ? `Use ${text.toUpperCase()}.`
        : `${/^https:\/\//.test(text) ? "Set a complete URL in oidcIssuerUrl" : `It has ${text.length} characters`}. Run: aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text`,
  ),
  /** IAM CreateOpenIDConnectProvider: https, no port, no query, at most 255 characters. */
  oidcIssuerUrl: rule(
    /^(?=.{12,255}$)https:\/\/[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.(?!(svc|default|local|localhost|internal)(\/|$))[a-z][a-z0-9-]*[a-z0-9](\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/,
    "an issuer URL that AWS can reach: https://, a public host name in lower case, an optional path, no port, no query, no trailing slash, at most 255 characters",
    (text) => (text.endsWith("/") ? "Remove the trailing slash." : undefined),
  ),
  /** AWS CLI profile names. Stricter than the CLI: file, resource and command argument names contain the profile. */
  profile: rule(
    /^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}$/,
    "an AWS profile name: letters, digits and _ . @ + -, at most 64 characters, starting with a letter or digit",
  ),
  /** A path has one line, the content several (documents/kubeconfig.ts). */
  kubeconfig: rule(/\S/, "the path of a kubeconfig file, or its content as a string"),
  context: rule(/^[^\p{Cc}\s]([^\p{Cc}]*[^\p{Cc}\s])?$/u, "a single-line string without leading or trailing spaces"),
  /** RFC 1123 label, as Kubernetes requires for namespaces and Services. */
  dnsLabel: dnsName(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "an RFC 1123 label: lower-case letters, digits and -, at most 63 characters, starting and ending with a letter or digit",
  ),
  /** RFC 1035 label, as Kubernetes requires for Services. 24 of 63 are reserved for the Job's `-verify-<hash>`. */
  serviceName: dnsName(
    /^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$/,
    "an RFC 1035 label: lower-case letters, digits and -, at most 39 characters (63 less the suffix of the verification Job), starting with a letter",
  ),
  /** RFC 1123 subdomain, as Kubernetes requires for service accounts, Secrets and priority classes. */
  dnsSubdomain: dnsName(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "an RFC 1123 subdomain: lower-case letters, digits, - and ., at most 253 characters, starting and ending with a letter or digit",
  ),
  subject: rule(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?:(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'a service account as "namespace:serviceAccount", without wildcards',
  ),
  labelValue: rule(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    "a label value: letters, digits and - _ ., at most 63 characters, starting and ending with a letter or digit",
  ),
  labelKey: rule(
    /^((?=[^/]{1,253}\/)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    "a label key: an optional DNS prefix and /, then at most 63 letters, digits and - . _",
  ),
  /** Portable environment variable names (POSIX, C standard library). */
  environmentName: rule(/^[A-Za-z_][A-Za-z0-9_]*$/, "an environment variable name: letters, digits and _"),
  /** Kubernetes resource.Quantity of CPU: whole thousandths. */
  quantity: rule(
    /^(?!0*(\.0*)?m?$)(\d{1,6}m|\d{1,4}(\.\d{1,3})?|\.\d{1,3})$/,
    'an amount of CPU, such as "250m" or "1"',
  ),
  /** Kubernetes resource.Quantity of memory: whole bytes. */
  memory: rule(
    /^(?!0+(\.0+)?([kA-Z]|$))(\d{1,19}(\.\d+)?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|\d{7,19})$/,
    'an amount of memory in Kubernetes notation, such as "256Mi"',
    (text) => {
      const [, amount, unit] = /^(\d+) ?([kmgt])i?b$/i.exec(text) ?? [];
      return unit && `Use a Kubernetes unit, such as ${amount}${unit.toUpperCase()}i.`;
    },
  ),
  /** IAM CreateRole: at most 64 characters. Four are reserved for the number of an additional role (at most `-100`). */
  roleName: rule(
    /^(?!AWSServiceRoleFor|AWSReservedSSO_)[\w+=,.@-]{1,60}$/,
    "an IAM role name that AWS does not reserve: letters, digits and _ + = , . @ -, at most 60 characters (64 less the suffix of additional roles)",
  ),
  /** IAM CreatePolicy: at most 128 characters. Three are reserved for the number of an additional policy. */
  policyName: rule(
    /^[\w+=,.@-]{1,125}$/,
    "an IAM policy name: letters, digits and _ + = , . @ -, at most 125 characters (128 less the suffix of additional policies)",
  ),
  /** IAM: `/` or `/…/`, at most 512 characters. */
  path: rule(
    /^(?!\/aws-(service-role|reserved)\/)(\/|\/(?=.{1,510}\/$)[!-.0-~]+(\/[!-.0-~]+)*\/)$/,
    "an IAM path that AWS does not reserve: starts and ends with /, no empty parts, at most 512 characters",
    (text) => (/^\/?[^/]+\/?$/.test(text) ? `Use /${text.replaceAll("/", "")}/.` : undefined),
  ),
  roleArn: rule(
    /^arn:aws(-[a-z-]+)?:iam::\d{12}:role\/(?=.{1,576}$)([!-.0-~]+\/)*[\w+=,.@-]{1,64}$/,
    'a role ARN, such as "arn:aws:iam::111111111111:role/Provisioner"',
  ),
  permissionsBoundary: rule(
    /^(arn:aws(-[a-z-]+)?:iam::(aws|\d{12}):policy\/)?(?=.{1,639}$)([\w+=,.@-]+\/)*[\w+=,.@-]{1,128}$/,
    "the name of a managed policy in each account (with its path, if any, but without a leading /), or a policy ARN",
  ),
  /** STS AssumeRole: 2 to 1224 characters. */
  externalId: rule(
    /^[\w+=,.@:/-]{2,1224}$/,
    "an external ID: letters, digits and _ + = , . @ : / -, 2 to 1224 characters",
  ),
  /** IAM tags: keys of at most 128 characters, values of at most 256. The prefix `aws:` is reserved. */
  tagKey: rule(
    /^(?![aA][wW][sS]:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u,
    "a tag key: letters, digits, spaces and _ . : / = + - @, at most 128 characters, not starting with aws:",
  ),
  tagValue: rule(
    /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u,
    "a tag value: letters, digits, spaces and _ . : / = + - @, at most 256 characters",
  ),
  /** IAM CreateRole, Description: printable Latin-1, at most 1000 characters. */
  description: rule(
    /^[\t\n\r -~¡-ÿ]{0,1000}$/,
    "a description: at most 1000 characters of Latin-1, as IAM requires (no typographic quotes or dashes)",
    (text) => `It contains ${JSON.stringify([...new Set(text.match(/[^\t\n\r -~¡-ÿ]/gu))].slice(0, 5).join(""))}.`,
  ),
  iamAction: rule(/^[a-z0-9-]+:[A-Za-z0-9*?]+$/, 'an IAM action or pattern, such as "glue:GetJob*"'),
  /** Docker reference grammar: optional host and port, path, tag and/or digest. */
  imageReference: rule(
    /^(?=.{1,500}$)((?=[^/]*[.:]|localhost\/)[a-zA-Z0-9.-]+(:\d+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    'an image reference, such as "registry.example.com/aws-api-mcp-server@sha256:…" with 64 hexadecimal characters',
    (text) => {
      const digest = text.match(/@sha256:(.*)$/)?.[1];
      if (digest !== undefined && digest.length !== 64) return `Its digest has ${digest.length} characters.`;
      return /^https?:\/\//.test(text) ? "Remove https://." : undefined;
    },
  ),
  /** GitHub: the owner has at most 39 characters, the repository 100. */
  githubRepository: rule(
    /^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/[A-Za-z0-9._-]{1,100}$/,
    'a GitHub repository, such as "example/holmes-aws-mcp"',
  ),
  repository: rule(
    /^(?=.{1,255}$)((?=[^/]*[.:]|localhost\/)[a-zA-Z0-9.-]+(:\d+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
    'an image repository without a tag, such as "registry.example.com/team/aws-api-mcp-server"',
    (text) => (/:[^/:]+$/.test(text) ? "Set the tag in image.build.tag." : undefined),
  ),
  /** ECR CreateRepository: 2 to 256 characters, lower case. */
  ecrRepository: rule(
    /^(?=.{2,256}$)[a-z0-9]+([._-][a-z0-9]+)*(\/[a-z0-9]+([._-][a-z0-9]+)*)*$/,
    'an ECR repository name without the registry, such as "holmes/aws-api-mcp-server"',
  ),
  tag: rule(/^\w[\w.-]{0,127}$/, "an image tag: letters, digits and _ . -, at most 128 characters"),
  /** RFC 4632, RFC 4291, in the notation that the API server accepts. */
  cidr: rule(
    /^(((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|(?=\/))){4}\/(\d|[12]\d|3[0-2])|(?=[^/]*:)[0-9a-fA-F:]{2,39}\/(\d{1,2}|1[01]\d|12[0-8]))$/,
    'a CIDR block, such as "10.0.0.0/16" or "fd00::/8"',
    (text) => (/^[\d.]+$/.test(text) ? `For a single address, use ${text}/32.` : undefined),
  ),
  /** IANA service name, as Kubernetes requires for a port name. */
  portName: rule(
    /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/,
    "a port name: lower-case letters, digits and -, at most 15 characters",
  ),
  mountPath: rule(
    /^(?!.*\/(\.{0,2})(\/|$).)(?!.+\/$)(?!.*\/\.{1,2}$)\/[^:\0\n]{0,4095}$/,
    "an absolute path without colons, empty parts, . or .., and without a trailing /",
  ),
  /** Kubernetes: a key in the data of a ConfigMap or Secret. */
  configMapKey: rule(
    /^(?!\.{1,2}$)(?!\.\.)[-._a-zA-Z0-9]{1,253}$/,
    "a key of a ConfigMap or Secret: letters, digits and - _ ., at most 253 characters",
  ),
  subPath: rule(/^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\0\n]{1,4095}$/, "a relative path without .."),
  registryHost: rule(
    /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:\d{1,5})?(\/v1\/)?$/,
    'a registry host, such as "ghcr.io"',
    (text) => (/^https?:\/\//.test(text) ? "Remove https://." : undefined),
  ),
  /** Host name of a URL, without scheme and port. */
  hostName: rule(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/,
    'a host name in lower case, such as "ec2.internal.example.com"',
    (text) => (/^https?:\/\//.test(text) ? "Remove https:// and everything after the host name." : undefined),
  ),
  awsCommand: rule(
    /^aws (?!sts get-caller-identity$)[a-z][a-z0-9-]* [a-z][a-z0-9-]*$/,
    'a service and an operation without options, such as "aws logs start-query". The verification requires "aws sts get-caller-identity"',
  ),
  /** RFC 6750 allows visible ASCII. A token of 32 random characters cannot be guessed. */
  bearerToken: rule(/^[!-~]{32,512}$/, "a token of 32 to 512 visible ASCII characters without spaces"),
  /**
   * Holmes treats an `mcp_servers` entry with the name of a built-in toolset as settings of that toolset
   * (holmes/plugins/toolsets of holmesgpt). Robusta reserves `aws`.
   */
  serverName: rule(
    /^(?!(aws|bash|confluence|core_investigation|git|internet|newrelic|notion|robusta|runbook|slab)$)[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/,
    "a name that is not a built-in toolset of Holmes: lower-case letters, digits, - and _, at most 63 characters, starting and ending with a letter or digit",
  ),
  organizationalUnit: rule(
    /^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$/,
    'an organizational unit ID or root ID, such as "ou-abcd-11112222"',
  ),
} as const;

export const limits = {
  /** IAM quota "OpenID Connect providers per account", not adjustable. */
  oidcProvidersPerAccount: 100,
  /** Limit of this program: 90,000 OIDC providers (60 clusters, 1,500 accounts) exhaust the default heap of Node.js. */
  clusterAccountPairs: 10000,
  /** IAM quota of 50 tags per role, policy or provider. The program adds one tag that names the stack. */
  tags: 49,
  /** IAM role MaxSessionDuration in seconds. */
  sessionDuration: { min: 3600, max: 43200 },
  /** STS RoleSessionName. */
  roleSessionName: 64,
} as const;

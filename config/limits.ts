/**
 * Limits and name rules of AWS and Kubernetes, each with its source. Sizes of IAM policies are in policies/size.ts.
 */
import { Region } from "@pulumi/aws/types/enums/index.js";
import { TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX } from "../policies/size.js";

/** A rule for one text: the pattern, and its description for error messages. */
export interface TextRule {
  readonly pattern: RegExp;
  readonly expected: string;
  /** Returns how to fix a text that breaks the rule, if known. */
  readonly fix?: (text: string) => string | undefined;
}

const rule = (pattern: RegExp, expected: string, fix?: TextRule["fix"]): TextRule => ({
  pattern,
  expected,
  ...(fix === undefined ? {} : { fix }),
});

/** Suggests a valid form: the text in lower case, with each invalid character replaced by `-`. */
const asLabel =
  (pattern: RegExp, most: number): TextRule["fix"] =>
  (text) => {
    const label = text.toLowerCase().replace(/[^a-z0-9.-]/g, "-");
    return pattern.test(label) ? `Use ${JSON.stringify(label)}.` : tooLong(text, most);
  };

const tooLong = (text: string, most: number) => (text.length > most ? `It has ${text.length} characters.` : undefined);

/** A URL that contains a password. */
export const urlPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/@]*:[^/@]+@/i;

/** The distinct characters of a text that a rule does not allow. */
const strangers = (text: string, taken: RegExp) =>
  [...new Set(text)].filter((letter) => !taken.test(letter)).map((letter) => JSON.stringify(letter));

/** Partition names by the prefix of their regions (AWS General Reference, "AWS partitions"). */
const partitions: ReadonlyArray<readonly [prefix: string, partition: string]> = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["us-isob-", "aws-iso-b"],
  ["us-isof-", "aws-iso-f"],
  ["us-iso-", "aws-iso"],
  ["eu-isoe-", "aws-iso-e"],
  ["eusc-", "aws-eusc"],
];

/** The partition that a region belongs to: `cn-north-1` gives `aws-cn`. */
export function partitionOf(region: string): string {
  return partitions.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "aws";
}

/** DNS suffix of the endpoints in a region, `amazonaws.com` in most. */
export function dnsSuffixOf(region: string): string {
  const suffixes: Record<string, string> = {
    "aws-cn": "amazonaws.com.cn",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
  };
  return suffixes[partitionOf(region)] ?? "amazonaws.com";
}

/** Issuer URL of an EKS cluster, `https://oidc.eks.<region>.<dns suffix>/id/<ID>`. */
export function issuerUrl(region: string, id: string): string {
  return `https://oidc.eks.${region}.${dnsSuffixOf(region)}/id/${id}`;
}

/** Suggests a region for common non-region names. */
const regionHint = (text: string) =>
  text === "global"
    ? "Global services answer in us-east-1."
    : /[A-Z_ ]/.test(text)
      ? "Use its code, in lower case."
      : undefined;

export const rules = {
  /** AWS Account Management: an account id has 12 digits. */
  accountId: rule(/^\d{12}$/, 'an AWS account id: 12 digits in quotes, such as "111111111111"', (text) =>
    /^\d+$/.test(text)
      ? `It has ${text.length} digits.`
      : /^[\d -]+$/.test(text) && text.replace(/\D/g, "").length === 12
        ? `Write ${JSON.stringify(text.replace(/\D/g, ""))}.`
        : undefined,
  ),
  /** The regions that the installed AWS provider supports. */
  region: rule(new RegExp(`^(${Object.values(Region).join("|")})$`), 'an AWS region, such as "us-east-1"', (text) =>
    /^[a-z-]+-\d[a-z]$/.test(text)
      ? `${text} is an availability zone; its region is ${text.slice(0, -1)}.`
      : regionHint(text),
  ),
  /** EKS CreateCluster: 1 to 100 of letters, digits, `-` and `_`, a letter or digit first. */
  clusterName: rule(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, "an EKS cluster name: letters, digits, - and _, at most 100"),
  /** Observed in EKS issuers: 32 hexadecimal characters, upper case. */
  oidcIssuerId: rule(
    /^[0-9A-F]{32}$/,
    "the last part of the cluster's issuer URL: 32 hexadecimal characters, upper case",
    (text) =>
      /^[0-9a-f]{32}$/i.test(text)
        ? `Write ${text.toUpperCase()}.`
        : `${/^https:\/\//.test(text) ? "A whole URL goes to oidcIssuerUrl" : `It has ${text.length} characters`}: aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text`,
  ),
  /** IAM CreateOpenIDConnectProvider: https, no port, no query, at most 255 characters. */
  oidcIssuerUrl: rule(
    /^(?=.{12,255}$)https:\/\/[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.(?!(svc|default|local|localhost|internal)(\/|$))[a-z][a-z0-9-]*[a-z0-9](\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/,
    "an issuer URL that AWS can reach: https://, a public host name in lower case, a path, no port, query or slash at the end, at most 255 characters",
    (text) => (text.endsWith("/") ? "Remove the slash at the end." : tooLong(text, 255)),
  ),
  /** AWS CLI profile names. Stricter than the CLI: file, resource and command argument names contain the profile. */
  profile: rule(
    /^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}$/,
    "an AWS profile name: letters, digits and _ . @ + -, at most 64, a letter or digit first",
  ),
  /** RFC 1123 label, as Kubernetes requires for namespaces and Services. */
  dnsLabel: rule(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "an RFC 1123 label: lower-case letters, digits and -, at most 63, a letter or digit at both ends",
    asLabel(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 63),
  ),
  /** RFC 1035 label, as Kubernetes requires for Services. 24 of 63 are reserved for the Job's `-verify-<hash>`. */
  serviceName: rule(
    /^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$/,
    "an RFC 1035 label: lower-case letters, digits and -, at most 39 (63 less the end of the verification Job's name), a letter first",
    asLabel(/^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$/, 39),
  ),
  /** RFC 1123 subdomain, as Kubernetes requires for service accounts, Secrets and priority classes. */
  dnsSubdomain: rule(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "an RFC 1123 subdomain: lower-case letters, digits, - and ., at most 253, a letter or digit at both ends",
    asLabel(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/, 253),
  ),
  subject: rule(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?:(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'a service account as "namespace:serviceAccount", without wildcards',
  ),
  labelValue: rule(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    "a label value: letters, digits and - _ ., at most 63, a letter or digit at both ends",
  ),
  labelKey: rule(
    /^((?=[^/]{1,253}\/)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    "a label key: an optional DNS prefix and /, then letters, digits and - _ ., at most 63",
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
    'an amount of memory as Kubernetes writes it, such as "256Mi"',
    (text) => (/^\d+ ?[kmgt]i?b$/i.test(text) ? `Write ${text.replace(/[ b]/gi, "")}i or the like.` : undefined),
  ),
  /** IAM CreateRole: at most 64 characters. Four are reserved for the number of a further role (at most `-100`). */
  roleName: rule(
    /^(?!AWSServiceRoleFor|AWSReservedSSO_)[\w+=,.@-]{1,60}$/,
    "an IAM role name that AWS does not reserve: letters, digits and _ + = , . @ -, at most 60 (64 less the number of a further role)",
    (text) => tooLong(text, 60),
  ),
  /** IAM CreatePolicy: at most 128 characters, less those for the number of a further policy. */
  policyName: rule(
    /^[\w+=,.@-]{1,125}$/,
    "an IAM policy name: letters, digits and _ + = , . @ -, at most 125 (128 less the number of a further policy)",
    (text) => tooLong(text, 125),
  ),
  /** IAM: `/` or `/…/`, at most 512 characters. */
  path: rule(
    /^(?!\/aws-(service-role|reserved)\/)(\/|\/(?=.{1,510}\/$)[!-.0-~]+(\/[!-.0-~]+)*\/)$/,
    "an IAM path that AWS does not reserve: / at both ends, no empty parts, at most 512",
    (text) => (/^\/?[^/]+\/?$/.test(text) ? `Write /${text.replaceAll("/", "")}/.` : tooLong(text, 512)),
  ),
  roleArn: rule(
    /^arn:aws(-[a-z-]+)?:iam::\d{12}:role\/(?=.{1,576}$)([!-.0-~]+\/)*[\w+=,.@-]{1,64}$/,
    'a role ARN, such as "arn:aws:iam::111111111111:role/Provisioner"',
  ),
  permissionsBoundary: rule(
    /^(arn:aws(-[a-z-]+)?:iam::(aws|\d{12}):policy\/)?(?=.{1,639}$)([\w+=,.@-]+\/)*[\w+=,.@-]{1,128}$/,
    "the name (with its path, if any, without / in front) of a managed policy that is in each account, or a policy ARN",
  ),
  /** STS AssumeRole: 2 to 1224 characters. */
  externalId: rule(/^[\w+=,.@:/-]{2,1224}$/, "an external id: letters, digits and _ + = , . @ : / -, 2 to 1224"),
  /** IAM tags: keys of at most 128 characters, values of at most 256. The prefix `aws:` is reserved. */
  tagKey: rule(
    /^(?![aA][wW][sS]:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u,
    "a tag key: letters, digits, spaces and _ . : / = + - @, at most 128, not beginning with aws:",
  ),
  tagValue: rule(
    /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u,
    "a tag value: letters, digits, spaces and _ . : / = + - @, at most 256",
  ),
  /** IAM CreateRole, Description: printable Latin-1, at most 1000 characters. */
  description: rule(
    /^[\t\n\r -~¡-ÿ]{0,1000}$/,
    "a description: at most 1000 characters that IAM takes (Latin-1: no typographic quotes or dashes)",
    (text) =>
      tooLong(text, 1000) ??
      `It contains ${strangers(text, /^[\t\n\r -~¡-ÿ]$/)
        .slice(0, 5)
        .join(", ")}.`,
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
    'an image repository without tag, such as "registry.example.com/team/aws-api-mcp-server"',
    (text) => (/:[^/:]+$/.test(text) ? "The tag goes to image.build.tag." : undefined),
  ),
  /** ECR CreateRepository: 2 to 256 characters, lower case. */
  ecrRepository: rule(
    /^(?=.{2,256}$)[a-z0-9]+([._-][a-z0-9]+)*(\/[a-z0-9]+([._-][a-z0-9]+)*)*$/,
    'an ECR repository name without the registry, such as "holmes/aws-api-mcp-server"',
  ),
  tag: rule(/^\w[\w.-]{0,127}$/, "an image tag: letters, digits and _ . -, at most 128"),
  /** RFC 4632, RFC 4291: as the API server accepts it. */
  cidr: rule(
    /^(((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|(?=\/))){4}\/(\d|[12]\d|3[0-2])|(?=[^/]*:)[0-9a-fA-F:]{2,39}\/(\d{1,2}|1[01]\d|12[0-8]))$/,
    'a CIDR block, such as "10.0.0.0/16" or "fd00::/8"',
    (text) => (/^[\d.]+$/.test(text) ? `For one address, write ${text}/32.` : undefined),
  ),
  /** IANA service name, as Kubernetes requires for a port name. */
  portName: rule(
    /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/,
    "a port's name: lower-case letters, digits and -, at most 15",
  ),
  mountPath: rule(
    /^(?!.*\/(\.{0,2})(\/|$).)(?!.+\/$)(?!.*\/\.{1,2}$)\/[^:\0\n]{0,4095}$/,
    "an absolute path without colons, empty parts, . or .., and without / at the end",
  ),
  /** Kubernetes: a key in the data of a ConfigMap or Secret. */
  configMapKey: rule(
    /^(?!\.{1,2}$)(?!\.\.)[-._a-zA-Z0-9]{1,253}$/,
    "a key of a ConfigMap or Secret: letters, digits and - _ ., at most 253",
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
    (text) => (/^https?:\/\//.test(text) ? "Remove https:// and everything after the host." : undefined),
  ),
  /** RFC 6750 allows visible ASCII. A token of 32 random characters cannot be guessed. */
  bearerToken: rule(/^[!-~]{32,512}$/, "a token of 32 to 512 visible ASCII characters without spaces"),
  /**
   * Holmes treats an `mcp_servers` entry with the name of a built-in toolset as settings of that toolset
   * (holmes/plugins/toolsets of holmesgpt). Robusta reserves `aws`.
   */
  serverName: rule(
    /^(?!(aws|bash|confluence|core_investigation|git|internet|newrelic|notion|robusta|runbook|slab)$)[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/,
    "a name that is not one of Holmes' own toolsets: lower-case letters, digits, - and _, at most 63, a letter or digit at both ends",
  ),
  organizationalUnit: rule(
    /^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$/,
    'an organizational unit or root id, such as "ou-abcd-11112222"',
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
  /** IAM quota "Role trust policy length", in characters without white space: default and maximum. */
  trustPolicy: { default: TRUST_POLICY_LIMIT, max: TRUST_POLICY_LIMIT_MAX },
  /** STS RoleSessionName. */
  roleSessionName: 64,
} as const;

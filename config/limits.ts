/**
 * Limits and name rules of AWS and Kubernetes, each with its source. Nothing else in the program states one.
 */

/** A rule for one text: what it must match, said in words for an error message. */
export interface TextRule {
  readonly pattern: RegExp;
  readonly expected: string;
}

const rule = (pattern: RegExp, expected: string): TextRule => ({ pattern, expected });

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

export const rules = {
  /** AWS Account Management: an account id has 12 digits. */
  accountId: rule(/^\d{12}$/, 'an AWS account id: 12 digits in quotes, such as "111111111111"'),
  /** AWS General Reference, "Regions": area, optional partition part, direction, number. */
  region: rule(
    /^(af|ap|ca|cn|eu|eusc|il|me|mx|sa|us)(-gov|-iso[a-z]?|-de)?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$/,
    'an AWS region, such as "us-east-1"',
  ),
  /** EKS CreateCluster: 1 to 100 of letters, digits, `-` and `_`, a letter or digit first. */
  clusterName: rule(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, "an EKS cluster name: letters, digits, - and _, at most 100"),
  /** EKS issuers in the wild: 32 hexadecimal characters, upper case. */
  oidcIssuerId: rule(
    /^[0-9A-F]{32}$/,
    "the last part of the cluster's issuer URL: 32 hexadecimal characters, upper case (aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer)",
  ),
  /** IAM CreateOpenIDConnectProvider: https, no port, no query, at most 255 characters. */
  oidcIssuerUrl: rule(
    /^(?=.{12,255}$)https:\/\/[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(\/[A-Za-z0-9._~-]+)*$/,
    "an issuer URL: https://, a host in lower case, a path, no port, query or slash at the end, at most 255 characters",
  ),
  /** AWS CLI profile names; narrower than the CLI, because it names files, resources and command arguments here. */
  profile: rule(
    /^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}$/,
    "an AWS profile name: letters, digits and _ . @ + -, at most 64, a letter or digit first",
  ),
  /** RFC 1123 label, as Kubernetes wants it for namespaces and Services. */
  dnsLabel: rule(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "an RFC 1123 label: lower-case letters, digits and -, at most 63, a letter or digit at both ends",
  ),
  /** RFC 1035 label, as Kubernetes wants it for Service names. */
  serviceName: rule(
    /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "an RFC 1035 label: lower-case letters, digits and -, at most 63, a letter first",
  ),
  /** RFC 1123 subdomain, as Kubernetes wants it for service accounts, Secrets, priority classes. */
  dnsSubdomain: rule(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "an RFC 1123 subdomain: lower-case letters, digits, - and ., at most 253, a letter or digit at both ends",
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
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    "a label key: an optional DNS prefix and /, then letters, digits and - _ ., at most 63",
  ),
  /** Environment variable names, as the C standard library takes them everywhere. */
  environmentName: rule(/^[A-Za-z_][A-Za-z0-9_]*$/, "an environment variable name: letters, digits and _"),
  /** Kubernetes resource.Quantity. */
  quantity: rule(
    /^(\d+(\.\d+)?|\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE]\d+)?$/,
    'a Kubernetes quantity, such as "250m" or "256Mi"',
  ),
  /** IAM CreateRole: 64 of these; two characters are kept for the number of a further role. */
  roleName: rule(
    /^[\w+=,.@-]{1,61}$/,
    "an IAM role name: letters, digits and _ + = , . @ -, at most 61 (64 less the number of a further role)",
  ),
  /** IAM CreatePolicy: 128 of these, less the number of a further policy. */
  policyName: rule(
    /^[\w+=,.@-]{1,125}$/,
    "an IAM policy name: letters, digits and _ + = , . @ -, at most 125 (128 less the number of a further policy)",
  ),
  /** IAM: `/` or `/…/`, at most 512. */
  path: rule(
    /^(\/|\/(?=.{1,510}\/$)[!-.0-~]+(\/[!-.0-~]+)*\/)$/,
    "an IAM path: / at both ends, no empty parts, at most 512",
  ),
  roleArn: rule(
    /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
    'a role ARN, such as "arn:aws:iam::111111111111:role/Provisioner"',
  ),
  permissionsBoundary: rule(
    /^(arn:aws[a-z-]*:iam::(aws|\d{12}):policy\/[\w+=,.@/-]{1,640}|[\w+=,.@-][\w+=,.@/-]{0,639})$/,
    "the name (with its path, if any) of a managed policy that is in each account, or a policy ARN",
  ),
  /** STS AssumeRole: 2 to 1224. */
  externalId: rule(/^[\w+=,.@:/-]{2,1224}$/, "an external id: letters, digits and _ + = , . @ : / -, 2 to 1224"),
  /** IAM tags: key up to 128, value up to 256; keys with the prefix aws: are reserved. */
  tagKey: rule(
    /^(?![aA][wW][sS]:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u,
    "a tag key: letters, digits, spaces and _ . : / = + - @, at most 128, not beginning with aws:",
  ),
  tagValue: rule(
    /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u,
    "a tag value: letters, digits, spaces and _ . : / = + - @, at most 256",
  ),
  /** IAM CreateRole, Description: printable Latin-1, at most 1000. */
  description: rule(
    /^[\t\n\r -~¡-ÿ]{0,1000}$/,
    "a description: at most 1000 characters that IAM takes (Latin-1: no typographic quotes or dashes)",
  ),
  iamAction: rule(/^[a-z0-9-]+:[A-Za-z0-9*?]+$/, 'an IAM action or pattern, such as "glue:GetJob*"'),
  /** Docker reference grammar: optional host and port, path, tag and/or digest. */
  imageReference: rule(
    /^(?=.{1,500}$)([a-zA-Z0-9.-]+(:\d+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    'an image reference, such as "registry.example.com/aws-api-mcp-server@sha256:…"',
  ),
  repository: rule(
    /^(?=.{1,255}$)([a-zA-Z0-9.-]+(:\d+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
    'an image repository without tag, such as "registry.example.com/team/aws-api-mcp-server"',
  ),
  /** ECR CreateRepository: 2 to 256, lower case. */
  ecrRepository: rule(
    /^(?=.{2,256}$)[a-z0-9]+([._-][a-z0-9]+)*(\/[a-z0-9]+([._-][a-z0-9]+)*)*$/,
    'an ECR repository name without the registry, such as "holmes/aws-api-mcp-server"',
  ),
  tag: rule(/^\w[\w.-]{0,127}$/, "an image tag: letters, digits and _ . -, at most 128"),
  /** RFC 4632; the API server parses it again. */
  cidr: rule(
    /^(\d{1,3}(\.\d{1,3}){3}\/([0-9]|[12]\d|3[0-2])|[0-9a-fA-F:]+\/\d{1,3})$/,
    'a CIDR block, such as "10.0.0.0/16"',
  ),
  organizationalUnit: rule(
    /^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$/,
    'an organizational unit or root id, such as "ou-abcd-11112222"',
  ),
} as const;

export const limits = {
  /** IAM quota "OpenID Connect providers per account", not adjustable. */
  oidcProvidersPerAccount: 100,
  /** IAM quota: tags per role, policy or provider; the program adds none of its own to the user's. */
  tags: 50,
  /** IAM role MaxSessionDuration in seconds. */
  sessionDuration: { min: 3600, max: 43200 },
  /** IAM quota "Role trust policy length", in characters that are not white space: default and highest. */
  trustPolicy: { default: 2048, max: 4096 },
  /** STS RoleSessionName. */
  roleSessionName: 64,
} as const;

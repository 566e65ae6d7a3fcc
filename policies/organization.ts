/**
 * The OIDC providers, roles and policies as a CloudFormation template, for a StackSet of an organization. The template
 * uses the account and partition of the stack. All documents are the same as for directly managed accounts.
 */
import { createHash } from "node:crypto";
import type { PermissionPlan } from "./permissions.js";
import { SizeError } from "./size.js";
import { AUDIENCE, type PackTrustArgs, packTrustPolicies, roleNameFor } from "./trust.js";

export interface OrganizationTemplateArgs extends Pick<PackTrustArgs, "clusters" | "subjects" | "partition"> {
  /** Quota for a trust policy in every account, in characters without white space. */
  readonly trustPolicyLimit: number;
  readonly roleName: string;
  /** IAM path of roles and policies: `/`, `/holmes/`. */
  readonly path: string;
  /** MaxSessionDuration of the roles, in seconds. */
  readonly sessionDuration: number;
  /** Name (with path) of a managed policy that exists in each account, or a policy ARN. */
  readonly permissionsBoundary?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly permissions: PermissionPlan;
  /** Whether the OIDC providers are retained when a stack is deleted. */
  readonly retainOidcProviders: boolean;
  /** Ids of accounts where a cluster's OIDC providers already exist and are not created, by cluster name. */
  readonly existingOidcProviders?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Maximum size of a template that is passed as text, in bytes. The limit for S3 is 1 MB.
 * Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
 */
export const TEMPLATE_BODY_LIMIT = 51_200;

/** The wildcard account ID of a StackSet template. It has the length of an account ID, so that sizes are exact. */
const ANY_ACCOUNT = "000000000000";
/** Maximum number of conditions in one Fn::Or. */
const OR_LIMIT = 10;

/**
 * Creates a template with the resources of one account. Logical ids are derived from issuers and names, so that adding
 * or removing a cluster does not affect the resources of others. Requires the capability CAPABILITY_NAMED_IAM.
 *
 * @throws SizeError as packTrustPolicies, and when the template exceeds TEMPLATE_BODY_LIMIT
 */
export function organizationTemplate(args: OrganizationTemplateArgs) {
  const { clusters, partition, path: Path, permissionsBoundary, permissions } = args;
  const Conditions: Record<string, object> = {};
  const Resources: Record<string, Record<string, unknown>> = {};
  const Outputs: Record<string, object> = {};
  const tags = Object.entries(args.tags).map(([Key, Value]) => ({ Key, Value }));
  const Tags = tags.length > 0 ? tags : undefined;
  const retention = args.retainOidcProviders ? { DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" } : {};
  const inAccount = (value: unknown) => portable(value, partition);

  for (const { name, issuers } of clusters) {
    const existing = args.existingOidcProviders?.[name] ?? [];
    for (const issuer of issuers) {
      const id = logicalId("OidcProvider", issuer);
      const Condition = existing.length > 0 ? `Make${id}` : undefined;
      if (Condition !== undefined) Conditions[Condition] = { "Fn::Not": [accountIn(existing)] };
      const Properties = { Url: `https://${issuer}`, ClientIdList: [AUDIENCE], Tags };
      Resources[id] = { Type: "AWS::IAM::OIDCProvider", Condition, ...retention, Properties };
    }
  }

  const isManaged = permissions.placement === "managed";
  const policies = permissions.policies.map((one) => ({ ...one, document: inAccount(one.document) }));
  for (const { name, document } of isManaged ? policies : []) {
    Resources[logicalId("Policy", name)] = {
      Type: "AWS::IAM::ManagedPolicy",
      Properties: { ManagedPolicyName: name, Path, PolicyDocument: document },
    };
  }
  const attached = policies.map(({ name }) => ({ Ref: logicalId("Policy", name) }));
  const inline = policies.map(({ name, document }) => ({ PolicyName: name, PolicyDocument: document }));

  const roles = packTrustPolicies({ ...args, accountId: ANY_ACCOUNT, limit: args.trustPolicyLimit });
  for (const { number, document, clusters: names } of roles) {
    const trusted = clusters.filter(({ name }) => names.includes(name)).flatMap(({ issuers }) => issuers);
    Resources[`Role${number}`] = {
      Type: "AWS::IAM::Role",
      DependsOn: trusted.map((issuer) => logicalId("OidcProvider", issuer)),
      Properties: {
        RoleName: roleNameFor(args.roleName, number),
        Path,
        AssumeRolePolicyDocument: inAccount(document),
        MaxSessionDuration: args.sessionDuration,
        Tags,
        PermissionsBoundary: permissionsBoundary && inAccount(policyArn(permissionsBoundary, partition)),
        Policies: isManaged ? undefined : inline,
        ManagedPolicyArns: isManaged ? attached : undefined,
      },
    };
    Outputs[`Role${number}Arn`] = { Value: { "Fn::GetAtt": [`Role${number}`, "Arn"] } };
  }

  const template = {
    AWSTemplateFormatVersion: "2010-09-09",
    Description: "Read-only role(s) for HolmesGPT's AWS MCP server, trusted by EKS clusters",
    Conditions: Object.keys(Conditions).length > 0 ? Conditions : undefined,
    Resources,
    Outputs,
  };
  const size = Buffer.byteLength(JSON.stringify(template));
  if (size > TEMPLATE_BODY_LIMIT) {
    const message = `It has ${size} bytes. Raise iam.trustPolicyLimit for fewer roles, or disable service groups (iam.disabledPolicyGroups).`;
    throw new SizeError("the template of the StackSet", size, TEMPLATE_BODY_LIMIT, message);
  }
  return template;
}

/** Replaces the wildcard account ID and the partition in values with those of the stack. Keys do not change. */
function portable(value: unknown, partition: string): unknown {
  if (typeof value === "string") {
    if (!value.startsWith(`arn:${partition}:`)) return value;
    const text = value
      .replaceAll("${", "${!")
      .replace(`arn:${partition}:`, "arn:${AWS::Partition}:")
      .replace(`:${ANY_ACCOUNT}:`, ":${AWS::AccountId}:");
    return { "Fn::Sub": text };
  }
  if (Array.isArray(value)) return value.map((one) => portable(one, partition));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, portable(one, partition)]));
}

const policyArn = (policy: string, partition: string) =>
  policy.startsWith("arn:") ? policy : `arn:${partition}:iam::${ANY_ACCOUNT}:policy/${policy.replace(/^\//, "")}`;

const accountIn = (accountIds: readonly string[]) =>
  any(accountIds.map((accountId) => ({ "Fn::Equals": [{ Ref: "AWS::AccountId" }, accountId] })));

function any(tests: object[]): object {
  if (tests.length === 1) return tests[0]!;
  if (tests.length <= OR_LIMIT) return { "Fn::Or": tests };
  const size = Math.ceil(tests.length / OR_LIMIT);
  const parts = Array.from({ length: OR_LIMIT }, (_, n) => tests.slice(n * size, (n + 1) * size));
  return any(parts.filter((part) => part.length > 0).map(any));
}

const logicalId = (kind: string, name: string) =>
  `${kind}${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;

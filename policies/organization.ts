/**
 * The OIDC providers, roles and policies as a CloudFormation template, for a StackSet of an organization. The template
 * uses the account and partition of the stack. All documents are the same as for directly managed accounts.
 */
import { createHash } from "node:crypto";
import type { PermissionPlan } from "./permissions.js";
import { AUDIENCE, packTrustPolicies, roleNameFor, type Subject, type TrustCluster } from "./trust.js";

export interface OrganizationTemplateArgs {
  /** In config order. */
  readonly clusters: readonly TrustCluster[];
  readonly subjects: readonly Subject[];
  /** Partition of the organization and all its accounts. */
  readonly partition: string;
  /** Quota for a trust policy in every account, in characters without white space. */
  readonly trustPolicyLimit: number;
  readonly roleName: string;
  /** IAM path of roles and policies: `/`, `/holmes/`. */
  readonly path: string;
  /** MaxSessionDuration of the roles, in seconds. */
  readonly sessionDuration: number;
  /** Name (with path) of a managed policy that exists in each account, or a policy ARN. */
  readonly permissionsBoundary?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly permissions: PermissionPlan;
  /** Whether the OIDC providers are retained when a stack is deleted. */
  readonly retainOidcProviders: boolean;
  /** Ids of accounts where a cluster's OIDC providers already exist and are not created, by cluster name. */
  readonly existingOidcProviders?: Readonly<Record<string, readonly string[]>>;
}

/** JSON of a template, including intrinsic functions. */
export type Json = string | number | boolean | Json[] | { [key: string]: Json };

export interface Template {
  AWSTemplateFormatVersion: "2010-09-09";
  Description: string;
  Conditions?: Record<string, Json>;
  Resources: Record<string, Record<string, Json>>;
  Outputs: Record<string, Json>;
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
 * @throws TrustSizeError as packTrustPolicies
 * @throws Error when the template exceeds TEMPLATE_BODY_LIMIT
 */
export function organizationTemplate(args: OrganizationTemplateArgs): Template {
  const roles = packTrustPolicies({ ...args, accountId: ANY_ACCOUNT, limit: args.trustPolicyLimit });
  const conditions: Record<string, Json> = {};
  const resources: Template["Resources"] = {};
  const tags = Object.entries(args.tags).map(([Key, Value]) => ({ Key, Value }));
  const tagged: Record<string, Json> = tags.length === 0 ? {} : { Tags: tags };

  for (const { name, issuers } of args.clusters) {
    const existing = args.existingOidcProviders?.[name] ?? [];
    for (const issuer of issuers) {
      const id = logicalId("OidcProvider", issuer);
      if (existing.length > 0) conditions[`Make${id}`] = { "Fn::Not": [accountIn(existing)] };
      resources[id] = {
        Type: "AWS::IAM::OIDCProvider",
        ...(existing.length > 0 ? { Condition: `Make${id}` } : {}),
        ...(args.retainOidcProviders ? { DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" } : {}),
        Properties: { Url: `https://${issuer}`, ClientIdList: [AUDIENCE], ...tagged },
      };
    }
  }

  const inAccount = (value: unknown) => portable(value as Json, args.partition);
  const managed = args.permissions.placement === "managed" ? args.permissions.policies : [];
  for (const { name, document } of managed) {
    resources[logicalId("Policy", name)] = {
      Type: "AWS::IAM::ManagedPolicy",
      Properties: { ManagedPolicyName: name, Path: args.path, PolicyDocument: inAccount(document) },
    };
  }
  const inline = (args.permissions.placement === "inline" ? args.permissions.policies : []).map((policy) => ({
    PolicyName: policy.name,
    PolicyDocument: inAccount(policy.document),
  }));
  const boundary = args.permissionsBoundary;

  const outputs: Template["Outputs"] = {};
  for (const { number, document, clusters } of roles) {
    const id = `Role${number}`;
    const trusted = args.clusters.filter(({ name }) => clusters.includes(name)).flatMap(({ issuers }) => issuers);
    resources[id] = {
      Type: "AWS::IAM::Role",
      DependsOn: trusted.map((issuer) => logicalId("OidcProvider", issuer)),
      Properties: {
        RoleName: roleNameFor(args.roleName, number),
        Path: args.path,
        AssumeRolePolicyDocument: inAccount(document),
        MaxSessionDuration: args.sessionDuration,
        ...tagged,
        ...(boundary === undefined ? {} : { PermissionsBoundary: inAccount(policyArn(boundary, args.partition)) }),
        ...(inline.length === 0 ? {} : { Policies: inline }),
        ...(managed.length === 0
          ? {}
          : { ManagedPolicyArns: managed.map(({ name }) => ({ Ref: logicalId("Policy", name) })) }),
      },
    };
    outputs[`${id}Arn`] = { Value: { "Fn::GetAtt": [id, "Arn"] } };
  }

  const template: Template = {
    AWSTemplateFormatVersion: "2010-09-09",
    Description: "Read-only role(s) for HolmesGPT's AWS MCP server, trusted by EKS clusters",
    ...(Object.keys(conditions).length === 0 ? {} : { Conditions: conditions }),
    Resources: resources,
    Outputs: outputs,
  };
  const size = Buffer.byteLength(JSON.stringify(template));
  if (size > TEMPLATE_BODY_LIMIT) {
    throw new Error(
      `the StackSet's template has ${size} bytes, CloudFormation takes ${TEMPLATE_BODY_LIMIT}: raise iam.trustPolicyLimit ` +
        "for fewer roles, or disable service groups (iam.disabledPolicyGroups).",
    );
  }
  return template;
}

/** Replaces the wildcard account ID and the partition in values with those of the stack. Keys do not change. */
function portable(value: Json, partition: string): Json {
  if (typeof value === "string") {
    if (!value.startsWith(`arn:${partition}:`)) return value;
    const text = value
      .replaceAll("${", "${!")
      .replace(`arn:${partition}:`, "arn:${AWS::Partition}:")
      .replace(`:${ANY_ACCOUNT}:`, ":${AWS::AccountId}:");
    return { "Fn::Sub": text };
  }
  if (Array.isArray(value)) return value.map((one) => portable(one, partition));
  if (typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, portable(one, partition)]));
  }
  return value;
}

function policyArn(policy: string, partition: string): string {
  return policy.startsWith("arn:")
    ? policy
    : `arn:${partition}:iam::${ANY_ACCOUNT}:policy/${policy.replace(/^\//, "")}`;
}

function accountIn(accountIds: readonly string[]): Json {
  return any(accountIds.map((accountId) => ({ "Fn::Equals": [{ Ref: "AWS::AccountId" }, accountId] })));
}

function any(tests: Json[]): Json {
  if (tests.length === 1) return tests[0]!;
  if (tests.length <= OR_LIMIT) return { "Fn::Or": tests };
  const size = Math.ceil(tests.length / OR_LIMIT);
  const parts = Array.from({ length: OR_LIMIT }, (_, n) => tests.slice(n * size, (n + 1) * size));
  return any(parts.filter((part) => part.length > 0).map(any));
}

function logicalId(kind: string, name: string): string {
  return `${kind}${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;
}

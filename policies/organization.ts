/**
 * The same OIDC providers, role(s) and policies as a CloudFormation template, for a StackSet over an organization.
 * Account and partition come from the account that a stack is in; everything else is the direct way's own documents.
 */
import { createHash } from "node:crypto";
import type { PermissionPlan } from "./permissions.js";
import { AUDIENCE, packTrustPolicies, roleNameFor, type Subject, type TrustCluster } from "./trust.js";

export interface OrganizationTemplateArgs {
  /** In config order. */
  clusters: TrustCluster[];
  subjects: Subject[];
  /** Partition of the organization; all its accounts are in it. */
  partition: string;
  /** Characters that are not white space that a trust policy may have in every account. */
  trustPolicyLimit: number;
  roleName: string;
  /** Path of roles and policies: `/`, `/holmes/`. */
  path: string;
  /** MaxSessionDuration of the roles, in seconds. */
  sessionDuration: number;
  /** Name (with path) of a managed policy that is in each account, or a policy ARN. */
  permissionsBoundary?: string | undefined;
  tags: Record<string, string>;
  permissions: PermissionPlan;
  /** Keeps the OIDC providers when a stack is deleted. */
  retainOidcProviders: boolean;
  /** Accounts that have a cluster's providers already; none are made for it there. By the cluster's name. */
  existingOidcProviders?: Record<string, string[]>;
}

/** JSON of a template: texts, numbers and intrinsic functions. */
export type Json = string | number | boolean | Json[] | { [key: string]: Json };

export interface Template {
  AWSTemplateFormatVersion: "2010-09-09";
  Description: string;
  Conditions?: Record<string, Json>;
  Resources: Record<string, Record<string, Json>>;
  Outputs: Record<string, Json>;
}

/**
 * Bytes of a template that is passed as text; through S3 it may have 1 MB.
 * Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
 */
export const TEMPLATE_BODY_LIMIT = 51_200;

/** Stands for the account while documents are made: as long as any account id, so that sizes are right. */
const ANY_ACCOUNT = "000000000000";
/** What CloudFormation takes in one Fn::Or. */
const OR_LIMIT = 10;

/** The template as text, without white space that counts for nothing. */
export function templateBody(template: Template): string {
  return JSON.stringify(template);
}

/**
 * A template with a stack's worth of resources for one account. Logical ids follow from issuers and names, so that a
 * cluster that is added or taken out touches no other one's resources. Needs the capability CAPABILITY_NAMED_IAM.
 *
 * @throws TrustSizeError as packTrustPolicies does, Error when the template exceeds what CloudFormation takes as text.
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
  const inline = args.permissions.placement === "inline" ? args.permissions.policies : [];

  const outputs: Template["Outputs"] = {};
  for (const { number, document, clusters } of roles) {
    const id = `Role${number}`;
    const trusted = args.clusters.filter(({ name }) => clusters.includes(name)).flatMap(({ issuers }) => issuers);
    const properties: Record<string, Json> = {
      RoleName: roleNameFor(args.roleName, number),
      Path: args.path,
      AssumeRolePolicyDocument: inAccount(document),
      MaxSessionDuration: args.sessionDuration,
      ...tagged,
    };
    if (args.permissionsBoundary !== undefined) {
      properties.PermissionsBoundary = inAccount(policyArn(args.permissionsBoundary, args.partition));
    }
    if (inline.length > 0) {
      properties.Policies = inline.map((policy) => ({
        PolicyName: policy.name,
        PolicyDocument: inAccount(policy.document),
      }));
    }
    if (managed.length > 0) {
      properties.ManagedPolicyArns = managed.map(({ name }) => ({ Ref: logicalId("Policy", name) }));
    }
    resources[id] = {
      Type: "AWS::IAM::Role",
      DependsOn: trusted.map((issuer) => logicalId("OidcProvider", issuer)),
      Properties: properties,
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
  const size = Buffer.byteLength(templateBody(template));
  if (size > TEMPLATE_BODY_LIMIT) {
    throw new Error(
      `the StackSet's template has ${size} bytes, CloudFormation takes ${TEMPLATE_BODY_LIMIT}: raise iam.trustPolicyLimit ` +
        "for fewer roles, or disable service groups (iam.disabledPolicyGroups).",
    );
  }
  return template;
}

/** Puts the stack's own account and partition where the document has the stand-in; keys stay as they are. */
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

function accountIn(accountIds: string[]): Json {
  const tests: Json[] = accountIds.map((accountId) => ({ "Fn::Equals": [{ Ref: "AWS::AccountId" }, accountId] }));
  return any(tests);
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

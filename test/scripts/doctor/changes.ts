/** Kinds of changes outside Pulumi, with the finding that reports each. */
import {
  AttachRolePolicyCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  DeleteOpenIDConnectProviderCommand,
  DeleteRolePermissionsBoundaryCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetOpenIDConnectProviderCommand,
  GetRoleCommand,
  type IAMClient,
  PutRolePermissionsBoundaryCommand,
  PutRolePolicyCommand,
  TagOpenIDConnectProviderCommand,
  TagRoleCommand,
  UntagOpenIDConnectProviderCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from "@aws-sdk/client-iam";
import { OWNERSHIP_TAG } from "../../../config/ownership.js";
import type { PolicyDocument, Statement } from "../../../policies/types.js";
import type { FindingCode } from "../../../scripts/doctor/codes.js";

const RoleName = "EKSMultiAccountMCPRole";
const PolicyName = "MCPReadOnlyPolicy";

export interface Target {
  readonly iam: IAMClient;
  readonly accountId: string;
  /** ARN of the stack's OIDC provider. */
  readonly provider: string;
}

export interface Change {
  readonly name: string;
  readonly apply: (target: Target) => Promise<unknown>;
  readonly code: FindingCode;
  /** Part of the finding's subject and message. */
  readonly says: RegExp;
  /** What resolves it; default: `pulumi up --refresh`. */
  readonly command?: RegExp;
  /** What that command does. */
  readonly undo?: (target: Target) => Promise<unknown>;
}

const trust =
  (edit: (statements: Statement[]) => Statement[]) =>
  async ({ iam }: Target) => {
    const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
    const document = JSON.parse(decodeURIComponent(Role!.AssumeRolePolicyDocument!)) as PolicyDocument;
    const PolicyDocument = JSON.stringify({ ...document, Statement: edit([...document.Statement]) });
    return iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }));
  };

/** Replaces the conditions of the first statement. */
const condition = (edit: (key: string, value: unknown) => [string, unknown] | undefined) =>
  trust(([first, ...rest]) => {
    const entries = Object.entries(first!.Condition!.StringEquals!).flatMap(([key, value]) => {
      const edited = edit(key, value);
      return edited === undefined ? [] : [edited];
    });
    return [{ ...first!, Condition: { StringEquals: Object.fromEntries(entries) as Record<string, string> } }, ...rest];
  });

const foreign: Statement = {
  Effect: "Allow",
  Principal: { AWS: "arn:aws:iam::777777777777:root" },
  Action: "sts:AssumeRole",
};
const write = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Sid: "Write", Effect: "Allow", Action: "s3:PutObject", Resource: "*" }],
});

/** A policy of another owner, for a boundary or an attachment. */
const policy = async ({ iam }: Target, name: string) =>
  (await iam.send(new CreatePolicyCommand({ PolicyName: name, PolicyDocument: write }))).Policy!.Arn!;

/** moto has no API to edit the audiences, so the provider is created again. */
const audiences =
  (ClientIDList: string[]) =>
  async ({ iam, provider: OpenIDConnectProviderArn }: Target) => {
    const { Tags, Url } = await iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    await iam.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    return iam.send(new CreateOpenIDConnectProviderCommand({ Url: `https://${Url}`, ClientIDList, Tags: Tags ?? [] }));
  };

const role = (name: string, says: RegExp, apply: Change["apply"]): Change => ({
  name,
  apply,
  code: "role-differs",
  says,
});

/**
 * The account has one OIDC provider, and a role with one inline policy and the boundary `Boundary`. The role has no
 * description, because moto drops it with each UpdateRole.
 */
export const changes: readonly Change[] = [
  role(
    "another principal is trusted",
    /trust policy.*777777777777.*added/s,
    trust((all) => [...all, foreign]),
  ),
  role(
    "the trust of the cluster is replaced",
    /trust policy.*missing.*777777777777.*added/s,
    trust(() => [foreign]),
  ),
  role(
    "the condition on the audience is removed",
    /trust policy.*changed/s,
    condition((key, value) => (key.endsWith(":aud") ? undefined : [key, value])),
  ),
  role(
    "the condition on the subject is removed",
    /trust policy.*changed/s,
    condition((key, value) => (key.endsWith(":sub") ? undefined : [key, value])),
  ),
  role(
    "another service account is trusted",
    /trust policy.*changed/s,
    condition((key, value) => [key, key.endsWith(":sub") ? [value, "system:serviceaccount:default:default"] : value]),
  ),
  role("the description changes", /description of role/, ({ iam }) =>
    iam.send(new UpdateRoleCommand({ RoleName, Description: "edited" })),
  ),
  role("the session duration changes", /session duration of role.*43200/s, ({ iam }) =>
    iam.send(new UpdateRoleCommand({ RoleName, MaxSessionDuration: 43_200 })),
  ),
  role("the permissions boundary is removed", /permissions boundary of role.*found ""/s, ({ iam }) =>
    iam.send(new DeleteRolePermissionsBoundaryCommand({ RoleName })),
  ),
  role("the permissions boundary is replaced", /permissions boundary of role.*Other/s, async (target) =>
    target.iam.send(
      new PutRolePermissionsBoundaryCommand({ RoleName, PermissionsBoundary: await policy(target, "Other") }),
    ),
  ),
  role("a tag of the role is removed", /tags of role.*tag team missing/s, ({ iam }) =>
    iam.send(new UntagRoleCommand({ RoleName, TagKeys: ["team"] })),
  ),
  role("a tag of the role changes", /tags of role.*tag team changed/s, ({ iam }) =>
    iam.send(new TagRoleCommand({ RoleName, Tags: [{ Key: "team", Value: "other" }] })),
  ),
  role("a tag is added to the role", /tags of role.*tag extra added/s, ({ iam }) =>
    iam.send(new TagRoleCommand({ RoleName, Tags: [{ Key: "extra", Value: "x" }] })),
  ),
  role("the ownership tag of the role is removed", /tags of role.*holmes-aws-mcp\/stack missing/s, ({ iam }) =>
    iam.send(new UntagRoleCommand({ RoleName, TagKeys: [OWNERSHIP_TAG] })),
  ),
  role("the permissions are replaced", /policy MCPReadOnlyPolicy.*Write added/s, ({ iam }) =>
    iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: write })),
  ),
  role("the permissions are deleted", /policy MCPReadOnlyPolicy.*deleted/s, ({ iam }) =>
    iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName })),
  ),
  {
    name: "an inline policy is added",
    apply: ({ iam }) => iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: "Extra", PolicyDocument: write })),
    code: "policy-of-others",
    says: /Extra/,
    command: /delete-role-policy --role-name EKSMultiAccountMCPRole --policy-name Extra/,
    undo: ({ iam }) => iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: "Extra" })),
  },
  {
    name: "a managed policy is attached",
    apply: async (target) =>
      target.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: await policy(target, "Attached") })),
    code: "policy-of-others",
    says: /Attached/,
    command: /detach-role-policy --role-name EKSMultiAccountMCPRole --policy-arn \S+Attached/,
    undo: ({ iam, accountId }) =>
      iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: `arn:aws:iam::${accountId}:policy/Attached` })),
  },
  {
    name: "the audience is removed from the provider",
    apply: audiences(["other"]),
    code: "provider-audience",
    says: /without sts\.amazonaws\.com/,
  },
  {
    name: "an audience is added to the provider",
    apply: audiences(["sts.amazonaws.com", "other"]),
    code: "provider-differs",
    says: /audience other added/,
  },
  {
    name: "a tag of the provider changes",
    apply: ({ iam, provider }) =>
      iam.send(
        new TagOpenIDConnectProviderCommand({
          OpenIDConnectProviderArn: provider,
          Tags: [{ Key: "team", Value: "other" }],
        }),
      ),
    code: "provider-differs",
    says: /tag team changed/,
  },
  {
    name: "a tag of the provider is removed",
    apply: ({ iam, provider }) =>
      iam.send(new UntagOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: provider, TagKeys: ["team"] })),
    code: "provider-differs",
    says: /tag team missing/,
  },
  {
    name: "the provider is deleted",
    apply: ({ iam, provider }) =>
      iam.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: provider })),
    code: "provider-gone",
    says: /OIDC provider of/,
  },
];

import { optional, union } from "zod";
import { boolean, flag, object, secret, set, text } from "../fields.js";
import { rules } from "../limits.js";

const assumeRole = object({
  roleArn: text(rules.roleArn, "arn:aws:iam::111111111111:role/Provisioner").describe(
    "Role in the target account that the AWS provider assumes.",
  ),
  externalId: optional(secret(rules.externalId, "holmes-aws-mcp")).describe(
    "External ID that the role's trust policy requires.",
  ),
  sourceProfile: optional(text(rules.profile, "management")).describe(
    "AWS profile that assumes the role. Default: the default credentials of the AWS SDK.",
  ),
});

const adoption = object({
  oidcProviders: union([boolean(), set(text(rules.clusterName, "prod-us-east-1"), "cluster names")], {
    error: "true, false or a list of cluster names",
  })
    .default(false)
    .describe("OIDC providers to import: `true` for all, or a list of cluster names."),
  role: flag(false).describe("Whether to import the role."),
  policy: flag(false).describe("Whether to import the inline policy."),
});

export const targetAccountSchema = object({
  profile: text(rules.profile, "prod").describe(
    "AWS profile that provisions the account. Holmes uses the same name with `--profile`.",
  ),
  previousProfile: optional(text(rules.profile, "production")).describe(
    "Previous `profile` of a renamed account. Pulumi then keeps the resources instead of replacing them.",
  ),
  accountId: text(rules.accountId, "111111111111").describe(
    "Account ID, in quotes. The AWS provider rejects credentials of any other account.",
  ),
  description: text(rules.description, "Production: workloads and databases")
    .default("")
    .describe("Description of the account for Holmes. Also the description of the IAM role."),
  region: optional(text(rules.region, "eu-west-1")).describe(
    "Default region of the profile. Default: the region of the first cluster.",
  ),
  clusters: optional(
    set(text(rules.clusterName, "prod-us-east-1"), "cluster names").min(1, { error: "at least one cluster" }),
  ).describe("Clusters that the account trusts. Default: all."),
  assumeRole: optional(assumeRole).describe("Role to assume for provisioning, instead of using the profile."),
  existingOidcProviders: set(text(rules.clusterName, "prod-us-east-1"), "cluster names")
    .default([])
    .describe(
      "Clusters whose OIDC provider already exists in the account. The stack uses these providers and never updates or deletes them.",
    ),
  adopt: union([boolean(), adoption], { error: "true, false or an object with oidcProviders, role, policy" })
    .meta({ example: true })
    .default(false)
    .describe(
      "Imports the resources that the legacy script created: `true` for all, or an object with the parts. Can stay set after the import. Before you add a cluster, replace `true` with the parts, because the OIDC provider of a new cluster does not exist yet.",
    ),
  manage: flag(true).describe(
    "Whether the stack creates the role. With `false`, another stack or a StackSet creates it. Its ARN is derived from the account ID and the names.",
  ),
  permissionsBoundary: optional(text(rules.permissionsBoundary, "ReadOnlyBoundary")).describe(
    "Permissions boundary of this account. Overrides `iam.permissionsBoundary`.",
  ),
  policyFile: optional(text(rules.filePath, "policies.billing.json")).describe(
    "Policy file of this account. Overrides `iam.policyFile`.",
  ),
});

import { z } from "zod";
import { doc, filePath, flag, object, secret, set, text } from "../fields.js";
import { rules } from "../limits.js";

const assumeRole = object({
  roleArn: doc(
    text(rules.roleArn),
    "Role in the target account that the AWS provider assumes.",
    "arn:aws:iam::111111111111:role/Provisioner",
  ),
  externalId: doc(
    secret(rules.externalId).optional(),
    "External ID that the role's trust policy requires.",
    "holmes-aws-mcp",
  ),
  sourceProfile: doc(
    text(rules.profile).optional(),
    "AWS profile that assumes the role. Default: the default credentials of the AWS SDK.",
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
    "OIDC providers to import: `true` for all, or a list of cluster names.",
    ["prod-us-east-1"],
  ),
  role: doc(flag().default(false), "Whether to import the role.", true),
  policy: doc(flag().default(false), "Whether to import the inline policy.", true),
});

export const targetAccountSchema = object({
  profile: doc(
    text(rules.profile),
    "AWS profile that provisions the account. Holmes uses the same name with `--profile`.",
    "prod",
  ),
  previousProfile: doc(
    text(rules.profile).optional(),
    "Previous `profile` of a renamed account. Pulumi then keeps the resources instead of replacing them.",
    "production",
  ),
  accountId: doc(
    text(rules.accountId),
    "Account ID, in quotes. The AWS provider rejects credentials of any other account.",
    "111111111111",
  ),
  description: doc(
    text(rules.description).default(""),
    "Description of the account for Holmes. Also the description of the IAM role.",
    "Production: workloads and databases",
  ),
  region: doc(
    text(rules.region).optional(),
    "Default region of the profile. Default: the region of the first cluster.",
    "eu-west-1",
  ),
  clusters: doc(
    set(text(rules.clusterName), "cluster names").min(1, { error: "at least one cluster" }).optional(),
    "Clusters that the account trusts. Default: all.",
    ["prod-us-east-1"],
  ),
  assumeRole: doc(assumeRole.optional(), "Role to assume for provisioning, instead of using the profile.", {
    roleArn: "arn:aws:iam::111111111111:role/Provisioner",
  }),
  existingOidcProviders: doc(
    set(text(rules.clusterName), "cluster names").default([]),
    "Clusters whose OIDC provider already exists in the account. The stack uses these providers and never updates or deletes them.",
    ["prod-us-east-1"],
  ),
  adopt: doc(
    z.union([flag(), adoption], { error: "true, false or an object with oidcProviders, role, policy" }).default(false),
    "Imports the resources that the legacy script created: `true` for all, or an object with the parts. Can stay set after the import. Before you add a cluster, replace `true` with the parts, because the OIDC provider of a new cluster does not exist yet.",
    true,
  ),
  manage: doc(
    flag().default(true),
    "Whether the stack creates the role. With `false`, another stack or a StackSet creates it. Its ARN is derived from the account ID and the names.",
    false,
  ),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "Permissions boundary of this account. Overrides `iam.permissionsBoundary`.",
    "ReadOnlyBoundary",
  ),
  policyFile: doc(
    text(filePath).optional(),
    "Policy file of this account. Overrides `iam.policyFile`.",
    "policies.billing.json",
  ),
});

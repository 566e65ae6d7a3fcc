import { z } from "zod";
import { doc, filePath, flag, object, secret, set, text } from "../fields.js";
import { rules } from "../limits.js";

const assumeRole = object({
  roleArn: doc(
    text(rules.roleArn),
    "Role in the target account that provisions.",
    "arn:aws:iam::111111111111:role/Provisioner",
  ),
  externalId: doc(
    secret(rules.externalId).optional(),
    "External id that the role's trust policy asks for.",
    "holmes-aws-mcp",
  ),
  sourceProfile: doc(
    text(rules.profile).optional(),
    "AWS profile that assumes the role. Default: the SDK's default credentials.",
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
    "Providers to take over: all, or those of the named clusters.",
    ["prod-us-east-1"],
  ),
  role: doc(flag().default(false), "Whether the role is taken over.", true),
  policy: doc(flag().default(false), "Whether the inline policy is taken over.", true),
});

export const targetAccountSchema = object({
  profile: doc(
    text(rules.profile),
    "Name of the account for Holmes (`--profile`), and the AWS profile that provisions it.",
    "prod",
  ),
  previousProfile: doc(
    text(rules.profile).optional(),
    "The profile that this account had in the stack before it was renamed, so that its resources are kept.",
    "production",
  ),
  accountId: doc(
    text(rules.accountId),
    "Account id, in quotes. The provider rejects any other account.",
    "111111111111",
  ),
  description: doc(
    text(rules.description).default(""),
    "What Holmes is told about the account; also the role's description.",
    "Production: workloads and databases",
  ),
  region: doc(
    text(rules.region).optional(),
    "Default region of the profile. Default: the first cluster's region.",
    "eu-west-1",
  ),
  clusters: doc(
    set(text(rules.clusterName), "cluster names").min(1, { error: "at least one cluster" }).optional(),
    "Clusters that the account trusts. Default: all.",
    ["prod-us-east-1"],
  ),
  assumeRole: doc(assumeRole.optional(), "Role to assume for provisioning, in place of the profile.", {
    roleArn: "arn:aws:iam::111111111111:role/Provisioner",
  }),
  existingOidcProviders: doc(
    set(text(rules.clusterName), "cluster names").default([]),
    "Clusters whose OIDC provider the account has already: used, never changed, never deleted.",
    ["prod-us-east-1"],
  ),
  adopt: doc(
    z.union([flag(), adoption], { error: "true, false or an object with oidcProviders, role, policy" }).default(false),
    "Takes over what the old shell script made: all of it, or the named parts. It can stay in the file until a cluster is added: its provider is not there to take over, so name the parts then.",
    true,
  ),
  manage: doc(
    flag().default(true),
    "false: the role is made elsewhere (another stack, a StackSet); its ARN follows from the names.",
    false,
  ),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "In place of `iam.permissionsBoundary` for this account.",
    "ReadOnlyBoundary",
  ),
  policyFile: doc(text(filePath).optional(), "In place of `iam.policyFile` for this account.", "policies.billing.json"),
});

import { optional } from "zod";
import { disableableIds, optionalGroupIds } from "../../policies/groups.js";
import { sensitivePatterns } from "../../policies/sensitiveReads.js";
import { TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX } from "../../policies/size.js";
import { choice, flag, integer, nameIn, section, set, text, textMap } from "../fields.js";
import { limits, rules } from "../limits.js";

export const iamSchema = section({
  roleName: text(rules.roleName)
    .default("EKSMultiAccountMCPRole")
    .describe("Name of the role in every target account. Additional roles have the suffix `-2`, `-3`."),
  policyName: text(rules.policyName)
    .default("MCPReadOnlyPolicy")
    .describe("Name of the permission policy. Additional policies have the suffix `-2`, `-3`."),
  sessionDuration: integer(limits.sessionDuration.min, limits.sessionDuration.max, " of seconds")
    .default(3600)
    .describe(
      "Maximum session duration of the role, in seconds. Sessions of the MCP server always last 3600 s, and the SDK renews them.",
    ),
  path: text(rules.path, "/holmes/").default("/").describe("IAM path of the roles and policies."),
  permissionsBoundary: optional(text(rules.permissionsBoundary, "holmes/ReadOnlyBoundary")).describe(
    "Permissions boundary of the role: the name (with its path) of a managed policy in each account, or an ARN.",
  ),
  tags: textMap(rules.tagKey, rules.tagValue, { team: "platform" })
    .default({})
    .describe(`Tags of every AWS resource that the program creates: at most ${limits.tags}.`),
  trustPolicyLimit: integer(256, TRUST_POLICY_LIMIT_MAX, " of characters")
    .default(TRUST_POLICY_LIMIT)
    .describe("Maximum size of a trust policy, in characters without white space: the IAM quota of your accounts."),
  sensitiveReads: choice("deny", "allow").describe(
    "`deny`: an explicit Deny of reads that return credentials, secrets or customer data. `allow`: no Deny, as in the legacy policy.",
  ),
  sensitiveReadsExcept: set(nameIn(sensitivePatterns, "a pattern that iam.sensitiveReads denies"), "denied actions", [
    "ecs:Describe*TaskDefinition",
  ])
    .default([])
    .describe("Patterns from docs/permissions.md that `sensitiveReads` must not deny."),
  logContents: choice("allow", "deny").describe(
    "Whether the contents of logs can be read. `deny` adds an explicit Deny; log groups and streams can still be listed.",
  ),
  dataPerimeter: flag(true).describe(
    "Whether calls to resources of other accounts are denied, for the services listed in docs/permissions.md.",
  ),
  exclusivePolicies: flag(false).describe(
    "Whether `pulumi up` removes policies that were attached to the role outside this stack.",
  ),
  disabledPolicyGroups: set(nameIn(disableableIds, "a service group of the default policy"), "service groups", ["cost"])
    .default([])
    .describe("Service groups and billed calls of the default policy to omit. See docs/permissions.md."),
  additionalPolicyGroups: set(nameIn(optionalGroupIds, "an optional service group"), "optional service groups")
    .default([])
    .describe(
      `Optional service groups to add: ${optionalGroupIds.map((id) => `\`${id}\``).join(", ")}. The permissions become managed policies.`,
    ),
  additionalActions: set(text(rules.iamAction, "kendra:DescribeIndex"), "IAM actions")
    .default([])
    .describe("Additional actions to allow. The checks of the default policy apply."),
  allowedRegions: set(text(rules.region), "regions", ["us-east-1", "eu-west-1"])
    .default([])
    .describe("Regions that Holmes can read. Global services are exempt. Default: all regions."),
  policyFile: optional(text(rules.filePath, "policies.prod.json")).describe(
    "JSON file with a custom permission policy, which replaces the default policy.",
  ),
  policyChecks: choice("error", "warn").describe(
    "Severity of findings in a custom policy: writes, secrets, patterns that match no action. A file that is not a permission policy is always an error.",
  ),
  allowWritePermissions: flag(false).describe("Accepts a `policyFile` that allows write actions on every resource."),
  retainOidcProviders: flag(false).describe(
    "Whether `pulumi destroy` retains the OIDC providers that the stack created.",
  ),
});

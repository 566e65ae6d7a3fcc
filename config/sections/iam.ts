import { optionalGroupIds } from "../../policies/groups.js";
import { TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX } from "../../policies/size.js";
import { doc, filePath, flag, integer, line, object, oneOf, set, text, textMap } from "../fields.js";
import { limits, rules } from "../limits.js";

export const iamSchema = object({
  roleName: doc(
    text(rules.roleName).default("EKSMultiAccountMCPRole"),
    "Name of the role in every target account. Additional roles have the suffix `-2`, `-3`.",
    "EKSMultiAccountMCPRole",
  ),
  policyName: doc(
    text(rules.policyName).default("MCPReadOnlyPolicy"),
    "Name of the permission policy. Additional policies have the suffix `-2`, `-3`.",
    "MCPReadOnlyPolicy",
  ),
  sessionDuration: doc(
    integer(limits.sessionDuration.min, limits.sessionDuration.max, " of seconds").default(3600),
    "Maximum session duration of the role, in seconds. Sessions of the MCP server always last 3600 s, and the SDK renews them.",
    7200,
  ),
  path: doc(text(rules.path).default("/"), "IAM path of the roles and policies.", "/holmes/"),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "Permissions boundary of the role: the name (with its path) of a managed policy in each account, or an ARN.",
    "holmes/ReadOnlyBoundary",
  ),
  tags: doc(
    textMap(rules.tagKey, rules.tagValue).default({}),
    `Tags of every AWS resource that the program creates: at most ${limits.tags}.`,
    { team: "platform" },
  ),
  trustPolicyLimit: doc(
    integer(256, TRUST_POLICY_LIMIT_MAX, " of characters").default(TRUST_POLICY_LIMIT),
    "Maximum size of a trust policy, in characters without white space: the IAM quota of your accounts.",
    4096,
  ),
  sensitiveReads: doc(
    oneOf("deny", "allow").default("deny"),
    "`deny`: an explicit Deny of reads that return credentials, secrets or customer data. `allow`: no Deny, as in the legacy policy.",
    "deny",
  ),
  sensitiveReadsExcept: doc(
    set(text(rules.iamAction), "denied actions").default([]),
    "Patterns from docs/permissions.md that `sensitiveReads` must not deny.",
    ["ecs:Describe*TaskDefinition"],
  ),
  logContents: doc(
    oneOf("allow", "deny").default("allow"),
    "Whether the contents of logs can be read. `deny` adds an explicit Deny; log groups and streams can still be listed.",
    "deny",
  ),
  dataPerimeter: doc(
    flag().default(true),
    "Whether calls to resources of other accounts are denied, for the services listed in docs/permissions.md.",
    false,
  ),
  exclusivePolicies: doc(
    flag().default(false),
    "Whether `pulumi up` removes policies that were attached to the role outside this stack.",
    true,
  ),
  disabledPolicyGroups: doc(
    set(text(line), "names of service groups").default([]),
    "Service groups and billed calls of the default policy to omit. See docs/permissions.md.",
    ["cost"],
  ),
  additionalPolicyGroups: doc(
    set(text(line), "names of optional service groups").default([]),
    `Optional service groups to add: ${optionalGroupIds.map((id) => `\`${id}\``).join(", ")}. The permissions become managed policies.`,
    ["ses"],
  ),
  additionalActions: doc(
    set(text(rules.iamAction), "IAM actions").default([]),
    "Additional actions to allow. The checks of the default policy apply.",
    ["kendra:DescribeIndex"],
  ),
  allowedRegions: doc(
    set(text(rules.region), "regions").default([]),
    "Regions that Holmes can read. Global services are exempt. Default: all regions.",
    ["us-east-1", "eu-west-1"],
  ),
  policyFile: doc(
    text(filePath).optional(),
    "JSON file with a custom permission policy, which replaces the default policy.",
    "policies.prod.json",
  ),
  policyChecks: doc(
    oneOf("error", "warn").default("error"),
    "Severity of findings in a custom policy: writes, secrets, patterns that match no action. A file that is not a permission policy is always an error.",
    "warn",
  ),
  allowWritePermissions: doc(
    flag().default(false),
    "Accepts a `policyFile` that allows write actions on every resource.",
    true,
  ),
  retainOidcProviders: doc(
    flag().default(false),
    "Whether `pulumi destroy` retains the OIDC providers that the stack created.",
    true,
  ),
});

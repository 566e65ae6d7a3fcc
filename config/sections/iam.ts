import { disableableIds, groupIds, optionalGroupIds } from "../../policies/groups.js";
import { sensitivePatterns } from "../../policies/sensitiveReads.js";
import { doc, filePath, flag, integer, line, object, oneOf, set, text, textMap } from "../fields.js";
import { limits, partitionOf, rules } from "../limits.js";
import type { Path, Problems } from "../problems.js";
import type { Reading } from "../reading.js";
import { exists, known, type Rule, unique } from "../rules.js";
import type { Config } from "../schema.js";

export const iamSchema = object({
  roleName: doc(
    text(rules.roleName).default("EKSMultiAccountMCPRole"),
    "Name of the role in every target account; further roles get `-2`, `-3`.",
    "EKSMultiAccountMCPRole",
  ),
  policyName: doc(
    text(rules.policyName).default("MCPReadOnlyPolicy"),
    "Name of the permission policy; further policies get `-2`, `-3`.",
    "MCPReadOnlyPolicy",
  ),
  sessionDuration: doc(
    integer(limits.sessionDuration.min, limits.sessionDuration.max, " of seconds").default(3600),
    "Maximum session duration of the role, in seconds. Sessions of the MCP server always last 3600 s, and the SDK renews them.",
    7200,
  ),
  path: doc(text(rules.path).default("/"), "IAM path of role and policies.", "/holmes/"),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "Permissions boundary of the role: the name (with path) of a managed policy in each account, or an ARN.",
    "holmes/ReadOnlyBoundary",
  ),
  tags: doc(
    textMap(rules.tagKey, rules.tagValue).default({}),
    `Tags of every AWS resource that the program creates: at most ${limits.tags}.`,
    { team: "platform" },
  ),
  trustPolicyLimit: doc(
    integer(256, limits.trustPolicy.max, " of characters").default(limits.trustPolicy.default),
    "Maximum size of a trust policy, in characters without white space: the IAM quota in your accounts.",
    4096,
  ),
  sensitiveReads: doc(
    oneOf("deny", "allow").default("deny"),
    "`deny`: an explicit Deny of reads that return credentials, secrets or customer data. `allow`: no Deny, as in the legacy policy.",
    "deny",
  ),
  sensitiveReadsExcept: doc(
    set(text(rules.iamAction), "denied actions").default([]),
    "Patterns of docs/permissions.md that `sensitiveReads` does not deny.",
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
    "Whether destroy retains the OIDC providers. Default: destroy deletes the providers that the stack created.",
    true,
  ),
});

/** Whether a name is the name of a resource of the stack, or of a further one: `Role`, `Role-2`. */
export const isNumbered = (name: string | undefined, own: string) =>
  name?.startsWith(own) === true && /^(-\d+)?$/.test(name.slice(own.length));

/** Rejects the policy that the stack creates as permissions boundary. */
export function checkBoundary(
  place: Path,
  boundary: string | null | undefined,
  { path, policyName }: Pick<Reading<Config>["iam"], "path" | "policyName">,
  problems: Problems,
): void {
  // A boundary is a name with its path and without the slash at the front, or an ARN.
  const name = boundary?.replace(/^(arn:[^/]*:policy)?\/?/, "/");
  if (!isNumbered(name, `${path}${policyName}`)) return;
  problems.add(place, boundary, "another policy than the one that the stack creates");
}

export const iamRules: readonly Rule[] = [
  {
    says: `At most ${limits.tags} tags. Tag keys that differ only in case are rejected, because IAM treats them as one.`,
    check: ({ iam }, problems) => {
      const tags = Object.keys(iam.tags);
      if (tags.length > limits.tags) {
        problems.say(["iam", "tags"], `${tags.length} tags`, `at most ${limits.tags}, IAM's limit for a resource`);
      }
      unique(
        problems,
        tags.map((key) => [["iam", "tags", key], key]),
        "a tag key that differs from the others in more than upper and lower case",
      );
    },
  },
  {
    says: "`disabledPolicyGroups`, `additionalPolicyGroups` and `additionalActions` are rejected with `policyFile`.",
    check: ({ iam }, problems) => {
      if (iam.policyFile === undefined) return;
      for (const key of ["disabledPolicyGroups", "additionalPolicyGroups", "additionalActions"] as const) {
        if (iam[key].length === 0) continue;
        problems.add(["iam", key], iam[key], "nothing here, because iam.policyFile replaces the default policy");
      }
    },
  },
  {
    says: "`disabledPolicyGroups` and `additionalPolicyGroups` name groups of docs/permissions.md. At least one default group must stay enabled.",
    check: ({ iam }, problems) => {
      const disabled = iam.disabledPolicyGroups;
      const lists = [
        ["disabledPolicyGroups", disableableIds, "a service group of the default policy"],
        ["additionalPolicyGroups", optionalGroupIds, "an optional service group"],
      ] as const;
      for (const [key, ids, what] of lists) {
        for (const [index, group] of iam[key].entries()) exists(problems, ["iam", key, index], group, ids, what);
      }
      if (groupIds.every((id) => disabled.includes(id))) {
        problems.say(["iam", "disabledPolicyGroups"], "every service group", "at least one group that stays enabled");
      }
    },
  },
  {
    says: "`sensitiveReadsExcept` names actions that `sensitiveReads` denies.",
    check: ({ iam }, problems) => {
      for (const [index, pattern] of iam.sensitiveReadsExcept.entries()) {
        exists(
          problems,
          ["iam", "sensitiveReadsExcept", index],
          pattern,
          sensitivePatterns,
          "a pattern of docs/permissions.md that iam.sensitiveReads denies",
        );
      }
    },
  },
  {
    says: "`allowedRegions` contains the region of an account, and only regions of the accounts' partitions.",
    check: ({ iam, clusters, targetAccounts }, problems) => {
      const allowed = known(iam.allowedRegions);
      const own = known(targetAccounts.map(({ region }) => region ?? clusters[0]?.region));
      if (allowed.length === 0 || own.length === 0) return;
      const partitions = [...new Set(own.map(partitionOf))];
      for (const [index, region] of iam.allowedRegions.entries()) {
        if (region === null || partitions.includes(partitionOf(region))) continue;
        problems.add(["iam", "allowedRegions", index], region, `a region in partition ${partitions.join(" or ")}`);
      }
      if (own.some((region) => allowed.includes(region))) return;
      const expected = `at least one region of the accounts: ${[...new Set(own)].join(", ")}`;
      problems.add(["iam", "allowedRegions"], allowed, expected);
    },
  },
  {
    says: "`permissionsBoundary` is not the policy that the stack creates.",
    check: ({ iam }, problems) => checkBoundary(["iam", "permissionsBoundary"], iam.permissionsBoundary, iam, problems),
  },
];

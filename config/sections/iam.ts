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
    "Longest session that the role allows, in seconds. The MCP server's own sessions always last 3600 s and are renewed by the SDK.",
    7200,
  ),
  path: doc(text(rules.path).default("/"), "IAM path of role and policies.", "/holmes/"),
  permissionsBoundary: doc(
    text(rules.permissionsBoundary).optional(),
    "Managed policy that bounds the role: its name (with path) in each account, or an ARN.",
    "holmes/ReadOnlyBoundary",
  ),
  tags: doc(
    textMap(rules.tagKey, rules.tagValue).default({}),
    `Tags of every AWS resource that the program makes: at most ${limits.tags}.`,
    { team: "platform" },
  ),
  trustPolicyLimit: doc(
    integer(256, limits.trustPolicy.max, " of characters").default(limits.trustPolicy.default),
    "Characters that are not white space that a trust policy may have: IAM's quota in your accounts.",
    4096,
  ),
  sensitiveReads: doc(
    oneOf("deny", "allow").default("deny"),
    "`deny`: an explicit Deny on what hands out credentials or returns secrets or customers' data. `allow`: the breadth of the old policy.",
    "deny",
  ),
  sensitiveReadsExcept: doc(
    set(text(rules.iamAction), "denied actions").default([]),
    "Denied actions to leave open all the same, one by one, as docs/permissions.md writes them.",
    ["ecs:Describe*TaskDefinition"],
  ),
  logContents: doc(
    oneOf("allow", "deny").default("allow"),
    "Whether the contents of logs can be read. `deny` adds an explicit Deny; log groups and streams can still be listed.",
    "deny",
  ),
  dataPerimeter: doc(
    flag().default(true),
    "Whether calls that read data from resources in other accounts are denied.",
    false,
  ),
  exclusivePolicies: doc(
    flag().default(false),
    "Whether policies that were added to the role outside this stack are removed at the next `up`.",
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
    "More actions to allow; held to the same checks as the default.",
    ["kendra:DescribeIndex"],
  ),
  allowedRegions: doc(
    set(text(rules.region), "regions").default([]),
    "Regions that may be read; global services are exempt. Default: all.",
    ["us-east-1", "eu-west-1"],
  ),
  policyFile: doc(
    text(filePath).optional(),
    "JSON file with a permission policy of your own, in place of the default.",
    "policies.prod.json",
  ),
  policyChecks: doc(
    oneOf("error", "warn").default("error"),
    "What a finding in a policy of your own (writes, secrets, patterns that match nothing) is. A file that is no permission policy is always an error.",
    "warn",
  ),
  allowWritePermissions: doc(
    flag().default(false),
    "Accepts a `policyFile` that allows write actions on every resource. Only for a stack that must have one.",
    true,
  ),
  retainOidcProviders: doc(
    flag().default(false),
    "Whether OIDC providers stay at destroy. Default: those that the stack made are removed.",
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
          "an action that iam.sensitiveReads denies, as docs/permissions.md writes it",
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

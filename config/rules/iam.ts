import { groupIds } from "../../policies/groups.js";
import { limits, partitionOf } from "../limits.js";
import type { Path, Problems } from "../problems.js";
import { type ConfigReading, entries, keysOf, known, type Rule, regionsOf, unique } from "./rule.js";

/** Whether a name is the name of a resource of the stack, or of an additional one: `Role`, `Role-2`. */
export const isNumbered = (name: string | undefined, own: string) =>
  name?.startsWith(own) === true && /^(-\d+)?$/.test(name.slice(own.length));

/** Rejects the policy that the stack creates as permissions boundary. */
export function checkBoundary(
  place: Path,
  boundary: string | null | undefined,
  { path, policyName }: Pick<ConfigReading["iam"], "path" | "policyName">,
  problems: Problems,
): void {
  // A boundary is a name with its path without a leading slash, or an ARN.
  const name = boundary?.replace(/^(arn:[^/]*:policy)?\/?/, "/");
  if (!isNumbered(name, `${path}${policyName}`)) return;
  problems.add(place, boundary, "a policy that the stack does not create");
}

export const iamRules: readonly Rule[] = [
  {
    says: `At most ${limits.tags} tags. Tag keys must be unique regardless of case, because IAM treats them as case-insensitive.`,
    check: ({ iam }, problems) => {
      const tags = keysOf(["iam", "tags"], iam.tags);
      if (tags.length > limits.tags) {
        problems.say(["iam", "tags"], `${tags.length} tags`, `at most ${limits.tags}, the IAM limit per resource`);
      }
      unique(problems, tags, "a tag key that is unique regardless of case");
    },
  },
  {
    says: "`disabledPolicyGroups`, `additionalPolicyGroups` and `additionalActions` are rejected with `policyFile`.",
    check: ({ iam }, problems) => {
      if (iam.policyFile === undefined) return;
      for (const key of ["disabledPolicyGroups", "additionalPolicyGroups", "additionalActions"] as const) {
        if (iam[key].length === 0) continue;
        problems.add(["iam", key], iam[key], "no value, because iam.policyFile replaces the default policy");
      }
    },
  },
  {
    says: "At least one group of the default policy must remain enabled.",
    check: ({ iam }, problems) => {
      if (!groupIds.every((id) => iam.disabledPolicyGroups.includes(id))) return;
      problems.say(["iam", "disabledPolicyGroups"], "every service group", "at least one group that remains enabled");
    },
  },
  {
    says: "`allowedRegions` must contain the region of at least one account, and only regions in the partitions of the accounts.",
    check: (config, problems) => {
      const { allowedRegions } = config.iam;
      const allowed = known(allowedRegions);
      const own = regionsOf(config);
      if (allowed.length === 0 || own.length === 0 || config.organization?.accountsFile === null) return;
      const partitions = [...new Set(own.map(partitionOf))];
      for (const [path, region] of entries(["iam", "allowedRegions"], allowedRegions)) {
        if (region === null || partitions.includes(partitionOf(region))) continue;
        problems.add(path, region, `a region in partition ${partitions.join(" or ")}`);
      }
      if (own.some((region) => allowed.includes(region))) return;
      const expected = `at least one region of the accounts: ${[...new Set(own)].join(", ")}`;
      problems.add(["iam", "allowedRegions"], allowed, expected);
    },
  },
  {
    says: "`permissionsBoundary` must not be a policy that the stack creates.",
    check: ({ iam }, problems) => checkBoundary(["iam", "permissionsBoundary"], iam.permissionsBoundary, iam, problems),
  },
];

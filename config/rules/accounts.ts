import { partitionOf } from "../limits.js";
import { type Path, type Problems, pathText } from "../problems.js";
import type { Reading } from "../reading.js";
import type { Config } from "../schema.js";
import { checkBoundary, isNumbered } from "./iam.js";
import { exists, type Rule, unique } from "./rule.js";

/** Checks that ARNs belong to the account and to the partition of its region. */
function checkArns({ iam, clusters }: Reading<Config>, account: Account, path: Path, problems: Problems): void {
  const { accountId, assumeRole, permissionsBoundary } = account;
  const region = account.region ?? clusters[0]?.region;
  const check = (place: Path, arn: string | null | undefined, kind: string, fix?: string) => {
    if (!arn?.startsWith("arn:")) return;
    const [, partition, , , owner] = arn.split(":");
    if (accountId !== null && owner !== accountId && owner !== "aws") {
      problems.add(place, arn, `${kind} in account ${accountId} (accountId)`, fix);
    }
    if (region && partition !== partitionOf(region)) {
      problems.add(place, arn, `${kind} in partition ${partitionOf(region)}, the partition of region ${region}`, fix);
    }
  };
  const provisioner = assumeRole?.roleArn;
  check([...path, "assumeRole", "roleArn"], provisioner, "a role");
  if (isNumbered(provisioner?.split(":role")[1], `${iam.path}${iam.roleName}`)) {
    problems.add([...path, "assumeRole", "roleArn"], provisioner, "a role that the stack does not create");
  }
  const byName = "Set the policy name instead of the ARN to use the policy of that name in each account.";
  check([...path, "permissionsBoundary"], permissionsBoundary, "a policy", byName);
  checkBoundary([...path, "permissionsBoundary"], permissionsBoundary, iam, problems);
  if (permissionsBoundary === undefined && account.manage !== false) {
    check(["iam", "permissionsBoundary"], iam.permissionsBoundary, "a policy", byName);
  }
}

type Account = Reading<Config>["targetAccounts"][number];

/** Checks keys that refer to a target account by its profile. */
export function checkProfileNames(
  { defaultProfile, verify }: Pick<Reading<Config>, "defaultProfile" | "verify">,
  profiles: readonly (string | null)[],
  problems: Problems,
): void {
  const what = "a profile in targetAccounts";
  exists(problems, ["defaultProfile"], defaultProfile, profiles, what);
  for (const [index, profile] of verify.skipProfiles.entries()) {
    exists(problems, ["verify", "skipProfiles", index], profile, profiles, what);
  }
}

export const accountRules: readonly Rule[] = [
  {
    says: "At least one target account must exist, in `targetAccounts` or in `organization.accountsFile`.",
    check: ({ targetAccounts, organization }, problems) => {
      if (targetAccounts.length > 0 || organization?.accountsFile !== undefined) return;
      problems.add(["targetAccounts"], [], "at least one target account, or organization.accountsFile");
    },
  },
  {
    says: "Profiles (case-insensitive) and account IDs must be unique.",
    check: ({ targetAccounts }, problems) => {
      for (const [key, what] of [
        ["profile", "a unique profile"],
        ["accountId", "a unique account ID"],
      ] as const) {
        const entries = targetAccounts.map((account, index) => [["targetAccounts", index, key], account[key]] as const);
        unique(problems, entries, what);
      }
    },
  },
  {
    says: "`clusters`, `existingOidcProviders` and `adopt.oidcProviders` must contain names from `clusters` of the stack. A cluster must not be in both `existingOidcProviders` and `adopt.oidcProviders`.",
    check: ({ targetAccounts, clusters }, problems) => {
      const names = clusters.map(({ name }) => name);
      for (const [index, account] of targetAccounts.entries()) {
        const { existingOidcProviders: existing, adopt } = account;
        const adopted = typeof adopt === "object" ? adopt?.oidcProviders : undefined;
        const lists = [
          [["existingOidcProviders"], existing],
          [["adopt", "oidcProviders"], Array.isArray(adopted) ? (adopted as typeof existing) : []],
          [["clusters"], account.clusters ?? []],
        ] as const;
        for (const [key, list] of lists) {
          for (const [at, name] of list.entries()) {
            const path = ["targetAccounts", index, ...key, at];
            exists(problems, path, name, names, "a name in clusters");
            if (key[0] !== "adopt" || name === null || !existing.includes(name)) continue;
            const fix = "A provider can be imported or used as an existing provider, not both.";
            problems.add(path, name, "a cluster that is not in existingOidcProviders", fix);
          }
        }
      }
    },
  },
  {
    says: "At least one account must trust each cluster.",
    check: ({ targetAccounts, clusters, organization }, problems) => {
      // Accounts in the file trust every cluster, like accounts without the key.
      const all = organization?.accountsFile !== undefined || targetAccounts.some((own) => own.clusters === undefined);
      if (all || targetAccounts.length === 0) return;
      const trusted = targetAccounts.flatMap((account) => account.clusters ?? []);
      for (const [index, { name }] of clusters.entries()) {
        if (name === null || trusted.includes(name)) continue;
        const fix = "Add it to targetAccounts[].clusters, or remove the cluster.";
        problems.add(["clusters", index, "name"], name, "a cluster that at least one account trusts", fix);
      }
    },
  },
  {
    says: "With `manage: false`, `adopt`, `existingOidcProviders`, `assumeRole`, `permissionsBoundary` and `policyFile` must not be set.",
    check: ({ targetAccounts }, problems) => {
      const keys = ["adopt", "existingOidcProviders", "assumeRole", "permissionsBoundary", "policyFile"] as const;
      for (const [index, account] of targetAccounts.entries()) {
        if (account.manage !== false) continue;
        for (const key of keys) {
          const value = account[key];
          if (!value || (Array.isArray(value) && value.length === 0)) continue;
          const fix = "Remove the key, or set manage: true.";
          problems.add(["targetAccounts", index, key], value, "no value, because manage is false", fix);
        }
      }
    },
  },
  {
    says: "`assumeRole.roleArn` must be in the account and its partition, and must not be the role that the stack creates. The ARN of a permissions boundary must be in the account (or be an AWS managed policy) and in its partition.",
    check: (config, problems) => {
      for (const [index, account] of config.targetAccounts.entries())
        checkArns(config, account, ["targetAccounts", index], problems);
    },
  },
  {
    says: "A profile must have the same account ID in `clusters`, `targetAccounts` and `organization`.",
    check: ({ targetAccounts, clusters, organization }, problems) => {
      const owners = [
        ...targetAccounts.map((account, index) => [["targetAccounts", index], account] as const),
        ...clusters.map((cluster, index) => [["clusters", index], cluster] as const),
        ...(organization === undefined ? [] : [[["organization"], organization] as const]),
      ];
      const first = new Map<string, readonly [Path, string]>();
      for (const [path, { profile, accountId }] of owners) {
        if (!profile || accountId === null) continue;
        const before = first.get(profile);
        if (before === undefined) first.set(profile, [path, accountId]);
        // Another check reports two target accounts with the same profile.
        else if (before[1] !== accountId && path[0] !== "targetAccounts") {
          problems.add(
            [...path, "profile"],
            profile,
            `a profile of account ${accountId} (accountId)`,
            `${pathText(before[0])} uses it for account ${before[1]}.`,
          );
        }
      }
    },
  },
  {
    says: "`defaultProfile` and `verify.skipProfiles` must contain profiles of `targetAccounts` or of `organization.accountsFile`.",
    check: (config, problems) => {
      if (config.organization?.accountsFile !== undefined) return;
      const profiles = config.targetAccounts.map(({ profile }) => profile);
      checkProfileNames(config, profiles, problems);
    },
  },
];

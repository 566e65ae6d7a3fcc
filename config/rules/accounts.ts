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
      problems.add(place, arn, `${kind} of account ${accountId} (accountId)`, fix);
    }
    if (region && partition !== partitionOf(region)) {
      problems.add(place, arn, `${kind} in partition ${partitionOf(region)}, where region ${region} is`, fix);
    }
  };
  const provisioner = assumeRole?.roleArn;
  check([...path, "assumeRole", "roleArn"], provisioner, "a role");
  if (isNumbered(provisioner?.split(":role")[1], `${iam.path}${iam.roleName}`)) {
    problems.add([...path, "assumeRole", "roleArn"], provisioner, "another role than the one that the stack creates");
  }
  const byName = "Give the policy's name alone: it is then looked for in each account.";
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
    says: "A stack needs a target account, here or in `organization.accountsFile`.",
    check: ({ targetAccounts, organization }, problems) => {
      if (targetAccounts.length > 0 || organization?.accountsFile !== undefined) return;
      problems.add(["targetAccounts"], [], "at least one target account, or organization.accountsFile");
    },
  },
  {
    says: "Profiles (regardless of case) and account ids must be unique.",
    check: ({ targetAccounts }, problems) => {
      for (const [key, what] of [
        ["profile", "a profile that no other account has"],
        ["accountId", "an account that no other entry has"],
      ] as const) {
        const entries = targetAccounts.map((account, index) => [["targetAccounts", index, key], account[key]] as const);
        unique(problems, entries, what);
      }
    },
  },
  {
    says: "`clusters`, `existingOidcProviders` and `adopt.oidcProviders` name clusters of the stack; the last two exclude each other.",
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
            const fix = "A provider is either taken over or left to its owner.";
            problems.add(path, name, "a cluster that is not in existingOidcProviders", fix);
          }
        }
      }
    },
  },
  {
    says: "At least one account trusts each cluster.",
    check: ({ targetAccounts, clusters, organization }, problems) => {
      // Accounts in the file trust every cluster, like accounts without the key.
      const all = organization?.accountsFile !== undefined || targetAccounts.some((own) => own.clusters === undefined);
      if (all || targetAccounts.length === 0) return;
      const trusted = targetAccounts.flatMap((account) => account.clusters ?? []);
      for (const [index, { name }] of clusters.entries()) {
        if (name === null || trusted.includes(name)) continue;
        const fix = "Add it to targetAccounts[].clusters, or remove the cluster.";
        problems.add(["clusters", index, "name"], name, "a cluster that an account trusts", fix);
      }
    },
  },
  {
    says: "With `manage: false`, `adopt`, `existingOidcProviders`, `assumeRole`, `permissionsBoundary` and `policyFile` must be absent.",
    check: ({ targetAccounts }, problems) => {
      const keys = ["adopt", "existingOidcProviders", "assumeRole", "permissionsBoundary", "policyFile"] as const;
      for (const [index, account] of targetAccounts.entries()) {
        if (account.manage !== false) continue;
        for (const key of keys) {
          const value = account[key];
          if (!value || (Array.isArray(value) && value.length === 0)) continue;
          const fix = "Remove the key, or manage the account.";
          problems.add(["targetAccounts", index, key], value, "nothing here, because manage is false", fix);
        }
      }
    },
  },
  {
    says: "`assumeRole.roleArn` is a role of the same account and partition, and not the role that the stack creates. A permissions boundary by ARN is of each account (or of AWS) and of its partition.",
    check: (config, problems) => {
      for (const [index, account] of config.targetAccounts.entries())
        checkArns(config, account, ["targetAccounts", index], problems);
    },
  },
  {
    says: "A profile stands for one account wherever it is used: in clusters, target accounts and organization.",
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
            `${pathText(before[0])} has it for account ${before[1]}.`,
          );
        }
      }
    },
  },
  {
    says: "`defaultProfile` and `verify.skipProfiles` name profiles of `targetAccounts` or of the accounts file.",
    check: (config, problems) => {
      if (config.organization?.accountsFile !== undefined) return;
      const profiles = config.targetAccounts.map(({ profile }) => profile);
      checkProfileNames(config, profiles, problems);
    },
  },
];

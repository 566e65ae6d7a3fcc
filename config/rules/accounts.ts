import { partitionOf } from "../limits.js";
import { type Path, pathText } from "../problems.js";
import { checkBoundary, isNumbered } from "./iam.js";
import { accountsOf, entries, exists, type Rule, unique, valuesOf } from "./rule.js";

export const accountRules: readonly Rule[] = [
  {
    says: "At least one target account must exist, in `targetAccounts` or in `organization.accountsFile`.",
    check: (config, problems) => {
      if (accountsOf(config).length > 0 || config.organization?.accountsFile === null) return;
      problems.add(["targetAccounts"], [], "at least one account, here or in organization.accountsFile");
    },
  },
  {
    says: "Profiles (case-insensitive) and account IDs must be unique.",
    check: (config, problems) => {
      const accounts = accountsOf(config);
      const values = (key: "profile" | "accountId") =>
        accounts.map(([path, account]) => [[...path, key], account[key]] as const);
      unique(problems, values("profile"), "a unique profile");
      unique(problems, values("accountId"), "a unique account ID");
    },
  },
  {
    says: "`clusters`, `existingOidcProviders` and `adopt.oidcProviders` must contain names from `clusters` of the stack. A cluster must not be in both `existingOidcProviders` and `adopt.oidcProviders`.",
    check: ({ targetAccounts, clusters: all }, problems) => {
      for (const [path, { existingOidcProviders, adopt, clusters }] of entries(["targetAccounts"], targetAccounts)) {
        const providers = typeof adopt === "object" ? adopt?.oidcProviders : undefined;
        const adopted = entries(
          [...path, "adopt", "oidcProviders"],
          typeof providers === "object" && providers !== null ? providers : [],
        );
        const existing = entries([...path, "existingOidcProviders"], existingOidcProviders);
        const trusted = entries([...path, "clusters"], clusters ?? []);
        const names = all.map(({ name }) => name);
        exists(problems, [...existing, ...adopted, ...trusted], names, "a name in clusters");
        for (const [place, name] of adopted) {
          if (name === null || !existingOidcProviders.includes(name)) continue;
          const fix = "A provider can be imported or used as an existing provider, not both.";
          problems.add(place, name, "a cluster that is not in existingOidcProviders", fix);
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
      for (const [path, name] of valuesOf(["clusters"], clusters, "name")) {
        if (name === null || trusted.includes(name)) continue;
        const fix = "Add it to targetAccounts[].clusters, or remove the cluster.";
        problems.add(path, name, "a cluster that at least one account trusts", fix);
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
    check: ({ iam, clusters, targetAccounts }, problems) => {
      for (const [path, account] of entries(["targetAccounts"], targetAccounts)) {
        const { accountId, permissionsBoundary: boundary } = account;
        const region = account.region ?? clusters[0]?.region;
        const check = (place: Path, arn: string | null | undefined, kind: string, fix?: string) => {
          if (!arn?.startsWith("arn:") || !accountId || !region) return;
          const [, partition, , , owner] = arn.split(":");
          if ((owner === accountId || owner === "aws") && partition === partitionOf(region)) return;
          problems.add(place, arn, `${kind} ${accountId} in partition ${partitionOf(region)}`, fix);
        };
        const provisioner = [...path, "assumeRole", "roleArn"];
        const roleArn = account.assumeRole?.roleArn;
        check(provisioner, roleArn, "a role of account");
        if (isNumbered(roleArn?.split(":role")[1], `${iam.path}${iam.roleName}`)) {
          problems.add(provisioner, roleArn, "a role that the stack does not create");
        }
        const byName = "Set the policy name instead of the ARN to use the policy of that name in each account.";
        check([...path, "permissionsBoundary"], boundary, "a policy of AWS or of account", byName);
        checkBoundary([...path, "permissionsBoundary"], boundary, iam, problems);
        if (boundary === undefined && account.manage !== false) {
          check(["iam", "permissionsBoundary"], iam.permissionsBoundary, "a policy of AWS or of account", byName);
        }
      }
    },
  },
  {
    says: "A profile must have the same account ID in `clusters`, `targetAccounts` and `organization`.",
    check: ({ targetAccounts, clusters, organization }, problems) => {
      const owners = [
        ...entries(["targetAccounts"], targetAccounts),
        ...entries(["clusters"], clusters),
        ...(organization === undefined ? [] : [[["organization"], organization] as const]),
      ];
      // Another rule reports two target accounts with the same profile.
      for (const [path, { profile, accountId }] of owners.slice(targetAccounts.length)) {
        if (!profile || accountId === null) continue;
        const [first, before] = owners.find(([, other]) => other.profile === profile && other.accountId !== null)!;
        if (before.accountId === accountId) continue;
        const expected = `a profile of account ${accountId} (accountId)`;
        const fix = `${pathText(first)} uses it for account ${before.accountId}.`;
        problems.add([...path, "profile"], profile, expected, fix);
      }
    },
  },
  {
    says: "`defaultProfile` and `verify.skipProfiles` must contain profiles of `targetAccounts` or of `organization.accountsFile`.",
    check: (config, problems) => {
      const { defaultProfile, verify, organization } = config;
      if (organization?.accountsFile === null) return;
      const names = [
        [["defaultProfile"], defaultProfile] as const,
        ...entries(["verify", "skipProfiles"], verify.skipProfiles),
      ];
      const profiles = accountsOf(config).map(([, { profile }]) => profile);
      exists(problems, names, profiles, "a profile in targetAccounts or organization.accountsFile");
    },
  },
];

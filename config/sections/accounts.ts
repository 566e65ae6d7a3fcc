import { z } from "zod";
import { doc, filePath, flag, object, secret, set, text } from "../fields.js";
import { partitionOf, rules } from "../limits.js";
import { type Path, type Problems, pathText } from "../problems.js";
import { clusterNames, exists, type Row, type Rule, row, rows, textOf, texts, unique } from "../rules.js";

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

/** Rejects keys that configure managed resources when `manage` is false. */
function checkUnmanaged(account: Row, path: Path, problems: Problems): void {
  if (account.manage !== false) return;
  for (const key of ["adopt", "existingOidcProviders", "assumeRole", "permissionsBoundary", "policyFile"]) {
    const value = account[key];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    problems.add(
      [...path, key],
      value,
      "nothing here, because manage is false",
      "Remove the key, or manage the account.",
    );
  }
}

/** Checks that ARNs belong to the account and to the partition of its region. */
function checkArns(config: Row, account: Row, path: Path, problems: Problems): void {
  const accountId = textOf(account.accountId);
  const region = textOf(account.region) ?? textOf(rows(config.clusters)[0]?.region);
  const check = (place: Path, value: unknown, kind: string, fix?: string) => {
    const arn = textOf(value);
    if (arn?.startsWith("arn:") !== true) return;
    const [, partition, , , owner] = arn.split(":");
    if (accountId !== undefined && owner !== accountId && owner !== "aws") {
      problems.add(place, arn, `${kind} of account ${accountId} (accountId)`, fix);
    }
    if (region !== undefined && partition !== partitionOf(region)) {
      problems.add(place, arn, `${kind} in partition ${partitionOf(region)}, where region ${region} is`, fix);
    }
  };
  const provisioner = row(account.assumeRole).roleArn;
  check([...path, "assumeRole", "roleArn"], provisioner, "a role");
  const iam = row(config.iam);
  const own = `${textOf(iam.path) ?? "/"}${textOf(iam.roleName) ?? "EKSMultiAccountMCPRole"}`;
  if (textOf(provisioner)?.endsWith(`:role${own}`) === true) {
    problems.add([...path, "assumeRole", "roleArn"], provisioner, "another role than the one that the stack creates");
  }
  const byName = "Give the policy's name alone: it is then looked for in each account.";
  check([...path, "permissionsBoundary"], account.permissionsBoundary, "a policy", byName);
  if (account.permissionsBoundary === undefined && account.manage !== false) {
    check(["iam", "permissionsBoundary"], row(config.iam).permissionsBoundary, "a policy", byName);
  }
}

/** Checks keys that refer to a target account by its profile. */
export function checkProfileNames(config: Row, profiles: readonly string[], problems: Problems): void {
  const what = "a profile in targetAccounts";
  exists(problems, ["defaultProfile"], textOf(config.defaultProfile), profiles, what);
  for (const [index, profile] of texts(row(config.verify).skipProfiles).entries()) {
    exists(problems, ["verify", "skipProfiles", index], profile, profiles, what);
  }
}

export const accountRules: readonly Rule[] = [
  {
    says: "A stack needs a target account, here or in `organization.accountsFile`.",
    check: (config, problems, _isSecret) => {
      const accounts = rows(config.targetAccounts);
      if (accounts.length === 0 && row(config.organization).accountsFile === undefined) {
        problems.add(
          ["targetAccounts"],
          config.targetAccounts,
          "at least one target account, or organization.accountsFile",
        );
      }
    },
  },
  {
    says: "Profiles (regardless of case) and account ids must be unique.",
    check: (config, problems, _isSecret) => {
      const accounts = rows(config.targetAccounts);
      unique(
        problems,
        accounts.map((account, index) => [["targetAccounts", index, "profile"], textOf(account.profile)]),
        "a profile that no other account has",
      );
      unique(
        problems,
        accounts.map((account, index) => [["targetAccounts", index, "accountId"], textOf(account.accountId)]),
        "an account that no other entry has",
      );
    },
  },
  {
    says: "`clusters`, `existingOidcProviders` and `adopt.oidcProviders` name clusters of the stack; the last two exclude each other.",
    check: (config, problems, _isSecret) => {
      const accounts = rows(config.targetAccounts);
      const names = clusterNames(config);
      for (const [index, account] of accounts.entries()) {
        const path = ["targetAccounts", index];
        const existing = texts(account.existingOidcProviders);
        for (const [at, name] of existing.entries()) {
          exists(problems, [...path, "existingOidcProviders", at], name, names, "a name in clusters");
        }
        for (const [at, name] of texts(row(account.adopt).oidcProviders).entries()) {
          const place = [...path, "adopt", "oidcProviders", at];
          exists(problems, place, name, names, "a name in clusters");
          if (name !== undefined && existing.includes(name)) {
            problems.add(
              place,
              name,
              "a cluster that is not in existingOidcProviders",
              "A provider is either taken over or left to its owner.",
            );
          }
        }
        for (const [at, name] of texts(account.clusters).entries()) {
          exists(problems, [...path, "clusters", at], name, names, "a name in clusters");
        }
      }
    },
  },
  {
    says: "At least one account trusts each cluster.",
    check: (config, problems, _isSecret) => {
      const accounts = rows(config.targetAccounts);
      // Accounts in the file trust every cluster, like accounts without the key.
      const all =
        row(config.organization).accountsFile !== undefined || accounts.some((own) => own.clusters === undefined);
      if (all || accounts.length === 0) return;
      const trusted = accounts.flatMap((account) => texts(account.clusters));
      for (const [index, cluster] of rows(config.clusters).entries()) {
        const name = textOf(cluster.name);
        if (name === undefined || trusted.includes(name)) continue;
        problems.add(
          ["clusters", index, "name"],
          name,
          "a cluster that an account trusts",
          "Add it to targetAccounts[].clusters, or remove the cluster.",
        );
      }
    },
  },
  {
    says: "With `manage: false`, `adopt`, `existingOidcProviders`, `assumeRole`, `permissionsBoundary` and `policyFile` must be absent.",
    check: (config, problems, _isSecret) => {
      for (const [index, account] of rows(config.targetAccounts).entries()) {
        const path = ["targetAccounts", index];
        checkUnmanaged(account, path, problems);
      }
    },
  },
  {
    says: "`assumeRole.roleArn` is a role of the same account and partition, and not the role that the stack creates. A permissions boundary by ARN is of each account (or of AWS) and of its partition.",
    check: (config, problems, _isSecret) => {
      for (const [index, account] of rows(config.targetAccounts).entries()) {
        const path = ["targetAccounts", index];
        checkArns(config, account, path, problems);
      }
    },
  },
  {
    says: "A profile stands for one account wherever it is used: in clusters, target accounts and organization.",
    check: (config, problems, _isSecret) => {
      const organization = row(config.organization);
      const owners: Array<readonly [Path, Row]> = [
        ...rows(config.targetAccounts).map((account, index) => [["targetAccounts", index], account] as const),
        ...rows(config.clusters).map((cluster, index) => [["clusters", index], cluster] as const),
        [["organization"], organization],
      ];
      const first = new Map<string, readonly [Path, string]>();
      for (const [path, owner] of owners) {
        const { profile, accountId } = { profile: textOf(owner.profile), accountId: textOf(owner.accountId) };
        if (profile === undefined || accountId === undefined) continue;
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
    check: (config, problems, _isSecret) => {
      const organization = row(config.organization);
      if (organization.accountsFile !== undefined) return;
      checkProfileNames(
        config,
        rows(config.targetAccounts).flatMap((account) => textOf(account.profile) ?? []),
        problems,
      );
    },
  },
];

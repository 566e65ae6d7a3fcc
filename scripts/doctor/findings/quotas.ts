/** The account's quotas against what the stack creates. */
import { limits } from "../../../config/limits.js";
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { MANAGED_POLICIES_PER_ROLE, TRUST_POLICY_LIMIT_MAX } from "../../../policies/size.js";
import type { AccountAccess } from "../accountAccess.js";
import { configLine, type Quota, quotaFix } from "../advice.js";
import type { AccountFacts } from "../readings.js";
import { about, type Examination, type Finding, unread } from "./finding.js";
import type { JudgedCluster } from "./providers.js";
import { isForeign, type JudgedRole } from "./roles.js";

export function quotaFindings(
  { settings, facts, accountAccess, account }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): Finding[] {
  return [
    ...providerQuota(facts, clusters),
    ...("failure" in facts.summary
      ? [unread("quotas", facts.summary.failure)]
      : [
          trustQuota(settings, accountAccess, roles, facts.summary.value),
          ...countQuota(accountAccess, facts.summary.value, "Roles", "RolesQuota", newcomers(roles), "roles"),
          ...countQuota(
            accountAccess,
            facts.summary.value,
            "Policies",
            "PoliciesQuota",
            [...facts.policies.values()].filter((part) => "value" in part && part.value === undefined).length,
            "managed policies",
          ),
          ...attachmentQuota(accountAccess, account, roles, facts.summary.value),
        ]),
  ];
}

const newcomers = (roles: readonly JudgedRole[]) =>
  roles.filter(({ found }) => "value" in found && found.value === undefined).length;

function trustQuota(
  { iam }: Settings,
  accountAccess: AccountAccess,
  roles: readonly JudgedRole[],
  summary: Readonly<Record<string, number>>,
): Finding {
  const { ok, note, problem } = about("trust policy quota");
  const quota = summary.AssumeRolePolicySizeQuota;
  const largest = Math.max(...roles.map(({ wanted }) => wanted.size));
  const has = `the largest trust policy has ${largest} characters, iam.trustPolicyLimit is ${iam.trustPolicyLimit}`;
  if (quota === undefined) return note("trust-quota", `AWS reports no quota; ${has}`);
  if (quota >= iam.trustPolicyLimit) return ok("trust-quota", `${quota} characters; ${has}`);
  const message = `${quota} characters in this account; ${has}`;
  const fix = {
    ...quotaFix(accountAccess, "AssumeRolePolicySizeQuota", Math.min(iam.trustPolicyLimit, TRUST_POLICY_LIMIT_MAX)),
    at: "iam",
    config: configLine("trustPolicyLimit", quota),
  };
  return largest > quota
    ? problem("trust-quota", `${message}: AWS would reject the role`, fix)
    : note("trust-quota", `${message}; the next cluster may not fit`, fix);
}

function providerQuota(facts: AccountFacts, clusters: readonly JudgedCluster[]): Finding[] {
  const subject = "OIDC providers";
  const { ok, problem } = about(subject);
  if ("failure" in facts.oidcProviderCount) return [unread(subject, facts.oidcProviderCount.failure)];
  const count = facts.oidcProviderCount.value;
  const more = clusters
    .filter(({ mode }) => mode === "made")
    .flatMap(({ providers }) => providers)
    .filter(({ found }) => "value" in found && found.value === undefined).length;
  const limit = limits.oidcProvidersPerAccount;
  const message = `${count} of ${limit} in the account, ${more} to be created`;
  return count + more <= limit
    ? [ok("provider-quota", message)]
    : [
        problem("provider-quota", `${message}: AWS does not raise this limit`, {
          what: "Delete providers of clusters that no longer exist, or manage the account in a separate stack that trusts fewer clusters.",
        }),
      ];
}

function countQuota(
  accountAccess: AccountAccess,
  summary: Readonly<Record<string, number>>,
  counter: string,
  quota: Quota,
  more: number,
  what: string,
): Finding[] {
  const count = summary[counter];
  const limit = summary[quota];
  if (count === undefined || limit === undefined || count + more <= limit) return [];
  const message = `${count} of ${limit} in the account, ${more} to be created`;
  return [about(what).problem("account-quota", message, quotaFix(accountAccess, quota, limit + more))];
}

/** Only an existing role can have policies from outside the stack. */
function attachmentQuota(
  accountAccess: AccountAccess,
  { permissions }: TargetAccountSettings,
  roles: readonly JudgedRole[],
  summary: Readonly<Record<string, number>>,
): Finding[] {
  const limit = summary.AttachedPoliciesPerRoleQuota ?? MANAGED_POLICIES_PER_ROLE;
  const ours = permissions.placement === "managed" ? permissions.policies.map(({ name }) => name) : [];
  return roles.flatMap(({ name, role, verdict }): Finding[] => {
    if (role === undefined || isForeign(verdict)) return [];
    const others = role.attached.filter((policy) => !ours.includes(policy.name)).length;
    if (ours.length === 0 || others + ours.length <= limit) return [];
    return [
      about(`policies of role ${name}`).problem(
        "account-quota",
        `${others} attached outside this stack and ${ours.length} of this stack, but the quota is ${limit} per role`,
        quotaFix(accountAccess, "AttachedPoliciesPerRoleQuota", others + ours.length),
      ),
    ];
  });
}

/** The account's quotas against what the stack creates. */
import { limits } from "../../../config/limits.js";
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { MANAGED_POLICIES_PER_ROLE, TRUST_POLICY_LIMIT_MAX } from "../../../policies/size.js";
import type { AccountAccess } from "../accountAccess.js";
import { configLine, type Quota, quotaFix } from "../advice.js";
import type { AccountFacts } from "../readings.js";
import { type Examination, type Finding, unread } from "./finding.js";
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
  const subject = "trust policy quota";
  const quota = summary.AssumeRolePolicySizeQuota;
  const largest = Math.max(...roles.map(({ wanted }) => wanted.size));
  const has = `the largest trust policy has ${largest} characters, iam.trustPolicyLimit is ${iam.trustPolicyLimit}`;
  if (quota === undefined) {
    return { level: "note", code: "trust-quota", subject, message: `AWS reports no quota; ${has}` };
  }
  if (quota >= iam.trustPolicyLimit) {
    return { level: "ok", code: "trust-quota", subject, message: `${quota} characters; ${has}` };
  }
  return {
    level: largest > quota ? "problem" : "note",
    code: "trust-quota",
    subject,
    message: `${quota} characters in this account; ${has}${largest > quota ? ": AWS would reject the role" : "; the next cluster may not fit"}`,
    fix: {
      ...quotaFix(accountAccess, "AssumeRolePolicySizeQuota", Math.min(iam.trustPolicyLimit, TRUST_POLICY_LIMIT_MAX)),
      at: "iam",
      config: configLine("trustPolicyLimit", quota),
    },
  };
}

function providerQuota(facts: AccountFacts, clusters: readonly JudgedCluster[]): Finding[] {
  const subject = "OIDC providers";
  if ("failure" in facts.oidcProviderCount) return [unread(subject, facts.oidcProviderCount.failure)];
  const count = facts.oidcProviderCount.value;
  const more = clusters
    .filter(({ mode }) => mode === "made")
    .flatMap(({ providers }) => providers)
    .filter(({ found }) => "value" in found && found.value === undefined).length;
  const limit = limits.oidcProvidersPerAccount;
  const message = `${count} of ${limit} in the account, ${more} to be created`;
  return count + more <= limit
    ? [{ level: "ok", code: "provider-quota", subject, message }]
    : [
        {
          level: "problem",
          code: "provider-quota",
          subject,
          message: `${message}: AWS does not raise this limit`,
          fix: {
            what: "Delete providers of clusters that no longer exist, or manage the account in a separate stack that trusts fewer clusters.",
          },
        },
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
  return [
    {
      level: "problem",
      code: "account-quota",
      subject: what,
      message: `${count} of ${limit} in the account, ${more} to be created`,
      fix: quotaFix(accountAccess, quota, limit + more),
    },
  ];
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
      {
        level: "problem",
        code: "account-quota",
        subject: `policies of role ${name}`,
        message: `${others} attached outside this stack and ${ours.length} of this stack, but the quota is ${limit} per role`,
        fix: quotaFix(accountAccess, "AttachedPoliciesPerRoleQuota", others + ours.length),
      },
    ];
  });
}

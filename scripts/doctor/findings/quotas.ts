/** The account's quotas against what the stack creates. */
import { limits } from "../../../config/limits.js";
import { TRUST_POLICY_LIMIT_MAX } from "../../../policies/size.js";
import { configLine, type Quota, quotaFix } from "../advice.js";
import { managedPolicies } from "../owner.js";
import { isAbsent } from "../readings.js";
import { about, type Examination, type Finding, unread } from "./finding.js";
import type { JudgedCluster } from "./providers.js";
import { type JudgedRole, usable } from "./roles.js";

type Summary = Readonly<Record<string, number>>;

export function quotaFindings(
  examination: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): Finding[] {
  const { summary } = examination.facts;
  const ofSummary = summary.failure
    ? [unread("quotas", summary.failure)]
    : [trustQuota(examination, roles, summary.value), ...accountQuotas(examination, roles, summary.value)];
  return [providerQuota(examination, clusters), ...ofSummary];
}

function trustQuota({ settings, account }: Examination, roles: readonly JudgedRole[], summary: Summary): Finding {
  const { ok, note, problem } = about("trust policy quota");
  const { trustPolicyLimit } = settings.iam;
  const quota = summary.AssumeRolePolicySizeQuota!;
  const largest = Math.max(...roles.map(({ wanted }) => wanted.size));
  const message = `${quota} characters in this account; the largest trust policy has ${largest} characters, iam.trustPolicyLimit is ${trustPolicyLimit}`;
  if (quota >= trustPolicyLimit) return ok("trust-quota", message);
  const fix = {
    ...quotaFix(account, "AssumeRolePolicySizeQuota", Math.min(trustPolicyLimit, TRUST_POLICY_LIMIT_MAX)),
    ...configLine("iam", "trustPolicyLimit", quota),
  };
  return largest > quota
    ? problem("trust-quota", `${message}: AWS would reject the role`, fix)
    : note("trust-quota", `${message}; the next cluster may not fit`, fix);
}

function providerQuota({ facts }: Examination, clusters: readonly JudgedCluster[]): Finding {
  const subject = "OIDC providers";
  const { ok, problem } = about(subject);
  const { failure, value: count } = facts.oidcProviderCount;
  if (failure) return unread(subject, failure);
  const made = clusters.filter(({ mode }) => mode === "made").flatMap(({ providers }) => providers);
  const more = made.filter(({ found }) => isAbsent(found)).length;
  const limit = limits.oidcProvidersPerAccount;
  const message = `${count} of ${limit} in the account, ${more} to be created`;
  if (count + more <= limit) return ok("provider-quota", message);
  return problem("provider-quota", `${message}: AWS does not raise this limit`, {
    what: "Delete providers of clusters that no longer exist, or manage the account in a separate stack that trusts fewer clusters.",
  });
}

/** Roles, managed policies and attached policies against their quotas. */
function accountQuotas({ account, facts }: Examination, roles: readonly JudgedRole[], summary: Summary): Finding[] {
  const names = managedPolicies(account);
  const newRoles = roles.filter(({ found }) => isAbsent(found)).length;
  const newPolicies = [...facts.policies.values()].filter(isAbsent).length;
  const rows: Array<[subject: string, quota: Quota, existing: number | undefined, more: number]> = [
    ["roles", "RolesQuota", summary.Roles, newRoles],
    ["managed policies", "PoliciesQuota", summary.Policies, newPolicies],
    ...roles.map((judged): (typeof rows)[number] => {
      const others = usable(judged)?.attached.filter(({ name }) => !names.includes(name));
      return [`policies of role ${judged.wanted.name}`, "AttachedPoliciesPerRoleQuota", others?.length, names.length];
    }),
  ];
  return rows.flatMap(([subject, quota, existing = 0, more]) => {
    const limit = summary[quota] ?? Number.POSITIVE_INFINITY;
    if (existing + more <= limit) return [];
    const message = `${existing} exist, the stack adds ${more}, and the quota is ${limit}`;
    return [about(subject).problem("account-quota", message, quotaFix(account, quota, existing + more))];
  });
}

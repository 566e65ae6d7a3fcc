/** The account's quotas against what the stack creates. */
import { limits } from "../../../config/limits.js";
import { TRUST_POLICY_LIMIT_MAX } from "../../../policies/size.js";
import { awsCommand, configLine } from "../advice.js";
import { type Examination, type Finding, note, ok, problem, unread } from "./finding.js";
import type { JudgedCluster } from "./providers.js";
import type { JudgedRole } from "./roles.js";

/** The trust policies against the account's quota, which can be raised from 2048 to 4096 characters. */
export function trustQuota({ settings, account, facts }: Examination, roles: readonly JudgedRole[]): Finding {
  const subject = "trust policy quota";
  const { failure, value: quota } = facts.trustPolicyQuota;
  if (failure) return unread(subject, failure);
  const { trustPolicyLimit } = settings.iam;
  const largest = Math.max(...roles.map(({ wanted }) => wanted.size));
  const message = `${quota} characters in this account; the largest trust policy has ${largest} characters, iam.trustPolicyLimit is ${trustPolicyLimit}`;
  if (quota >= trustPolicyLimit) return ok(subject, "trust-quota", message);
  const value = Math.min(trustPolicyLimit, TRUST_POLICY_LIMIT_MAX);
  const request = `service-quotas request-service-quota-increase --service-code iam --quota-code L-C07B4B0D --desired-value ${value} --region us-east-1`;
  const fix = {
    // Service Quotas raises IAM's quotas in the partition `aws` only.
    ...(account.partition === "aws"
      ? { what: `Request a higher quota (account ${account.accountId}).`, commands: [awsCommand(account, request)] }
      : { what: `Ask AWS Support to raise the trust policy quota of account ${account.accountId} to ${value}.` }),
    ...configLine("iam", "trustPolicyLimit", quota),
  };
  return largest > quota
    ? problem(subject, "trust-quota", `${message}: AWS would reject the role`, fix)
    : note(subject, "trust-quota", `${message}; the next cluster may not fit`, fix);
}

export function providerQuota({ facts }: Examination, clusters: readonly JudgedCluster[]): Finding {
  const subject = "OIDC providers";
  const { failure, value: count } = facts.oidcProviderCount;
  if (failure) return unread(subject, failure);
  const made = clusters.filter(({ mode }) => mode === "made").flatMap(({ providers }) => providers);
  const more = made.filter(({ found }) => found.value === undefined && found.failure === undefined).length;
  const limit = limits.oidcProvidersPerAccount;
  const message = `${count} of ${limit} in the account, ${more} to be created`;
  if (count + more <= limit) return ok(subject, "provider-quota", message);
  return problem(subject, "provider-quota", `${message}: AWS does not raise this limit`, {
    what: "Delete providers of clusters that no longer exist, or manage the account in a separate stack that trusts fewer clusters.",
  });
}

/** Managed policies by name, and the permissions boundary. */
import { accountKey, configLine } from "../advice.js";
import { documentDifference, joined, tagDifference } from "../drift.js";
import { policyOwner } from "../owner.js";
import { compared, type Examination, type Finding, ok, problem, unread } from "./finding.js";

export function managedPolicyFindings({ settings, account, facts, state }: Examination): Finding[] {
  const { policyName, tags } = settings.iam;
  return [...facts.policies].map(([arn, { failure, value }]): Finding => {
    const name = arn.split("/").at(-1)!;
    const subject = `managed policy ${name}`;
    if (failure) return unread(subject, failure);
    if (value === undefined) {
      return ok(subject, "policy-absent", `absent at path ${settings.iam.path}; the stack creates it`);
    }
    const { owner, because } = policyOwner(settings, value, state);
    if (owner === "ours") {
      const wanted = account.permissions.policies.find((policy) => policy.name === name)!.document;
      const difference = joined(documentDifference(wanted, value.document), tagDifference(tags, value.tags));
      return compared(settings, "policy", subject, because, difference);
    }
    return problem(subject, "policy-taken", `managed outside this stack (${arn}): ${because}`, {
      what: "Set another name for the stack's policies (the same in every account).",
      ...configLine("iam", "policyName", `${policyName.slice(0, 118)}-holmes`),
    });
  });
}

export function boundaryFindings({ account, facts: { boundary } }: Examination): Finding[] {
  const arn = account.permissionsBoundaryArn;
  if (boundary === undefined) return [];
  const subject = "permissions boundary";
  if (boundary.failure) return [unread(subject, boundary.failure)];
  if (boundary.value) return [ok(subject, "boundary-found", `${arn} exists`)];
  const what = `Create it, or set another one for this account (${accountKey(account)}: permissionsBoundary).`;
  return [problem(subject, "boundary-absent", `${arn} does not exist: AWS would reject the role`, { what })];
}

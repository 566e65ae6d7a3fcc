/** Managed policies by name, and the permissions boundary. */
import { accountKey, awsCommand, configLine } from "../advice.js";
import { documentDifference, joined, tagDifference } from "../drift.js";
import { policyOwner } from "../owner.js";
import { about, compared, type Examination, type Finding, unread } from "./finding.js";

export function managedPolicyFindings({ settings, account, facts, state }: Examination): Finding[] {
  return [...facts.policies].map(([name, { failure, value }]): Finding => {
    const subject = `managed policy ${name}`;
    const { ok, problem } = about(subject);
    if (failure) return unread(subject, failure);
    if (value === undefined) return ok("policy-absent", "absent; the stack creates it");
    const { owner, because } = policyOwner(settings, value, state);
    if (owner === "ours") {
      const wanted = account.permissions.policies.find((policy) => policy.name === name)!.document;
      const difference = documentDifference(wanted, value.document);
      return compared(
        settings,
        "policy",
        subject,
        because,
        joined(difference, tagDifference(settings.iam.tags, value.tags)),
      );
    }
    const message = `managed outside this stack (${value.arn}): ${because}; names are unique across paths and case-insensitive`;
    const line = configLine("iam", "policyName", `${settings.iam.policyName.slice(0, 118)}-holmes`);
    return problem("policy-taken", message, {
      what: "Set another name for the stack's policies (the same in every account).",
      ...line,
    });
  });
}

export function boundaryFindings({ account, facts: { boundary } }: Examination): Finding[] {
  const arn = account.permissionsBoundaryArn;
  if (boundary === undefined || arn === undefined) return [];
  const subject = "permissions boundary";
  const { ok, problem } = about(subject);
  if (boundary.failure) return [unread(subject, boundary.failure)];
  if (boundary.value) return [ok("boundary-found", `${arn} exists`)];
  const [, path, name] = arn.match(/:policy(\/.*\/|\/)([^/]+)$/)!;
  const create = `iam create-policy --policy-name ${name} --path ${path} --policy-document file://boundary.json`;
  return [
    problem("boundary-absent", `${arn} does not exist: AWS would reject the role`, {
      what: `Create it, or set another one for this account (${accountKey(account)}: permissionsBoundary).`,
      commands: [awsCommand(account, create)],
    }),
  ];
}

/** Managed policies by name, and the permissions boundary. */
import { accountKey, awsCommand, configLine, refreshFix } from "../advice.js";
import { documentDifference, joined, tagDifference } from "../drift.js";
import { policyOwner } from "../owner.js";
import { about, type Examination, type Finding, unread } from "./finding.js";

export function managedPolicyFindings({ settings, account, facts, state }: Examination): Finding[] {
  return [...facts.policies].map(([name, found]): Finding => {
    const subject = `managed policy ${name}`;
    const { ok, note, problem } = about(subject);
    if ("failure" in found) return unread(subject, found.failure);
    if (found.value === undefined) return ok("policy-absent", "absent; the stack creates it");
    const { owner, because } = policyOwner(settings, found.value, state);
    if (owner === "ours") {
      const wanted = account.permissions.policies.find((policy) => policy.name === name)!.document;
      const difference = joined(
        documentDifference(wanted, found.value.document),
        tagDifference(settings.iam.tags, found.value.tags),
      );
      return difference === ""
        ? ok("policy-ours", `belongs to this stack: ${because}`)
        : note("policy-differs", difference, refreshFix(settings));
    }
    return problem(
      "policy-taken",
      `managed outside this stack (${found.value.arn}): ${because}; names are unique across paths and case-insensitive`,
      {
        what: "Set another name for the stack's policies (the same in every account).",
        at: "iam",
        config: configLine("policyName", `${settings.iam.policyName.slice(0, 118)}-holmes`),
      },
    );
  });
}

export function boundaryFindings({ account, facts, accountAccess }: Examination): Finding[] {
  const { boundary } = facts;
  const arn = account.permissionsBoundaryArn;
  if (boundary === undefined || arn === undefined) return [];
  const subject = "permissions boundary";
  const { ok, problem } = about(subject);
  if ("failure" in boundary) return [unread(subject, boundary.failure)];
  if (boundary.value) return [ok("boundary-found", `${arn} exists`)];
  const name = arn.split(":policy/")[1]!;
  const path = name.includes("/") ? ` --path /${name.slice(0, name.lastIndexOf("/") + 1)}` : "";
  const create = `iam create-policy --policy-name ${name.split("/").at(-1)}${path} --policy-document file://boundary.json`;
  return [
    problem("boundary-absent", `${arn} does not exist: AWS would reject the role`, {
      what: `Create it, or set another one for this account (${accountKey(account)}: permissionsBoundary).`,
      commands: [awsCommand(accountAccess, create)],
    }),
  ];
}

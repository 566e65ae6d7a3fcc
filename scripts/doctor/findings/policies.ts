/** Managed policies by name, and the permissions boundary. */
import { accountKey, awsCommand, configLine, refreshFix } from "../advice.js";
import { documentDifference, tagDifference } from "../drift.js";
import { policyOwner } from "../owner.js";
import { type Examination, type Finding, unread } from "./finding.js";

export function managedPolicyFindings({ settings, account, facts, state }: Examination): Finding[] {
  return [...facts.policies].map(([name, found]): Finding => {
    const subject = `managed policy ${name}`;
    if ("failure" in found) return unread(subject, found.failure);
    if (found.value === undefined) {
      return { level: "ok", code: "policy-absent", subject, message: "absent; the stack creates it" };
    }
    const { owner, because } = policyOwner(settings, found.value, state);
    if (owner === "ours") {
      const wanted = account.permissions.policies.find((policy) => policy.name === name)!.document;
      const difference = [
        documentDifference(wanted, found.value.document),
        tagDifference(settings.iam.tags, found.value.tags),
      ]
        .filter((text) => text !== undefined)
        .join("; ");
      return difference === ""
        ? { level: "ok", code: "policy-ours", subject, message: `belongs to this stack: ${because}` }
        : { level: "note", code: "policy-differs", subject, message: difference, fix: refreshFix(settings) };
    }
    return {
      level: "problem",
      code: "policy-taken",
      subject,
      message: `managed outside this stack (${found.value.arn}): ${because}; names are unique across paths and case-insensitive`,
      fix: {
        what: "Set another name for the stack's policies (the same in every account).",
        at: "iam",
        config: configLine("policyName", `${settings.iam.policyName.slice(0, 118)}-holmes`),
      },
    };
  });
}

export function boundaryFindings({ account, facts, accountAccess }: Examination): Finding[] {
  const { boundary } = facts;
  const arn = account.permissionsBoundaryArn;
  if (boundary === undefined || arn === undefined) return [];
  const subject = "permissions boundary";
  if ("failure" in boundary) return [unread(subject, boundary.failure)];
  if (boundary.value) return [{ level: "ok", code: "boundary-found", subject, message: `${arn} exists` }];
  const name = arn.split(":policy/")[1]!;
  return [
    {
      level: "problem",
      code: "boundary-absent",
      subject,
      message: `${arn} does not exist: AWS would reject the role`,
      fix: {
        what: `Create it, or set another one for this account (${accountKey(account)}: permissionsBoundary).`,
        commands: [
          awsCommand(
            accountAccess,
            `iam create-policy --policy-name ${name.split("/").at(-1)}${name.includes("/") ? ` --path /${name.slice(0, name.lastIndexOf("/") + 1)}` : ""} --policy-document file://boundary.json`,
          ),
        ],
      },
    },
  ];
}

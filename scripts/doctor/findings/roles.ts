/** The stack's roles in an account, and their policies. */
import { type AccountRole, trustRoles, withAnyIssuer } from "../../../config/profiles.js";
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { issuersOf } from "../../../policies/trust.js";
import { awsCommand, configLine, refreshFix } from "../advice.js";
import { documentDifference, tagDifference, valueDifference } from "../drift.js";
import { managedPolicies, roleOwner, type Verdict } from "../owner.js";
import type { Reading, RoleFacts } from "../readings.js";
import { type AdviceLines, absent, type Examination, type Finding, note, ok, problem, unread } from "./finding.js";

export interface JudgedRole {
  readonly wanted: AccountRole;
  readonly found: Reading<RoleFacts | undefined>;
  /** Undefined if the role was not found. */
  readonly verdict: Verdict | undefined;
  /** Whether it is the first role, the only one that the legacy script created, and `adopt` names it. */
  readonly adopted: boolean;
}

export const rolesOf = (settings: Settings, account: TargetAccountSettings): AccountRole[] =>
  trustRoles(settings, account, withAnyIssuer(settings.clusters));

export function judgeRole({ settings, account, facts, state }: Examination, wanted: AccountRole): JudgedRole {
  const found = facts.roles.get(wanted.name)!;
  const verdict = found.value && roleOwner(settings, account, found.value, wanted.document, state);
  return { wanted, found, verdict, adopted: wanted.number === 1 && account.adopt.role };
}

/** The role in the account, if the stack owns it or can adopt it. */
export const usable = ({ wanted, found, verdict }: JudgedRole): RoleFacts | undefined =>
  verdict?.owner === "ours" || (verdict?.owner === "script" && wanted.number === 1) ? found.value : undefined;

export function roleFindings(examination: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const { wanted, found, verdict, adopted } = judged;
  const { facts } = examination;
  const subject = `role ${wanted.name}`;
  if (found.failure) return [unread(subject, found.failure)];
  const names = [...(facts.allRoles.value ?? []), ...(found.value ? [found.value] : [])].map(({ name }) => name);
  const spelled = names.find((name) => name !== wanted.name && name.toLowerCase() === wanted.name.toLowerCase());
  if (spelled !== undefined) {
    const message = `the account has ${spelled}, and IAM names are case-insensitive: up would stop at EntityAlreadyExists`;
    const what = "Use the account's spelling, then run doctor again to see its owner; or set another name.";
    return [problem(subject, "role-case", message, { what, ...configLine("iam", "roleName", spelled) })];
  }
  if (verdict === undefined) {
    return [absent(examination, "role", subject, wanted.arn, adopted ? lines.adopt : undefined)];
  }
  const role = found.value!;
  return [
    ...(verdict.owner === "ours" ? differences(examination, wanted, role) : []),
    presentRole(examination.settings, judged, role, verdict, lines),
    ...policyFindings(examination, judged, lines),
  ];
}

function presentRole(
  { iam }: Settings,
  judged: JudgedRole,
  role: RoleFacts,
  { owner, because }: Verdict,
  lines: AdviceLines,
): Finding {
  const { wanted, adopted } = judged;
  const subject = `role ${wanted.name}`;
  if (!usable(judged)) {
    const outcome = adopted ? "; adopt would rewrite its trust policy" : "";
    return problem(subject, "role-of-others", `managed outside this stack: ${because}${outcome}`, {
      what: "Set another name for the stack's role (the same in every account).",
      ...configLine("iam", "roleName", `${iam.roleName.slice(0, 54)}-holmes`),
    });
  }
  const path = configLine("iam", "path", role.path);
  if (owner === "ours" && role.path !== iam.path) {
    const message = `belongs to this stack, at path ${role.path}: up replaces the role, because IAM cannot change a path; the server cannot assume it for a few seconds`;
    return note(subject, "role-path", message, { what: "To avoid this, keep the path.", ...path });
  }
  if (owner === "ours") return ok(subject, "role-ours", `belongs to this stack: ${because}`);
  if (role.path !== iam.path) {
    const message = `${because}, at path ${role.path}: it cannot be imported at ${iam.path}, and names are unique across paths`;
    const what = "Keep its path (the same in every account), or set another name for the stack's role.";
    return problem(subject, "role-path", message, { what, ...path });
  }
  if (adopted) return ok(subject, "role-adoptable", `adopt imports it: ${because}`);
  return problem(subject, "role-of-script", `${because}: up would stop at EntityAlreadyExists`, {
    what: "Adopt it.",
    ...lines.adopt,
  });
}

/** The stack's role, content by content. */
function differences({ settings, account }: Examination, wanted: AccountRole, role: RoleFacts): Finding[] {
  const { placement, policies } = account.permissions;
  const attached = role.attached.map(({ name }) => name);
  const policyDifference = ({ name, document }: (typeof policies)[number]) => {
    if (placement === "managed") return attached.includes(name) ? "" : "not attached";
    const found = role.inline.get(name);
    return found === undefined ? "deleted" : documentDifference(document, found);
  };
  const parts: Array<[part: string, difference: string]> = [
    ["trust policy", documentDifference(wanted.document, role.trust)],
    ["description", valueDifference(account.description, role.description)],
    ["session duration", valueDifference(settings.iam.sessionDuration, role.sessionDuration)],
    ["permissions boundary", valueDifference(account.permissionsBoundaryArn, role.boundaryArn)],
    ["tags", tagDifference(settings.iam.tags, role.tags)],
    ...policies.map((policy): [string, string] => [`policy ${policy.name}`, policyDifference(policy)]),
  ];
  return parts
    .filter(([, difference]) => difference !== "")
    .map(([part, text]) => note(`${part} of role ${role.name}`, "role-differs", text, refreshFix(settings)));
}

/** Policies on a role that the stack owns or will adopt. */
function policyFindings({ settings, account }: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const role = usable(judged);
  if (role === undefined) return [];
  const { policyName } = settings.iam;
  const { placement } = account.permissions;
  const subject = `policies of role ${role.name}`;
  const findings: Finding[] = [];
  const scripted = judged.verdict?.owner !== "ours";
  if (scripted && placement === "inline" && judged.adopted && account.adopt.policy && !role.inline.has(policyName)) {
    const message = `adopt names the inline policy ${policyName}, but the role does not have it: up would fail`;
    const fix = { what: "Adopt only what exists.", ...lines.adopt };
    findings.push(problem(subject, "policy-adopt-absent", message, fix));
  }
  const trusted = issuersOf(judged.wanted.document);
  const untrusted = issuersOf(role.trust).filter((issuer) => !trusted.includes(issuer));
  if (scripted && untrusted.length > 0) {
    const message = `it trusts issuers that the stack does not have, and up removes them: ${untrusted.join(", ")}`;
    const what = "Add their clusters to the config (deploy: false is enough), if they are still in use.";
    findings.push(note(`trust policy of role ${role.name}`, "role-trust-removed", message, { what }));
  }
  const inline = [...role.inline.keys()].filter((name) => placement === "managed" || name !== policyName);
  const names = managedPolicies(account);
  const attached = role.attached.filter(({ name }) => !names.includes(name));
  if (inline.length + attached.length > 0) {
    const others = [...inline, ...attached.map(({ name }) => name)].sort().join(", ");
    const message = `the stack does not create ${others}; the server has their permissions too, and destroy detaches them`;
    // The next up deletes an inline policy that the stack had before its permissions moved to managed policies.
    const what = "After the next pulumi up, detach those that remain, if the server must not have their permissions.";
    const commands = [
      ...inline.map((name) => `iam delete-role-policy --role-name ${role.name} --policy-name ${name}`),
      ...attached.map(({ arn }) => `iam detach-role-policy --role-name ${role.name} --policy-arn ${arn}`),
    ].map((command) => awsCommand(account, command));
    findings.push(note(subject, "policy-of-others", message, { what, commands }));
  }
  return findings;
}

/** The stack's roles in an account, and their policies. */
import { type AccountRole, trustRoles, withAnyIssuer } from "../../../config/profiles.js";
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { issuersOf } from "../../../policies/trust.js";
import { awsCommand, configLine, refreshFix } from "../advice.js";
import { documentDifference, tagDifference, valueDifference } from "../drift.js";
import { managedPolicies, roleOwner, type Verdict } from "../owner.js";
import type { Reading, RoleFacts } from "../readings.js";
import { type AdviceLines, about, absent, type Examination, type Finding, unread } from "./finding.js";

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
export function usable({ wanted, found, verdict }: JudgedRole): RoleFacts | undefined {
  const adoptable = wanted.number === 1 && (verdict?.owner === "script" || verdict?.owner === "unclear");
  return verdict?.owner === "ours" || adoptable ? found.value : undefined;
}

export function roleFindings(examination: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const { wanted, found, verdict, adopted } = judged;
  const subject = `role ${wanted.name}`;
  if (found.failure) return [unread(subject, found.failure)];
  if (verdict === undefined) {
    return [absent(examination, "role", subject, wanted.arn, adopted ? lines.adopt : undefined)];
  }
  const role = found.value!;
  const own = verdict.owner === "ours" && role.name === wanted.name ? differences(examination, wanted, role) : [];
  return [
    ...own,
    presentRole(examination.settings, judged, role, verdict, lines),
    ...policyFindings(examination, judged, lines),
  ];
}

function presentRole(
  { iam, stack }: Settings,
  judged: JudgedRole,
  role: RoleFacts,
  { owner, because }: Verdict,
  lines: AdviceLines,
): Finding {
  const { wanted, adopted } = judged;
  const { ok, note, problem } = about(`role ${wanted.name}`);
  const freeName = configLine("iam", "roleName", `${iam.roleName.slice(0, 54)}-holmes`);
  const rename = { what: "Set another name for the stack's role (the same in every account).", ...freeName };
  const path = configLine("iam", "path", role.path);
  if (role.name !== wanted.name) {
    const spelled = { what: "Use the account's spelling.", ...configLine("iam", "roleName", role.name) };
    const message = `the account has ${role.name}: IAM names are case-insensitive`;
    return problem("role-case", message, usable(judged) ? spelled : rename);
  }
  if (owner === "ours" && role.path !== iam.path) {
    const message = `belongs to this stack, at path ${role.path}: up replaces the role, because IAM cannot change a path; the server cannot assume it for a few seconds`;
    return note("role-path", message, { what: "To avoid this, keep the path.", ...path });
  }
  if (owner === "ours") return ok("role-ours", `belongs to this stack: ${because}`);
  if (owner === "siblingStack") {
    const message = `belongs to another stack, or to this stack before its clusters were re-created: ${because}`;
    return problem("role-of-sibling-stack", message, {
      ...freeName,
      what: "If it belongs to another stack, set another name for this stack's role. The state shows the owner (--state).",
      commands: [withState(stack)],
    });
  }
  if (!usable(judged)) {
    const outcome = adopted ? "; adopt would rewrite its trust policy" : "";
    return problem("role-of-others", `managed outside this stack: ${because}${outcome}`, rename);
  }
  if (role.path !== iam.path) {
    const message = `${because}, at path ${role.path}: it cannot be imported at ${iam.path}, and names are unique across paths`;
    const what = "Keep its path (the same in every account), or set another name for the stack's role.";
    return problem("role-path", message, { what, ...path });
  }
  if (adopted) return ok("role-adoptable", `adopt imports it: ${because}`);
  if (owner === "script") {
    const fix = { what: "Adopt it.", ...lines.adopt };
    return problem("role-of-script", `${because}: up would stop at EntityAlreadyExists`, fix);
  }
  const what = "Adopt it (no effect if the stack owns it), or pass the state with --state.";
  return problem("role-unclear", because, { what, ...lines.adopt, commands: [withState(stack)] });
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
    .map(([part, text]) => about(`${part} of role ${role.name}`).note("role-differs", text, refreshFix(settings)));
}

/** Policies on a role that the stack owns or will adopt. */
function policyFindings({ settings, account }: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const role = usable(judged);
  if (role === undefined) return [];
  const { policyName } = settings.iam;
  const { placement } = account.permissions;
  const { note, problem } = about(`policies of role ${role.name}`);
  const remove = (policy: string) =>
    awsCommand(account, `iam delete-role-policy --role-name ${role.name} --policy-name ${policy}`);
  const detach = ({ arn }: { readonly arn: string }) =>
    awsCommand(account, `iam detach-role-policy --role-name ${role.name} --policy-arn ${arn}`);
  const findings: Finding[] = [];
  const scripted = judged.verdict?.owner !== "ours";
  if (scripted && placement === "managed" && role.inline.has(policyName)) {
    const message = `the legacy script's inline policy ${policyName} remains in addition to the managed policies, and its permissions still apply`;
    findings.push(note("policy-left-over", message, { what: "Delete it after up.", commands: [remove(policyName)] }));
  }
  if (scripted && placement === "inline" && judged.adopted && account.adopt.policy && !role.inline.has(policyName)) {
    const message = `adopt names the inline policy ${policyName}, but the role does not have it: up would fail`;
    findings.push(problem("policy-adopt-absent", message, { what: "Adopt only what exists.", ...lines.adopt }));
  }
  const trusted = issuersOf(judged.wanted.document);
  const untrusted = issuersOf(role.trust).filter((issuer) => !trusted.includes(issuer));
  if (scripted && untrusted.length > 0) {
    const message = `it trusts issuers that the stack does not have, and up removes them: ${untrusted.join(", ")}`;
    const what = "Add their clusters to the config (deploy: false is enough), if they are still in use.";
    findings.push(about(`trust policy of role ${role.name}`).note("role-trust-removed", message, { what }));
  }
  // The inline policy of this name is the stack's own, was reported above, or is deleted by the next up.
  const inline = [...role.inline.keys()].filter((name) => name !== policyName);
  const names = managedPolicies(account);
  const attached = role.attached.filter(({ name }) => !names.includes(name));
  if (inline.length + attached.length > 0) {
    const others = [...inline, ...attached.map(({ name }) => name)].sort().join(", ");
    const message = `managed outside this stack: ${others}; the server has their permissions too, and destroy detaches them`;
    const what = "Detach them, if the server must not have their permissions.";
    findings.push(
      note("policy-of-others", message, { what, commands: [...inline.map(remove), ...attached.map(detach)] }),
    );
  }
  return findings;
}

const withState = (stack: string) =>
  `pulumi stack export --stack ${stack} --file state.json && npm run doctor -- --stack ${stack} --state state.json`;

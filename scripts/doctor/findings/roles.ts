/** The stack's roles in an account, and their policies. */
import { type Settings, type TargetAccountSettings, unknownIssuer } from "../../../config/settings.js";
import { roleArn, trustRoles } from "../../../documents/profiles.js";
import { issuersOf, roleNameFor, type TrustRole } from "../../../policies/trust.js";
import { awsCommand, configLine, type Fix, refreshFix } from "../advice.js";
import { documentDifference, tagDifference, valueDifference } from "../drift.js";
import { roleOwner, type Verdict } from "../owner.js";
import type { Reading, RoleFacts } from "../readings.js";
import { type AdviceLines, about, type Examination, type Finding, unread } from "./finding.js";

export const isForeign = (verdict: Verdict | undefined) =>
  verdict?.owner === "other" || verdict?.owner === "siblingStack";

export interface JudgedRole {
  readonly wanted: TrustRole;
  readonly name: string;
  readonly found: Reading<RoleFacts | undefined>;
  readonly role: RoleFacts | undefined;
  readonly verdict: Verdict | undefined;
}

export function rolesOf(settings: Settings, account: TargetAccountSettings): TrustRole[] {
  return trustRoles(
    settings,
    account,
    settings.clusters.map((cluster) => ({
      ...cluster,
      issuerUrl: cluster.issuerUrl ?? unknownIssuer(cluster.region),
    })),
  );
}

export function judgeRole({ settings, account, facts, state }: Examination, wanted: TrustRole): JudgedRole {
  const name = roleNameFor(settings.iam.roleName, wanted.number);
  const found = facts.roles.get(name) ?? { value: undefined };
  const role = "value" in found ? found.value : undefined;
  return {
    wanted,
    name,
    found,
    role,
    verdict: role && roleOwner(settings, account, role, wanted.document, state),
  };
}

export function roleFindings(examination: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const { settings, account, state } = examination;
  const { wanted, name, found, role, verdict } = judged;
  const subject = `role ${name}`;
  if ("failure" in found) return [unread(subject, found.failure)];
  const adopted = wanted.number === 1 && account.adopt.role;
  const { ok, note, problem } = about(subject);
  if (role === undefined || verdict === undefined) {
    if (state?.urnOf(roleArn(settings, account, wanted.number)) !== undefined) {
      return [
        problem("role-gone", "in the stack's state, but deleted from the account", {
          ...refreshFix(settings),
          ...(adopted ? lines.adopt : {}),
        }),
      ];
    }
    return adopted
      ? [
          problem("role-adopt-absent", "adopt names it, but it does not exist: up would fail", {
            what: "Adopt only what exists.",
            ...lines.adopt,
          }),
        ]
      : [ok("role-absent", "absent; the stack creates it")];
  }

  const rename: Fix = {
    what: "Set another name for the stack's role (the same in every account).",
    at: "iam",
    config: configLine("roleName", freeName(settings.iam.roleName)),
  };
  const rest = extraFindings(examination, judged, lines);
  if (role.name !== name) {
    return [
      problem("role-case", `the account has ${role.name}: IAM names are case-insensitive`, {
        ...rename,
        ...(isForeign(verdict)
          ? {}
          : { what: "Use the account's spelling.", config: configLine("roleName", role.name) }),
      }),
      ...rest,
    ];
  }
  if (verdict.owner === "ours") {
    return [
      ...differences(examination, judged),
      role.path === settings.iam.path
        ? ok("role-ours", `belongs to this stack: ${verdict.because}`)
        : note(
            "role-path",
            `belongs to this stack, at path ${role.path}: up replaces the role, because IAM cannot change a path; the server cannot assume it for a few seconds`,
            { what: "To avoid this, keep the path.", at: "iam", config: configLine("path", role.path) },
          ),
      ...rest,
    ];
  }
  if (verdict.owner === "siblingStack") {
    return [
      problem(
        "role-of-sibling-stack",
        `belongs to another stack, or to this stack before its clusters were re-created: ${verdict.because}`,
        {
          ...rename,
          what: "If it belongs to another stack, set another name for this stack's role. The state shows the owner (--state).",
          commands: [withState(settings)],
        },
      ),
    ];
  }
  if (verdict.owner === "other" || wanted.number > 1) {
    return [
      problem(
        "role-of-others",
        `managed outside this stack: ${verdict.because}${adopted ? "; adopt would rewrite its trust policy" : ""}`,
        rename,
      ),
    ];
  }
  if (role.path !== settings.iam.path) {
    return [
      problem(
        "role-path",
        `${verdict.because}, at path ${role.path}: it cannot be imported at ${settings.iam.path}, and names are unique across paths`,
        {
          what: "Keep its path (the same in every account), or set another name for the stack's role.",
          at: "iam",
          config: configLine("path", role.path),
        },
      ),
      ...rest,
    ];
  }
  if (adopted) return [ok("role-adoptable", `adopt imports it: ${verdict.because}`), ...rest];
  return [
    verdict.owner === "script"
      ? problem("role-of-script", `${verdict.because}: up would stop at EntityAlreadyExists`, {
          what: "Adopt it.",
          ...lines.adopt,
        })
      : problem("role-unclear", verdict.because, {
          what: "Adopt it (no effect if the stack owns it), or pass the state with --state.",
          ...lines.adopt,
          commands: [withState(settings)],
        }),
    ...rest,
  ];
}

/** The stack's role, content by content. */
function differences({ settings, account }: Examination, { wanted, role }: JudgedRole): Finding[] {
  if (role === undefined) return [];
  const { placement, policies } = account.permissions;
  const attached = role.attached.map(({ name }) => name);
  const parts: ReadonlyArray<readonly [part: string, difference: string | undefined]> = [
    ["trust policy", documentDifference(wanted.document, role.trust)],
    ["description", valueDifference(account.description, role.description)],
    ["session duration", valueDifference(settings.iam.sessionDuration, role.sessionDuration)],
    ["permissions boundary", valueDifference(account.permissionsBoundaryArn, role.boundaryArn)],
    ["tags", tagDifference(settings.iam.tags, role.tags)],
    ...policies.map(({ name, document }) => {
      if (placement === "managed")
        return [`policy ${name}`, attached.includes(name) ? undefined : "not attached"] as const;
      const found = role.inline.get(name);
      return [`policy ${name}`, found === undefined ? "deleted" : documentDifference(document, found)] as const;
    }),
  ];
  return parts.flatMap(([part, difference]) =>
    difference === undefined
      ? []
      : [about(`${part} of role ${role.name}`).note("role-differs", difference, refreshFix(settings))],
  );
}

/** Policies on a role that the stack owns or will adopt. */
function extraFindings(
  { settings, account, accountAccess }: Examination,
  { wanted, role, verdict }: JudgedRole,
  lines: AdviceLines,
): Finding[] {
  if (role === undefined || isForeign(verdict)) return [];
  const { placement, policies } = account.permissions;
  const names = policies.map(({ name }) => name);
  const { note, problem } = about(`policies of role ${role.name}`);
  const findings: Finding[] = [];
  const first = settings.iam.policyName;
  const scripted = verdict?.owner !== "ours";
  if (placement === "managed" && scripted && role.inline.has(first)) {
    const remove = `iam delete-role-policy --role-name ${role.name} --policy-name ${first}`;
    findings.push(
      note(
        "policy-left-over",
        `the legacy script's inline policy ${first} stays beside the managed ones, with its permissions`,
        { what: "Delete it after up.", commands: [awsCommand(accountAccess, remove)] },
      ),
    );
  }
  const adopted = wanted.number === 1 && account.adopt.role && account.adopt.policy;
  if (adopted && scripted && placement === "inline" && !role.inline.has(first)) {
    const message = `adopt names the inline policy ${first}, but the role does not have it: up would fail`;
    findings.push(problem("policy-adopt-absent", message, { what: "Adopt only what exists.", ...lines.adopt }));
  }
  const trusted = new Set(issuersOf(wanted.document));
  const untrusted = scripted ? issuersOf(role.trust).filter((issuer) => !trusted.has(issuer)) : [];
  if (untrusted.length > 0) {
    findings.push(
      about(`trust policy of role ${role.name}`).note(
        "role-trust-removed",
        `it trusts issuers that the stack does not have, and up removes them: ${untrusted.join(", ")}`,
        { what: "Add their clusters to the config (deploy: false is enough), if they are still in use." },
      ),
    );
  }
  const known = new Set(placement === "inline" ? names : []);
  const inline = [...role.inline.keys()].filter((name) => !known.has(name) && name !== first);
  const attached = role.attached.filter(({ name }) => placement === "inline" || !names.includes(name));
  const remove = [
    ...inline.map((policy) => `iam delete-role-policy --role-name ${role.name} --policy-name ${policy}`),
    ...attached.map(({ arn }) => `iam detach-role-policy --role-name ${role.name} --policy-arn ${arn}`),
  ];
  if (remove.length > 0) {
    const others = [...inline, ...attached.map(({ name }) => name)].sort().join(", ");
    findings.push(
      note(
        "policy-of-others",
        `managed outside this stack: ${others}; the server has their permissions too, and destroy detaches them`,
        {
          what: "Detach them, if the server must not have their permissions.",
          commands: remove.map((command) => awsCommand(accountAccess, command)),
        },
      ),
    );
  }
  return findings;
}

const withState = ({ stack }: Settings) =>
  `pulumi stack export --stack ${stack} --file state.json && npm run doctor -- --stack ${stack} --state state.json`;

/** A role name that differs from the existing one. */
const freeName = (name: string) => `${name.slice(0, 54)}-holmes`;

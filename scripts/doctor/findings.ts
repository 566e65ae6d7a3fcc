/** What an account's facts mean for the stack's config, each with what settles it. Pure: facts in, findings out. */
import { limits } from "../../config/limits.js";
import { issuerPath, type Settings, type TargetAccountSettings, unknownIssuer } from "../../config/settings.js";
import { roleArn, trustRoles } from "../../documents/profiles.js";
import { MANAGED_POLICIES_PER_ROLE, TRUST_POLICY_LIMIT_MAX } from "../../policies/size.js";
import { AUDIENCE, oidcProviderArn, roleNameFor, type TrustRole } from "../../policies/trust.js";
import { accountKey, awsCommand, configLine, type Fix, type Quota, quotaFix } from "./advice.js";
import type { AccountFacts, Failure, OidcProviderFacts, Part, RoleFacts, Wanted } from "./facts.js";
import {
  issuersOf,
  type Owner,
  oidcProviderOwner,
  policyOwner,
  roleOwner,
  type TrustedBy,
  type Verdict,
} from "./owner.js";
import type { Place } from "./places.js";
import type { StackState } from "./state.js";

/** `ok`: as it should be. `note`: worth knowing. `problem`: `pulumi up` would fail or do harm. */
export type Level = "ok" | "note" | "problem";

export interface Finding {
  readonly level: Level;
  /** Stable name of the kind of finding; docs/doctor.md lists them. */
  readonly code: string;
  /** What it is about: `role EKSMultiAccountMCPRole`. */
  readonly subject: string;
  readonly message: string;
  readonly fix?: Fix;
}

/** A managed target account as it stands. */
export interface Examination {
  readonly settings: Settings;
  readonly place: Place;
  readonly account: TargetAccountSettings;
  readonly facts: AccountFacts;
  readonly state: StackState | undefined;
}

/** What has to be read of an account to judge it. */
export function wantedOf(settings: Settings, account: TargetAccountSettings): Wanted {
  return {
    issuers: knownClusters(settings).flatMap(({ issuers }) => issuers),
    roles: rolesOf(settings, account).map(({ number }) => roleNameFor(settings.iam.roleName, number)),
    managedPolicies:
      account.permissions.placement === "managed" ? account.permissions.policies.map(({ name }) => name) : [],
    path: settings.iam.path,
    boundaryArn: account.permissionsBoundaryArn,
  };
}

export function examine(examination: Examination): Finding[] {
  const { settings, account } = examination;
  const roles = rolesOf(settings, account).map((role) => judgeRole(examination, role));
  const clusters = knownClusters(settings).map((cluster) => judgeCluster(examination, cluster, roles));
  const lines = adviceLines(examination, clusters, roles);
  return [
    ...clusters.flatMap((cluster) => clusterFindings(examination, cluster, lines)),
    ...sharingFindings(examination, clusters),
    ...roles.flatMap((role) => roleFindings(examination, role, lines)),
    ...managedPolicyFindings(examination),
    ...boundaryFindings(examination),
    ...quotaFindings(examination, clusters, roles),
  ];
}

// ---- Clusters and their OIDC providers

interface KnownCluster {
  readonly name: string;
  /** Current issuer first, without `https://`. */
  readonly issuers: readonly string[];
}

function knownClusters({ clusters }: Settings): KnownCluster[] {
  return clusters.flatMap(({ name, issuerUrl, previousIssuers }) =>
    issuerUrl === undefined ? [] : [{ name, issuers: [issuerUrl, ...previousIssuers].map(issuerPath) }],
  );
}

/** How the config treats a cluster's providers, or should. */
type Mode = "made" | "existing" | "adopted";

interface JudgedProvider {
  readonly issuer: string;
  readonly current: boolean;
  readonly arn: string;
  readonly found: Part<OidcProviderFacts | undefined>;
  readonly verdict: Verdict | undefined;
}

interface JudgedCluster {
  readonly name: string;
  readonly mode: Mode;
  /** The mode that fits what is there. */
  readonly fitting: Mode;
  readonly providers: readonly JudgedProvider[];
}

function judgeCluster(examination: Examination, cluster: KnownCluster, roles: readonly JudgedRole[]): JudgedCluster {
  const { account, facts, settings, state } = examination;
  const mode: Mode = account.existingOidcProviders.includes(cluster.name)
    ? "existing"
    : account.adopt.oidcProviders.includes(cluster.name)
      ? "adopted"
      : "made";
  const providers = cluster.issuers.map((issuer, index): JudgedProvider => {
    const found = facts.oidcProviders.get(issuer) ?? { value: undefined };
    const provider = "value" in found ? found.value : undefined;
    const verdict = provider && oidcProviderOwner(provider, trustOf(facts, roles, issuer, mode), state);
    return {
      issuer,
      current: index === 0,
      arn: oidcProviderArn(account.partition, account.accountId, issuer),
      found,
      verdict,
    };
  });
  // What the stack made can't be declared as somebody else's: up would remove it.
  const removed =
    mode === "existing" &&
    !settings.iam.retainOidcProviders &&
    providers.some(({ arn }) => state?.urnOf(arn) !== undefined);
  return { name: cluster.name, mode, providers, fitting: removed ? "made" : fittingMode(mode, providers) };
}

/** Which roles trust a provider. */
function trustOf(facts: AccountFacts, roles: readonly JudgedRole[], issuer: string, mode: Mode): TrustedBy {
  const trusting = (...owners: Owner[]) =>
    roles.find(
      ({ role, verdict }) =>
        role !== undefined &&
        verdict !== undefined &&
        owners.includes(verdict.owner) &&
        issuersOf(role.trust).includes(issuer),
    )?.role;
  const own = new Set(
    roles.flatMap(({ role, verdict }) => (role === undefined || verdict?.owner === "other" ? [] : [role.name])),
  );
  const all = "value" in facts.allRoles ? facts.allRoles.value : [];
  return {
    // Our role trusts what was there before it as well: that is declared.
    ours: mode === "existing" ? undefined : trusting("ours")?.tags,
    script: trusting("script", "unclear") !== undefined,
    others: all
      .filter(({ name, trust }) => !own.has(name) && issuersOf(trust).includes(issuer))
      .map(({ name }) => name),
  };
}

function fittingMode(mode: Mode, providers: readonly JudgedProvider[]): Mode {
  if (providers.some(({ found }) => "failure" in found)) return mode;
  const owners = new Set(providers.map(({ verdict }) => verdict?.owner ?? "absent"));
  const [current] = providers;
  if (mode === "existing") return owners.size === 1 && owners.has("absent") ? "made" : "existing";
  if (owners.has("other")) return "existing";
  if (owners.has("script") || (mode === "adopted" && owners.has("unclear"))) return "adopted";
  if (owners.has("unclear")) return "existing";
  return mode === "adopted" && current?.verdict !== undefined && !owners.has("absent") ? "adopted" : "made";
}

function clusterFindings(examination: Examination, cluster: JudgedCluster, lines: AdviceLines): Finding[] {
  return cluster.providers.map((provider) => {
    if ("failure" in provider.found) return unread(`OIDC provider of ${cluster.name}`, provider.found.failure);
    return provider.found.value === undefined
      ? absentProvider(examination, cluster, provider, lines)
      : presentProvider(examination, cluster, provider, provider.found.value, lines);
  });
}

/** Without the list of roles nobody can tell whether a provider has other users. */
function sharingFindings({ facts }: Examination, clusters: readonly JudgedCluster[]): Finding[] {
  const present = clusters.flatMap(({ providers }) => providers).some(({ verdict }) => verdict !== undefined);
  if ("value" in facts.allRoles || !present) return [];
  return [unread("who else trusts the OIDC providers", facts.allRoles.failure)];
}

const subjectOf = (cluster: JudgedCluster, provider: JudgedProvider) =>
  `OIDC provider of ${cluster.name}${provider.current ? "" : ` (previous issuer ${provider.issuer.split("/").at(-1)})`}`;

function absentProvider(
  { place, state, settings }: Examination,
  cluster: JudgedCluster,
  provider: JudgedProvider,
  lines: AdviceLines,
): Finding {
  const subject = subjectOf(cluster, provider);
  const create = awsCommand(
    place,
    `iam create-open-id-connect-provider --url https://${provider.issuer} --client-id-list ${AUDIENCE}`,
  );
  if (cluster.mode !== "existing" && state?.urnOf(provider.arn) !== undefined) {
    return {
      level: "problem",
      code: "provider-gone",
      subject,
      message: "in the stack's state, but not in the account any more",
      fix: {
        what: "Let the state see it; the next up then makes it again.",
        commands: [`pulumi refresh --stack ${settings.stack}`],
        ...(cluster.mode === "adopted" ? lines.adopt : {}),
      },
    };
  }
  if (cluster.mode === "existing") {
    if (cluster.fitting === "made") {
      return {
        level: "problem",
        code: "provider-existing-absent",
        subject,
        message: "existingOidcProviders says that the account has it; it has not, and the role would trust nothing",
        fix: { what: "Let the stack make it.", ...lines.existing },
      };
    }
    return {
      level: provider.current ? "problem" : "note",
      code: "provider-existing-absent",
      subject,
      message: provider.current
        ? "the account has the previous issuer's provider, not the current one's"
        : "the account has no provider for the previous issuer: tokens from it are refused here",
      fix: { what: "Have its owner make it.", commands: [create] },
    };
  }
  if (cluster.fitting === "existing") {
    return {
      level: "problem",
      code: "provider-existing-absent",
      subject,
      message: "another issuer's provider of this cluster is somebody else's; then this one has to be there as well",
      fix: { what: "Make it by hand, and declare the cluster's providers.", ...lines.existing, commands: [create] },
    };
  }
  if (cluster.mode === "adopted") {
    return {
      level: "problem",
      code: "provider-adopt-absent",
      subject,
      message: "adopt names it, but there is nothing to take over: up would fail",
      fix: { what: "Take over only what is there.", ...lines.adopt },
    };
  }
  if (cluster.fitting === "adopted") {
    return {
      level: "problem",
      code: "provider-adopt-absent",
      subject,
      message: "absent, while the provider of another issuer of this cluster is the script's",
      fix: {
        what: `Two steps: up once with oidcIssuerUrl set to the issuer that is there, without previousIssuers, and with adopt; then put both back and take ${cluster.name} out of adopt.`,
      },
    };
  }
  return { level: "ok", code: "provider-absent", subject, message: "absent; the stack makes it" };
}

function presentProvider(
  { account, place, settings, state }: Examination,
  cluster: JudgedCluster,
  provider: JudgedProvider,
  { audiences, arn }: OidcProviderFacts,
  lines: AdviceLines,
): Finding {
  const { owner, because } = provider.verdict!;
  const subject = subjectOf(cluster, provider);
  const deaf = !audiences.includes(AUDIENCE);
  const heard = `its audiences are ${audiences.length === 0 ? "none" : audiences.join(", ")}, without ${AUDIENCE}`;
  const addAudience = awsCommand(
    place,
    `iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${arn} --client-id ${AUDIENCE}`,
  );
  const urn = state?.urnOf(arn);

  if (cluster.mode === "existing") {
    if (urn !== undefined && !settings.iam.retainOidcProviders) {
      return {
        level: "problem",
        code: "provider-existing-ours",
        subject,
        message: "the stack made it; with existingOidcProviders the next up removes it from the account",
        fix: {
          what: "Take the cluster out of existingOidcProviders, or take the provider out of the state (it then stays).",
          ...lines.existing,
          commands: [`pulumi state delete --stack ${settings.stack} '${urn}'`],
        },
      };
    }
    return deaf
      ? {
          level: "problem",
          code: "provider-audience",
          subject,
          message: `${heard}: STS refuses the server's tokens`,
          fix: { what: "Have its owner add the audience.", commands: [addAudience] },
        }
      : { level: "ok", code: "provider-existing", subject, message: "there already, used as declared" };
  }

  if (owner === "ours") {
    return deaf
      ? {
          level: "problem",
          code: "provider-audience",
          subject,
          message: `ours (${because}), but ${heard}: STS refuses the server's tokens`,
          fix: {
            what: "Put it back as the stack has it.",
            commands: [`pulumi up --refresh --stack ${settings.stack}`],
          },
        }
      : { level: "ok", code: "provider-ours", subject, message: `ours: ${because}` };
  }
  if (cluster.mode === "adopted" && owner !== "other") {
    return {
      level: "ok",
      code: "provider-adoptable",
      subject,
      message: owner === "script" ? "made by the old script; adopt takes it over" : "adopt takes it over",
    };
  }
  if (owner === "script") {
    return {
      level: "problem",
      code: "provider-of-script",
      subject,
      message: `made by the old script (${because}): up would stop at EntityAlreadyExists`,
      fix: { what: "Take it over.", ...lines.adopt },
    };
  }
  const adopts = cluster.mode === "adopted" ? "adopt would take it from them and destroy would delete it" : undefined;
  return {
    level: "problem",
    code: owner === "other" ? "provider-of-others" : "provider-unclear",
    subject,
    message:
      owner === "other"
        ? `somebody else's: ${because}${deaf ? `; ${heard}` : ""}: ${adopts ?? "up would stop at EntityAlreadyExists"}`
        : `there already, and nothing tells whose it is (${because}): up would stop at EntityAlreadyExists`,
    fix: {
      what:
        owner === "other"
          ? deaf
            ? "Use it as it is, and have its owner add the audience."
            : "Use it as it is."
          : `Use it as it is; or take it over, if it is a leftover of the old script (adopt with oidcProviders: [${cluster.name}] in account ${account.profile}).`,
      ...lines.existing,
      ...(deaf ? { commands: [addAudience] } : {}),
    },
  };
}

// ---- Roles

const isForeign = (verdict: Verdict | undefined) => verdict?.owner === "other" || verdict?.owner === "twin";

interface JudgedRole {
  readonly wanted: TrustRole;
  readonly name: string;
  readonly found: Part<RoleFacts | undefined>;
  readonly role: RoleFacts | undefined;
  readonly verdict: Verdict | undefined;
}

function rolesOf(settings: Settings, account: TargetAccountSettings): TrustRole[] {
  return trustRoles(
    settings,
    account,
    settings.clusters.map((cluster) => ({
      ...cluster,
      issuerUrl: cluster.issuerUrl ?? unknownIssuer(cluster.region),
    })),
  );
}

function judgeRole({ settings, account, facts, state }: Examination, wanted: TrustRole): JudgedRole {
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

function roleFindings(examination: Examination, judged: JudgedRole, lines: AdviceLines): Finding[] {
  const { settings, account, state } = examination;
  const { wanted, name, found, role, verdict } = judged;
  const subject = `role ${name}`;
  if ("failure" in found) return [unread(subject, found.failure)];
  const adopted = wanted.number === 1 && account.adopt.role;
  const problem = (code: string, message: string, fix: Fix): Finding => ({
    level: "problem",
    code,
    subject,
    message,
    fix,
  });
  if (role === undefined || verdict === undefined) {
    if (state?.urnOf(roleArn(settings, account, wanted.number)) !== undefined) {
      return [
        problem("role-gone", "in the stack's state, but not in the account any more", {
          what: "Let the state see it; the next up then makes it again.",
          commands: [`pulumi refresh --stack ${settings.stack}`],
          ...(adopted ? lines.adopt : {}),
        }),
      ];
    }
    return adopted
      ? [
          problem("role-adopt-absent", "adopt names it, but there is nothing to take over: up would fail", {
            what: "Take over only what is there.",
            ...lines.adopt,
          }),
        ]
      : [{ level: "ok", code: "role-absent", subject, message: "absent; the stack makes it" }];
  }

  const rename: Fix = {
    what: "Give the stack's role another name (the same in every account).",
    at: "iam",
    config: configLine("roleName", freeName(settings.iam.roleName)),
  };
  const rest = extraFindings(examination, judged, lines);
  if (role.name !== name) {
    return [
      problem("role-case", `the account has ${role.name}: IAM does not tell names apart by case`, {
        ...rename,
        ...(isForeign(verdict)
          ? {}
          : { what: "Spell it as the account does.", config: configLine("roleName", role.name) }),
      }),
      ...rest,
    ];
  }
  if (verdict.owner === "ours") {
    return [
      role.path === settings.iam.path
        ? { level: "ok", code: "role-ours", subject, message: `ours: ${verdict.because}` }
        : {
            level: "note",
            code: "role-path",
            subject,
            message: `ours, at path ${role.path}: up replaces it, because a path cannot be changed; for some seconds the server cannot take it`,
            fix: { what: "Or leave the path as it is.", at: "iam", config: configLine("path", role.path) },
          },
      ...rest,
    ];
  }
  if (verdict.owner === "twin") {
    return [
      problem(
        "role-of-twin",
        `another stack's, or this one's before its clusters were re-created: ${verdict.because}`,
        {
          ...rename,
          what: "If it is another stack's, give this stack's role another name; the state tells (--state).",
          commands: [withState(settings)],
        },
      ),
    ];
  }
  if (verdict.owner === "other" || wanted.number > 1) {
    return [
      problem(
        "role-of-others",
        `somebody else's: ${verdict.because}${adopted ? "; adopt would rewrite its trust policy" : ""}`,
        rename,
      ),
    ];
  }
  if (role.path !== settings.iam.path) {
    return [
      problem(
        "role-path",
        `${verdict.owner === "script" ? "made by the old script" : verdict.because}, at path ${role.path}: it cannot be taken over to ${settings.iam.path}, and its name is taken whatever the path`,
        {
          what: "Keep its path (the same in every account), or give the stack's role another name.",
          at: "iam",
          config: configLine("path", role.path),
        },
      ),
      ...rest,
    ];
  }
  if (adopted) {
    return [
      { level: "ok", code: "role-adoptable", subject, message: "made by the old script; adopt takes it over" },
      ...rest,
    ];
  }
  return [
    verdict.owner === "script"
      ? problem("role-of-script", `made by the old script (${verdict.because}): up would stop at EntityAlreadyExists`, {
          what: "Take it over.",
          ...lines.adopt,
        })
      : problem("role-unclear", `ours or the script's: ${verdict.because}`, {
          what: "Take it over (that changes nothing when it is ours), or let doctor look into the state with --state.",
          ...lines.adopt,
          commands: [withState(settings)],
        }),
    ...rest,
  ];
}

/** Policies on a role of ours, or one that will be. */
function extraFindings(
  { settings, account, place }: Examination,
  { wanted, role, verdict }: JudgedRole,
  lines: AdviceLines,
): Finding[] {
  if (role === undefined || isForeign(verdict)) return [];
  const { placement, policies } = account.permissions;
  const names = policies.map(({ name }) => name);
  const subject = `policies of role ${role.name}`;
  const findings: Finding[] = [];
  const first = settings.iam.policyName;
  const scripted = verdict?.owner !== "ours";
  if (placement === "managed" && scripted && role.inline.has(first)) {
    findings.push({
      level: "note",
      code: "policy-left-over",
      subject,
      message: `the script's inline policy ${first} stays beside the managed ones, and its permissions with it`,
      fix: {
        what: "Remove it after up.",
        commands: [awsCommand(place, `iam delete-role-policy --role-name ${role.name} --policy-name ${first}`)],
      },
    });
  }
  const adopted = wanted.number === 1 && account.adopt.role && account.adopt.policy;
  if (adopted && scripted && placement === "inline" && !role.inline.has(first)) {
    findings.push({
      level: "problem",
      code: "policy-adopt-absent",
      subject,
      message: `adopt names the inline policy ${first}, but the role has none of that name: up would fail`,
      fix: { what: "Take over only what is there.", ...lines.adopt },
    });
  }
  const trusted = new Set(issuersOf(wanted.document));
  const untrusted = scripted ? issuersOf(role.trust).filter((issuer) => !trusted.has(issuer)) : [];
  if (untrusted.length > 0) {
    findings.push({
      level: "note",
      code: "role-trust-removed",
      subject: `trust policy of role ${role.name}`,
      message: `it trusts issuers that the stack has not, and up takes them out: ${untrusted.join(", ")}`,
      fix: { what: "Add their clusters to the config (deploy: false is enough), if they are still in use." },
    });
  }
  const known = new Set(placement === "inline" ? names : []);
  const inline = [...role.inline.keys()].filter((name) => !known.has(name) && name !== first);
  const attached = role.attached.filter(({ name }) => placement === "inline" || !names.includes(name));
  const extra = [...inline, ...attached.map(({ name }) => name)].sort();
  if (extra.length > 0) {
    findings.push({
      level: "note",
      code: "policy-of-others",
      subject,
      message: `not this stack's: ${extra.join(", ")}; the server has their permissions too, and destroy detaches them by force`,
    });
  }
  return findings;
}

const withState = ({ stack }: Settings) =>
  `pulumi stack export --stack ${stack} --file state.json && npm run doctor -- --stack ${stack} --state state.json`;

/** A role name beside the taken one. */
const freeName = (name: string) => `${name.slice(0, 54)}-holmes`;

// ---- The lines that would fit the account

interface AdviceLines {
  readonly existing: Pick<Fix, "at" | "config">;
  readonly adopt: Pick<Fix, "at" | "config">;
}

/** Whole lines, so that one paste settles all findings of the account about them. */
function adviceLines(
  { account, settings }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): AdviceLines {
  const fitting = (mode: Mode) => clusters.filter((cluster) => cluster.fitting === mode).map(({ name }) => name);
  // Clusters whose issuer is not known keep what the config says of them.
  const unknown = settings.clusters.filter(({ name }) => !clusters.some((cluster) => cluster.name === name));
  const existing = [
    ...fitting("existing"),
    ...unknown.map(({ name }) => name).filter((name) => account.existingOidcProviders.includes(name)),
  ];
  // One that is ours already may stand there: adopt does nothing more about it.
  const adoptable = clusters
    .filter(
      ({ fitting: mode, providers }) =>
        mode === "adopted" || (mode === "made" && providers.every(({ verdict }) => verdict?.owner === "ours")),
    )
    .map(({ name }) => name);
  const first = roles.find(({ wanted }) => wanted.number === 1);
  const role = first?.role !== undefined && !isForeign(first.verdict) && first.role.name === first.name;
  const policy =
    role && (account.permissions.placement === "managed" || first.role?.inline.has(settings.iam.policyName) === true);
  const all = role && policy && adoptable.length + existing.length === settings.clusters.length && adoptable.length > 0;
  return {
    existing: { at: accountKey(account), config: configLine("existingOidcProviders", existing) },
    adopt: all
      ? { at: accountKey(account), config: configLine("adopt", true) }
      : adoptLine(account, fitting("adopted"), role, policy),
  };
}

function adoptLine(
  account: TargetAccountSettings,
  oidcProviders: readonly string[],
  role: boolean,
  policy: boolean,
): Pick<Fix, "at" | "config"> {
  const parts = {
    ...(oidcProviders.length === 0 ? {} : { oidcProviders }),
    ...(role ? { role } : {}),
    ...(policy ? { policy } : {}),
  };
  return {
    at: accountKey(account),
    config: configLine("adopt", Object.keys(parts).length === 0 ? false : parts),
  };
}

// ---- Managed policies, permissions boundary, quotas

function managedPolicyFindings({ settings, facts, state }: Examination): Finding[] {
  return [...facts.policies].map(([name, found]): Finding => {
    const subject = `managed policy ${name}`;
    if ("failure" in found) return unread(subject, found.failure);
    if (found.value === undefined) {
      return { level: "ok", code: "policy-absent", subject, message: "absent; the stack makes it" };
    }
    const { owner, because } = policyOwner(settings, found.value, state);
    if (owner === "ours") return { level: "ok", code: "policy-ours", subject, message: `ours: ${because}` };
    return {
      level: "problem",
      code: "policy-taken",
      subject,
      message: `somebody else's (${found.value.arn}): ${because}; names are unique whatever path and case`,
      fix: {
        what: "Give the stack's policies another name (the same in every account).",
        at: "iam",
        config: configLine("policyName", `${settings.iam.policyName.slice(0, 118)}-holmes`),
      },
    };
  });
}

function boundaryFindings({ account, facts, place }: Examination): Finding[] {
  const { boundary } = facts;
  const arn = account.permissionsBoundaryArn;
  if (boundary === undefined || arn === undefined) return [];
  const subject = "permissions boundary";
  if ("failure" in boundary) return [unread(subject, boundary.failure)];
  if (boundary.value) return [{ level: "ok", code: "boundary-found", subject, message: `${arn} is there` }];
  const name = arn.split(":policy/")[1]!;
  return [
    {
      level: "problem",
      code: "boundary-absent",
      subject,
      message: `${arn} is not in the account: AWS would refuse the role`,
      fix: {
        what: `Make it, or name another one for this account (${accountKey(account)}: permissionsBoundary).`,
        commands: [
          awsCommand(
            place,
            `iam create-policy --policy-name ${name.split("/").at(-1)}${name.includes("/") ? ` --path /${name.slice(0, name.lastIndexOf("/") + 1)}` : ""} --policy-document file://boundary.json`,
          ),
        ],
      },
    },
  ];
}

function quotaFindings(
  { settings, facts, place, account }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): Finding[] {
  return [
    ...providerQuota(facts, clusters),
    ...("failure" in facts.summary
      ? [unread("quotas", facts.summary.failure)]
      : [
          trustQuota(settings, place, roles, facts.summary.value),
          ...countQuota(place, facts.summary.value, "Roles", "RolesQuota", newcomers(roles), "roles"),
          ...countQuota(
            place,
            facts.summary.value,
            "Policies",
            "PoliciesQuota",
            [...facts.policies.values()].filter((part) => "value" in part && part.value === undefined).length,
            "managed policies",
          ),
          ...attachmentQuota(place, account, roles, facts.summary.value),
        ]),
  ];
}

const newcomers = (roles: readonly JudgedRole[]) =>
  roles.filter(({ found }) => "value" in found && found.value === undefined).length;

function trustQuota(
  { iam }: Settings,
  place: Place,
  roles: readonly JudgedRole[],
  summary: Readonly<Record<string, number>>,
): Finding {
  const subject = "trust policy quota";
  const quota = summary.AssumeRolePolicySizeQuota;
  const largest = Math.max(...roles.map(({ wanted }) => wanted.size));
  const has = `the largest trust policy has ${largest} characters, iam.trustPolicyLimit is ${iam.trustPolicyLimit}`;
  if (quota === undefined) {
    return { level: "note", code: "trust-quota", subject, message: `AWS names none; ${has}` };
  }
  if (quota >= iam.trustPolicyLimit) {
    return { level: "ok", code: "trust-quota", subject, message: `${quota} characters; ${has}` };
  }
  return {
    level: largest > quota ? "problem" : "note",
    code: "trust-quota",
    subject,
    message: `${quota} characters in this account; ${has}${largest > quota ? ": AWS would refuse the role" : "; the next cluster may not fit"}`,
    fix: {
      ...quotaFix(place, "AssumeRolePolicySizeQuota", Math.min(iam.trustPolicyLimit, TRUST_POLICY_LIMIT_MAX)),
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
  const message = `${count} of ${limit} in the account, ${more} to be made`;
  return count + more <= limit
    ? [{ level: "ok", code: "provider-quota", subject, message }]
    : [
        {
          level: "problem",
          code: "provider-quota",
          subject,
          message: `${message}: AWS does not raise this limit`,
          fix: {
            what: "Remove providers of clusters that are gone, or give the account a stack of its own that trusts fewer clusters.",
          },
        },
      ];
}

function countQuota(
  place: Place,
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
      message: `${count} of ${limit} in the account, ${more} to be made`,
      fix: quotaFix(place, quota, limit + more),
    },
  ];
}

/** Only roles that are there can have policies that are not ours. */
function attachmentQuota(
  place: Place,
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
        message: `${others} attached by others and ${ours.length} of this stack, a role takes ${limit}`,
        fix: quotaFix(place, "AttachedPoliciesPerRoleQuota", others + ours.length),
      },
    ];
  });
}

// ---- What could not be read

/** Calls that `pulumi up` makes as well: without them it fails too. */
const neededByUp = new Set(["iam:GetRole", "iam:GetOpenIDConnectProvider"]);

function unread(subject: string, { call, code, message }: Failure): Finding {
  const needed = neededByUp.has(call);
  return {
    level: needed ? "problem" : "note",
    code: "unread",
    subject,
    message: `not checked: ${call}: ${code}: ${message}`,
    fix: {
      what: needed
        ? `Allow ${call} to whoever provisions: pulumi up needs it too.`
        : `Allow ${call} to whoever runs doctor to have it checked; pulumi up does not need it.`,
    },
  };
}

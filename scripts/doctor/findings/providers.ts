/** OIDC providers of the stack's clusters in an account. */
import { issuerPath, type Settings, type TargetAccountSettings } from "../../../config/settings.js";
import { AUDIENCE, issuersOf, oidcProviderArn } from "../../../policies/trust.js";
import { awsCommand, refreshFix } from "../advice.js";
import { joined, listDifference, tagDifference } from "../drift.js";
import { type Owner, oidcProviderOwner, type TrustedBy, type Verdict } from "../owner.js";
import type { AccountFacts, OidcProviderFacts, Reading } from "../readings.js";
import { type AdviceLines, about, type Examination, type Finding, unread } from "./finding.js";
import type { JudgedRole } from "./roles.js";

export interface KnownCluster {
  readonly name: string;
  /** Current issuer first, without `https://`. */
  readonly issuers: readonly string[];
}

/** The clusters that the account trusts and whose issuer is known. */
export function knownClusters({ clusters }: Settings, { clusters: trusted }: TargetAccountSettings): KnownCluster[] {
  return clusters.flatMap(({ name, issuerUrl, previousIssuers }) =>
    issuerUrl === undefined || !trusted.includes(name)
      ? []
      : [{ name, issuers: [issuerUrl, ...previousIssuers].map(issuerPath) }],
  );
}

/** How the config treats a cluster's providers. */
export type Mode = "made" | "existing" | "adopted";

export interface JudgedProvider {
  readonly issuer: string;
  readonly current: boolean;
  readonly arn: string;
  readonly found: Reading<OidcProviderFacts | undefined>;
  readonly verdict: Verdict | undefined;
}

export interface JudgedCluster {
  readonly name: string;
  readonly mode: Mode;
  /** The mode that fits the account. */
  readonly fitting: Mode;
  readonly providers: readonly JudgedProvider[];
}

export function judgeCluster(
  examination: Examination,
  cluster: KnownCluster,
  roles: readonly JudgedRole[],
): JudgedCluster {
  const { account, facts, settings, state } = examination;
  const mode: Mode = account.existingOidcProviders.includes(cluster.name)
    ? "existing"
    : account.adopt.oidcProviders.includes(cluster.name)
      ? "adopted"
      : "made";
  const providers = cluster.issuers.map((issuer, index): JudgedProvider => {
    const found = facts.oidcProviders.get(issuer) ?? { value: undefined };
    const provider = "value" in found ? found.value : undefined;
    const verdict = provider && oidcProviderOwner(settings, provider, trustOf(facts, roles, issuer, mode), state);
    return {
      issuer,
      current: index === 0,
      arn: oidcProviderArn(account.partition, account.accountId, issuer),
      found,
      verdict,
    };
  });
  // The stack's own provider cannot be declared as existing: up would delete it.
  const removed =
    mode === "existing" &&
    !settings.iam.retainOidcProviders &&
    providers.some(({ arn }) => state?.urnOf(arn) !== undefined);
  return { name: cluster.name, mode, providers, fitting: removed ? "made" : fittingMode(mode, providers) };
}

/** Which roles trust a provider. */
export function trustOf(facts: AccountFacts, roles: readonly JudgedRole[], issuer: string, mode: Mode): TrustedBy {
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
    // The stack's role also trusts declared providers.
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

export function clusterFindings(examination: Examination, cluster: JudgedCluster, lines: AdviceLines): Finding[] {
  return cluster.providers.map((provider) => {
    if ("failure" in provider.found) return unread(`OIDC provider of ${cluster.name}`, provider.found.failure);
    return provider.found.value === undefined
      ? absentProvider(examination, cluster, provider, lines)
      : presentProvider(examination, cluster, provider, provider.found.value, lines);
  });
}

/** Other users of a provider are known from the list of roles only. */
export function sharingFindings({ facts }: Examination, clusters: readonly JudgedCluster[]): Finding[] {
  const present = clusters.flatMap(({ providers }) => providers).some(({ verdict }) => verdict !== undefined);
  if ("value" in facts.allRoles || !present) return [];
  return [unread("other roles that trust the OIDC providers", facts.allRoles.failure)];
}

const subjectOf = (cluster: JudgedCluster, provider: JudgedProvider) =>
  `OIDC provider of ${cluster.name}${provider.current ? "" : ` (previous issuer ${provider.issuer.split("/").at(-1)})`}`;

function absentProvider(
  { accountAccess, state, settings }: Examination,
  cluster: JudgedCluster,
  provider: JudgedProvider,
  lines: AdviceLines,
): Finding {
  const { ok, note, problem } = about(subjectOf(cluster, provider));
  const create = awsCommand(
    accountAccess,
    `iam create-open-id-connect-provider --url https://${provider.issuer} --client-id-list ${AUDIENCE}`,
  );
  if (cluster.mode !== "existing" && state?.urnOf(provider.arn) !== undefined) {
    return problem("provider-gone", "in the stack's state, but deleted from the account", {
      ...refreshFix(settings),
      ...(cluster.mode === "adopted" ? lines.adopt : {}),
    });
  }
  if (cluster.mode === "existing" && cluster.fitting === "made") {
    const message = "existingOidcProviders lists this cluster, but the account has no such provider";
    return problem("provider-existing-absent", message, { what: "Let the stack create it.", ...lines.existing });
  }
  if (cluster.mode === "existing") {
    const fix = { what: "Ask its owner to create it.", commands: [create] };
    return provider.current
      ? problem(
          "provider-existing-absent",
          "the account has the provider of the previous issuer, but not of the current one",
          fix,
        )
      : note(
          "provider-existing-absent",
          "the account has no provider for the previous issuer: STS rejects its tokens",
          fix,
        );
  }
  if (cluster.fitting === "existing") {
    return problem(
      "provider-existing-absent",
      "the provider of another issuer of this cluster is managed outside this stack, so this one must exist as well",
      { what: "Create it, and list the cluster in existingOidcProviders.", ...lines.existing, commands: [create] },
    );
  }
  if (cluster.mode === "adopted") {
    const fix = { what: "Adopt only what exists.", ...lines.adopt };
    return problem("provider-adopt-absent", "adopt names it, but it does not exist: up would fail", fix);
  }
  if (cluster.fitting === "adopted") {
    return problem(
      "provider-adopt-absent",
      "does not exist, but the legacy script created the provider of another issuer of this cluster",
      {
        what: `Two steps: run pulumi up with oidcIssuerUrl set to the existing issuer, without previousIssuers, and with adopt. Then restore both and remove ${cluster.name} from adopt.`,
      },
    );
  }
  return ok("provider-absent", "absent; the stack creates it");
}

function presentProvider(
  { account, accountAccess, settings, state }: Examination,
  cluster: JudgedCluster,
  provider: JudgedProvider,
  { audiences, arn, tags }: OidcProviderFacts,
  lines: AdviceLines,
): Finding {
  const { owner, because } = provider.verdict!;
  const { ok, note, problem } = about(subjectOf(cluster, provider));
  const missingAudience = !audiences.includes(AUDIENCE);
  const audienceText = `its audiences are ${audiences.length === 0 ? "none" : audiences.join(", ")}, without ${AUDIENCE}`;
  const addAudience = awsCommand(
    accountAccess,
    `iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${arn} --client-id ${AUDIENCE}`,
  );
  const urn = state?.urnOf(arn);

  if (cluster.mode === "existing" && urn !== undefined && !settings.iam.retainOidcProviders) {
    return problem(
      "provider-existing-ours",
      "the stack created it; with existingOidcProviders the next up deletes it",
      {
        what: "Remove the cluster from existingOidcProviders, or remove the provider from the state (AWS keeps it).",
        ...lines.existing,
        commands: [`pulumi state delete --stack ${settings.stack} '${urn}'`],
      },
    );
  }
  if (cluster.mode === "existing") {
    const fix = { what: "Ask its owner to add the audience.", commands: [addAudience] };
    return missingAudience
      ? problem("provider-audience", `${audienceText}: STS rejects the server's tokens`, fix)
      : ok("provider-existing", "exists, and existingOidcProviders lists it");
  }
  if (owner === "ours") {
    if (missingAudience) {
      const message = `belongs to this stack (${because}), but ${audienceText}: STS rejects the server's tokens`;
      return problem("provider-audience", message, refreshFix(settings));
    }
    const difference = joined(
      listDifference([AUDIENCE], audiences, "audience"),
      tagDifference(settings.iam.tags, tags),
    );
    return difference === ""
      ? ok("provider-ours", `belongs to this stack: ${because}`)
      : note("provider-differs", difference, refreshFix(settings));
  }
  if (cluster.mode === "adopted" && owner !== "other") return ok("provider-adoptable", `adopt imports it: ${because}`);
  if (owner === "script") {
    const fix = { what: "Adopt it.", ...lines.adopt };
    return problem("provider-of-script", `${because}: up would stop at EntityAlreadyExists`, fix);
  }
  const use = { ...lines.existing, ...(missingAudience ? { commands: [addAudience] } : {}) };
  if (owner === "other") {
    const outcome =
      cluster.mode === "adopted"
        ? "adopt would import it and destroy would delete it"
        : "up would stop at EntityAlreadyExists";
    return problem(
      "provider-of-others",
      `managed outside this stack: ${because}${missingAudience ? `; ${audienceText}` : ""}: ${outcome}`,
      { what: `Use the existing provider${missingAudience ? ", and ask its owner to add the audience" : ""}.`, ...use },
    );
  }
  return problem(
    "provider-unclear",
    `exists, and its owner is unknown (${because}): up would stop at EntityAlreadyExists`,
    {
      what: `Use the existing provider; or adopt it, if the legacy script created it (adopt with oidcProviders: [${cluster.name}] in account ${account.profile}).`,
      ...use,
    },
  );
}

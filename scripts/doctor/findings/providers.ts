/** OIDC providers of the stack's clusters in an account. */
import { trustClusters } from "../../../config/profiles.js";
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { AUDIENCE, issuersOf, oidcProviderArn, type TrustCluster } from "../../../policies/trust.js";
import { awsCommand, refreshFix } from "../advice.js";
import { audienceDifference, joined, tagDifference } from "../drift.js";
import { type Owner, oidcProviderOwner, type TrustedBy, type Verdict } from "../owner.js";
import type { AccountFacts, OidcProviderFacts, Reading } from "../readings.js";
import {
  type AdviceLines,
  absent,
  compared,
  type Examination,
  type Finding,
  note,
  ok,
  problem,
  unread,
} from "./finding.js";
import type { JudgedRole } from "./roles.js";

/** The clusters that the account trusts and whose issuer is known. */
export const knownClusters = ({ clusters }: Settings, account: TargetAccountSettings): TrustCluster[] =>
  trustClusters(
    clusters.flatMap((cluster) => {
      const { name, issuerUrl } = cluster;
      return issuerUrl !== undefined && account.clusters.includes(name) ? [{ ...cluster, issuerUrl }] : [];
    }),
  );

/** How the config treats a cluster's providers. */
export type Mode = "made" | "existing" | "adopted";

export interface JudgedProvider {
  readonly subject: string;
  readonly issuer: string;
  readonly current: boolean;
  readonly arn: string;
  readonly found: Reading<OidcProviderFacts | undefined>;
  /** Undefined if the provider was not found. */
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
  { account, facts, settings, state }: Examination,
  { name, issuers }: TrustCluster,
  roles: readonly JudgedRole[],
): JudgedCluster {
  const mode: Mode = account.existingOidcProviders.includes(name)
    ? "existing"
    : account.adopt.oidcProviders.includes(name)
      ? "adopted"
      : "made";
  const providers = issuers.map((issuer, index): JudgedProvider => {
    const current = index === 0;
    const arn = oidcProviderArn(account.partition, account.accountId, issuer);
    const found = facts.oidcProviders.get(arn)!;
    return {
      subject: `OIDC provider of ${name}${current ? "" : ` (previous issuer ${issuer.split("/").at(-1)})`}`,
      issuer,
      current,
      arn,
      found,
      verdict: found.value && oidcProviderOwner(settings, found.value, trustOf(facts, roles, issuer), state),
    };
  });
  // The stack's own provider cannot be declared as existing: up would delete it.
  const removed =
    mode === "existing" &&
    !settings.iam.retainOidcProviders &&
    providers.some(({ arn }) => state?.urnOf(arn) !== undefined);
  return { name, mode, providers, fitting: removed ? "made" : fittingMode(mode, providers) };
}

/** Which roles trust a provider. */
function trustOf({ allRoles }: AccountFacts, roles: readonly JudgedRole[], issuer: string): TrustedBy {
  const trusting = (owner: Owner) =>
    roles.find(({ found, verdict }) => verdict?.owner === owner && issuersOf(found.value!.trust).includes(issuer));
  const own = roles.filter(({ verdict }) => verdict?.owner !== "other").map(({ wanted }) => wanted.name);
  return {
    ours: trusting("ours")?.found.value?.tags,
    script: trusting("script") !== undefined,
    others: (allRoles.value ?? [])
      .filter(({ name, trust }) => !own.includes(name) && issuersOf(trust).includes(issuer))
      .map(({ name }) => name),
  };
}

function fittingMode(mode: Mode, providers: readonly JudgedProvider[]): Mode {
  if (providers.some(({ found }) => found.failure)) return mode;
  const owners = new Set(providers.map(({ verdict }) => verdict?.owner ?? "absent"));
  if (mode === "existing") return owners.size === 1 && owners.has("absent") ? "made" : "existing";
  if (owners.has("other")) return "existing";
  if (owners.has("script") || (mode === "adopted" && owners.has("unclear"))) return "adopted";
  if (owners.has("unclear")) return "existing";
  return mode === "adopted" && !owners.has("absent") ? "adopted" : "made";
}

export function clusterFindings(examination: Examination, cluster: JudgedCluster, lines: AdviceLines): Finding[] {
  return cluster.providers.map((provider) => {
    const { found, verdict } = provider;
    if (found.failure) return unread(provider.subject, found.failure);
    return verdict === undefined
      ? absentProvider(examination, cluster, provider, lines)
      : presentProvider(examination, cluster, provider, found.value!, verdict, lines);
  });
}

function absentProvider(
  examination: Examination,
  { name, mode, fitting }: JudgedCluster,
  { subject, issuer, current, arn }: JudgedProvider,
  lines: AdviceLines,
): Finding {
  const { account, state } = examination;
  if (mode === "existing" && fitting === "made") {
    const message = "existingOidcProviders lists this cluster, but the account has no such provider";
    return problem(subject, "provider-existing-absent", message, {
      what: "Let the stack create it.",
      ...lines.existing,
    });
  }
  const deleted = state?.urnOf(arn) !== undefined;
  if (fitting === "existing" && (mode === "existing" || !deleted)) {
    const finding = current ? problem : note;
    const message =
      "the provider of another issuer of this cluster is managed outside this stack, so this one must exist as well: STS rejects its tokens";
    const create = `iam create-open-id-connect-provider --url https://${issuer} --client-id-list ${AUDIENCE}`;
    return finding(subject, "provider-existing-absent", message, {
      what: "Ask the owner to create it, and list the cluster in existingOidcProviders.",
      ...lines.existing,
      commands: [awsCommand(account, create)],
    });
  }
  if (fitting === "adopted" && !deleted) {
    const message = "does not exist, but the legacy script created the provider of another issuer of this cluster";
    const what = `Two steps: run pulumi up with oidcIssuerUrl set to the existing issuer, without previousIssuers, and with adopt. Then restore both and remove ${name} from adopt.`;
    return problem(subject, "provider-adopt-absent", message, { what });
  }
  return absent(examination, "provider", subject, arn, mode === "adopted" ? lines.adopt : undefined);
}

function presentProvider(
  { account, settings, state }: Examination,
  { name, mode }: JudgedCluster,
  { subject, arn }: JudgedProvider,
  { audiences, tags }: OidcProviderFacts,
  { owner, because }: Verdict,
  lines: AdviceLines,
): Finding {
  const urn = state?.urnOf(arn);
  if (mode === "existing" && urn !== undefined && !settings.iam.retainOidcProviders) {
    const message = "the stack created it; with existingOidcProviders the next up deletes it";
    return problem(subject, "provider-existing-ours", message, {
      what: "Remove the cluster from existingOidcProviders, or remove the provider from the state (AWS keeps it).",
      ...lines.existing,
      commands: [`pulumi state delete --stack ${settings.stack} '${urn}'`],
    });
  }
  const addAudience = `iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${arn} --client-id ${AUDIENCE}`;
  const commands = audiences.includes(AUDIENCE) ? undefined : [awsCommand(account, addAudience)];
  if (commands !== undefined && (mode === "existing" || owner === "ours")) {
    const message = `its audiences are ${audiences.join(", ") || "none"}, without ${AUDIENCE}: STS rejects the server's tokens`;
    const fix = mode === "existing" ? { what: "Ask its owner to add the audience.", commands } : refreshFix(settings);
    return problem(subject, "provider-audience", message, fix);
  }
  if (mode === "existing") return ok(subject, "provider-existing", "exists, and existingOidcProviders lists it");
  if (owner === "ours") {
    const difference = joined(audienceDifference(audiences), tagDifference(settings.iam.tags, tags));
    return compared(settings, "provider", subject, because, difference);
  }
  if (mode === "adopted" && owner !== "other") {
    return ok(subject, "provider-adoptable", `adopt imports it: ${because}`);
  }
  const conflict = "up would stop at EntityAlreadyExists";
  if (owner === "script") {
    return problem(subject, "provider-of-script", `${because}: ${conflict}`, { what: "Adopt it.", ...lines.adopt });
  }
  if (owner === "other") {
    const outcome = mode === "adopted" ? "adopt would import it and destroy would delete it" : conflict;
    const what = `Use the existing provider${commands ? ", and ask its owner to add the audience" : ""}.`;
    const fix = { what, ...lines.existing, commands };
    return problem(subject, "provider-of-others", `managed outside this stack: ${because}: ${outcome}`, fix);
  }
  return problem(subject, "provider-unclear", `exists, and its owner is unknown (${because}): ${conflict}`, {
    what: `Use the existing provider; or adopt it, if the legacy script created it (adopt with oidcProviders: [${name}] in account ${account.profile}).`,
    ...lines.existing,
    commands,
  });
}

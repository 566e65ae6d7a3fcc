/** Reads the accounts of a stack in parallel and compares them with what the stack creates. It never writes. */
import type { GetCallerIdentityResponse } from "@aws-sdk/client-sts";
import type { Settings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import { type AccountAccess, accountAccesses } from "./accountAccess.js";
import { accountKey, configLine, credentialsFix, recoveryCommands, upWithout } from "./advice.js";
import { findingCodes } from "./codes.js";
import { issuerFinding, networkPolicyFinding, unknownIssuerFinding } from "./findings/eks.js";
import { examine, wantedOf } from "./findings/examine.js";
import { type Finding, ok, problem } from "./findings/finding.js";
import { AccountReader, type Reading, type Timeouts } from "./readings.js";
import type { StackState } from "./state.js";

export interface AccountReport extends Pick<AccountAccess, "profile" | "accountId" | "purposes"> {
  /** Whether it was read; false where authentication failed. */
  readonly read: boolean;
  /** ARN of the caller; null when authentication failed. */
  readonly caller: string | null;
  readonly findings: readonly Finding[];
}

export interface Report {
  readonly stack: string;
  /** Whether no finding is a problem. */
  readonly ok: boolean;
  readonly accounts: readonly AccountReport[];
  /** Commands that complete an interrupted update, in order; null when the state has no pending operation. */
  readonly recovery: readonly string[] | null;
  /** `pulumi up` without the unavailable accounts; null when there are none, or one cannot be excluded. */
  readonly upWithout: string | null;
}

export interface DoctorOptions {
  /** Profiles to read; default: all. */
  readonly profiles?: readonly string[];
  /** The stack's state: the owner of each resource, and interrupted operations. */
  readonly state?: StackState | undefined;
  /** Reports every difference between an account and the stack as a problem; default false. */
  readonly expectNoChanges?: boolean;
  readonly timeouts?: Timeouts;
}

/** @throws UserError for a profile that the stack does not have */
export async function doctor(settings: Settings, options: DoctorOptions = {}): Promise<Report> {
  const { profiles = [], state, expectNoChanges, timeouts } = options;
  const accesses = accountAccesses(settings);
  const known = [...new Set(accesses.map(({ profile }) => profile))];
  const unknown = profiles.find((profile) => !known.includes(profile));
  if (unknown !== undefined) {
    throw new UserError(
      `--profile ${unknown}: not a profile that pulumi up of stack ${settings.stack} uses. Expected one of: ${known.join(", ")}.`,
    );
  }
  const isSelected = ({ profile }: AccountAccess) => profiles.length === 0 || profiles.includes(profile);
  // Look-ups come first, as in the program, for any selection of profiles: every account is compared with their result.
  const entered = await Promise.all(
    accesses
      .filter((access) => isSelected(access) || access.clusters.some(({ issuerUrl }) => issuerUrl === undefined))
      .map((access) => enter(access, settings, timeouts)),
  );
  const found = new Map(entered.flatMap(({ issuers }) => issuers));
  const clusters = settings.clusters.map((cluster) => ({
    ...cluster,
    issuerUrl: cluster.issuerUrl ?? found.get(cluster.name),
  }));
  const judged = entered.filter(({ access }) => isSelected(access));
  const accounts = await Promise.all(judged.map((entry) => inspect({ ...settings, clusters }, entry, state)));
  for (const { reader } of entered) reader.close();
  const unavailable = judged.filter(({ report }) => !report.read).map(({ access }) => access);
  // An account with a look-up cannot be excluded: the update fails before the exclusion applies.
  const canBeExcluded = unavailable.every(({ target, purposes }) => target !== undefined && purposes.length === 1);
  const excluded = canBeExcluded ? unavailable.map(({ profile }) => profile) : [];
  const all = accounts.map((account) => ({
    ...account,
    findings: expectNoChanges ? account.findings.map(strictly) : account.findings,
  }));
  const recovery = state?.isInterrupted ? recoveryCommands(settings.stack) : null;
  return {
    stack: settings.stack,
    recovery,
    ok: recovery === null && all.every(({ findings }) => findings.every(({ level }) => level !== "problem")),
    accounts: all,
    upWithout: excluded.length > 0 ? upWithout(settings.stack, excluded) : null,
  };
}

/** A difference from the stack as a problem. */
const strictly = (finding: Finding): Finding =>
  findingCodes[finding.code].change ? { ...finding, level: "problem" } : finding;

/** An account after the authentication and the look-ups in EKS. */
interface Entry {
  readonly access: AccountAccess;
  readonly reader: AccountReader;
  readonly report: AccountReport;
  /** Issuers by the names of the clusters; undefined if the look-up failed. */
  readonly issuers: ReadonlyArray<readonly [cluster: string, issuer: string | undefined]>;
}

async function enter(access: AccountAccess, settings: Settings, timeouts: Timeouts | undefined): Promise<Entry> {
  const { profile, accountId, purposes } = access;
  const reader = new AccountReader(access, timeouts);
  const authentication = await reader.caller();
  const { Account, Arn = null } = authentication.value ?? {};
  const read = Account === accountId;
  const lookups = await Promise.all(
    (read ? access.clusters : []).map(async (cluster) => {
      const issuer = await reader.issuer(cluster);
      const findings = [issuerFinding(cluster, issuer)];
      if (cluster.deploy && settings.mcp.networkPolicy.enabled) {
        findings.push(networkPolicyFinding(cluster, access, await reader.vpcCni(cluster)));
      }
      return { name: cluster.name, issuer: issuer.value, findings };
    }),
  );
  const findings = [
    authenticationFinding(settings, access, authentication),
    ...lookups.flatMap((lookup) => lookup.findings),
  ];
  const issuers = lookups.map(({ name, issuer }) => [name, issuer] as const);
  return { access, reader, report: { profile, accountId, purposes, read, caller: Arn, findings }, issuers };
}

/** Adds the findings of a target account. */
async function inspect(
  settings: Settings,
  { access: { target }, reader, report }: Entry,
  state: StackState | undefined,
): Promise<AccountReport> {
  if (!report.read || target === undefined) return report;
  const facts = await reader.facts(wantedOf(settings, target));
  const unknown = settings.clusters.filter(({ issuerUrl }) => issuerUrl === undefined).map(unknownIssuerFinding);
  const findings = examine({ settings, account: target, facts, state });
  return { ...report, findings: [...report.findings, ...unknown, ...findings] };
}

function authenticationFinding(
  { targetAccounts }: Settings,
  access: AccountAccess,
  { failure, value }: Reading<GetCallerIdentityResponse>,
): Finding {
  const subject = "credentials";
  if (failure) {
    const { code, message } = failure;
    return problem(subject, "credentials", `${code}: ${message}`, credentialsFix(access, failure));
  }
  const { profile, accountId, target } = access;
  const { Account: found, Arn } = value;
  if (found === accountId) return ok(subject, "credentials", `account ${found} as ${Arn}`);
  const message = `profile ${profile} belongs to account ${found}, but the config has ${accountId}: up would fail before it creates resources`;
  const isTaken = targetAccounts.some((account) => account.accountId === found);
  return problem(subject, "wrong-account", message, {
    what: `Change the profile to account ${accountId}, or correct accountId in the config.`,
    ...(target !== undefined && !isTaken && configLine(accountKey(target), "accountId", found)),
  });
}

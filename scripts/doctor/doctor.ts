/** Reads the accounts of a stack in parallel and compares them with what the stack creates. It never writes. */
import type { GetCallerIdentityResponse } from "@aws-sdk/client-sts";
import type { ClusterSettings, Settings } from "../../config/settings.js";
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
  const informed = withIssuers(settings, entered);
  const judged = entered.filter(({ access }) => isSelected(access));
  const accounts = await Promise.all(judged.map((entry) => inspect(informed, entry, state)));
  for (const { reader } of entered) reader.close();
  const unavailable = judged.map(({ access }) => access).filter((_, index) => !accounts[index]!.read);
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

/** Result of the authentication, and what EKS returned. */
interface Entry {
  readonly access: AccountAccess;
  readonly reader: AccountReader;
  readonly caller: Reading<GetCallerIdentityResponse>;
  /** What EKS returned for the clusters that are looked up here; empty when authentication failed. */
  readonly lookups: readonly LookUp[];
}

interface LookUp {
  readonly cluster: ClusterSettings;
  readonly issuer: Reading<string | undefined>;
  /** Configuration of vpc-cni; undefined if the cluster does not get the server or its NetworkPolicy. */
  readonly vpcCni: Reading<string | undefined> | undefined;
}

async function enter(access: AccountAccess, { mcp }: Settings, timeouts: Timeouts | undefined): Promise<Entry> {
  const reader = new AccountReader(access, timeouts);
  const caller = await reader.caller();
  const clusters = caller.value?.Account === access.accountId ? access.clusters : [];
  const lookups = clusters.map(async (cluster) => {
    const checksPolicy = mcp.networkPolicy.enabled && cluster.deploy;
    const [issuer, vpcCni] = await Promise.all([
      reader.issuer(cluster),
      checksPolicy ? reader.vpcCni(cluster) : undefined,
    ]);
    return { cluster, issuer, vpcCni };
  });
  return { access, reader, caller, lookups: await Promise.all(lookups) };
}

/** The settings with the issuers from EKS. */
function withIssuers(settings: Settings, entries: readonly Entry[]): Settings {
  const lookups = entries.flatMap((entry) => entry.lookups);
  const found = new Map(lookups.map(({ cluster, issuer }) => [cluster.name, issuer.value]));
  const clusters = settings.clusters.map((cluster) => ({
    ...cluster,
    issuerUrl: cluster.issuerUrl ?? found.get(cluster.name),
  }));
  return { ...settings, clusters };
}

async function inspect(settings: Settings, entry: Entry, state: StackState | undefined): Promise<AccountReport> {
  const { access, reader, caller, lookups } = entry;
  const { profile, accountId, purposes, target: account } = access;
  const { Account, Arn = null } = caller.value ?? {};
  const read = Account === accountId;
  const findings = [
    authentication(access, caller),
    ...lookups.flatMap(({ cluster, issuer, vpcCni }) => [
      issuerFinding(cluster, issuer),
      ...(vpcCni === undefined ? [] : [networkPolicyFinding(cluster, access, vpcCni)]),
    ]),
  ];
  if (read && account !== undefined) {
    const facts = await reader.facts(wantedOf(settings, account));
    const unknown = settings.clusters.filter(({ issuerUrl }) => issuerUrl === undefined);
    findings.push(...unknown.map(unknownIssuerFinding), ...examine({ settings, account, facts, state }));
  }
  return { profile, accountId, purposes, read, caller: Arn, findings };
}

function authentication(access: AccountAccess, { failure, value }: Reading<GetCallerIdentityResponse>): Finding {
  const subject = "credentials";
  if (failure) {
    const { code, message } = failure;
    return problem(subject, "credentials", `${code}: ${message}`, credentialsFix(access, failure));
  }
  const { profile, accountId, target } = access;
  const { Account: found, Arn } = value;
  if (found === accountId) return ok(subject, "credentials", `account ${found} as ${Arn}`);
  const message = `profile ${profile} belongs to account ${found}, but the config has ${accountId}: up would fail before it creates resources`;
  return problem(subject, "wrong-account", message, {
    what: `Change the profile to account ${accountId}, or correct accountId in the config.`,
    ...(target !== undefined && configLine(accountKey(target), "accountId", found)),
  });
}

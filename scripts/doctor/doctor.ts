/** Reads the accounts of a stack in parallel and compares them with what the stack creates. It never writes. */
import type { GetCallerIdentityResponse } from "@aws-sdk/client-sts";
import { nearest } from "../../config/problems.js";
import type { ClusterSettings, Settings, TargetAccountSettings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import { type AccountAccess, accountAccesses } from "./accountAccess.js";
import { accountKey, configLine, credentialsFix, type Fix, recoveryCommands, upWithout } from "./advice.js";
import { findingCodes } from "./codes.js";
import { issuerFinding, networkPolicyFinding, unknownIssuerFinding } from "./findings/eks.js";
import { examine, wantedOf } from "./findings/examine.js";
import { about, type Finding } from "./findings/finding.js";
import { AccountReader, type Reading, type Timeouts } from "./readings.js";
import type { StackState } from "./state.js";

export interface AccountReport extends Pick<AccountAccess, "profile" | "accountId" | "purposes"> {
  /** Whether it was read; false for accounts that are managed elsewhere, and where authentication failed. */
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
  /** Called after each account. */
  readonly onRead?: (done: number, all: number) => void;
}

/** @throws UserError for a profile that the stack does not have */
export async function doctor(settings: Settings, options: DoctorOptions = {}): Promise<Report> {
  const { profiles = [], state, expectNoChanges, timeouts, onRead } = options;
  const accesses = accountAccesses(settings);
  const unmanaged = settings.targetAccounts.filter(({ manage }) => !manage);
  const known = [...new Set([...accesses, ...unmanaged].map(({ profile }) => profile))];
  const unknown = profiles.find((profile) => !known.includes(profile));
  if (unknown !== undefined) {
    const near = nearest(unknown, known);
    const hint = near === undefined ? "." : `; did you mean ${near}?`;
    throw new UserError(
      `--profile ${unknown}: not a profile of stack ${settings.stack}${hint} Expected one of: ${known.join(", ")}.`,
    );
  }
  const isSelected = ({ profile }: { readonly profile: string }) => profiles.length === 0 || profiles.includes(profile);
  // Look-ups come first, as in the program, for any selection of profiles: every account is compared with their result.
  const entered = await Promise.all(
    accesses
      .filter((access) => isSelected(access) || access.clusters.some(({ issuerUrl }) => issuerUrl === undefined))
      .map((access) => enter(access, settings, timeouts)),
  );
  const informed = withIssuers(settings, entered);
  const judged = entered.filter(({ access }) => isSelected(access));
  let done = 0;
  const accounts = await Promise.all(
    judged.map(async (entry) => {
      const report = await inspect(informed, entry, state);
      onRead?.(++done, judged.length);
      return report;
    }),
  );
  for (const { reader } of entered) reader.close();
  const unavailable = judged.map(({ access }) => access).filter((_, index) => !accounts[index]!.read);
  const excluded = unavailable.every(canBeExcluded) ? unavailable.map(({ profile }) => profile) : [];
  const all = [...accounts, ...unmanaged.filter(isSelected).map(unmanagedReport)].map((account) => ({
    ...account,
    findings: expectNoChanges ? account.findings.map(strictly) : account.findings,
  }));
  const recovery = state?.isInterrupted ? recoveryCommands(settings.stack) : null;
  return {
    stack: settings.stack,
    recovery,
    ok: recovery === null && all.every(({ findings }) => findings.every(({ level }) => level !== "problem")),
    accounts: all,
    upWithout: excluded.length > 0 ? upWithout(settings, excluded) : null,
  };
}

/** A difference from the stack as a problem. */
const strictly = (finding: Finding): Finding =>
  findingCodes[finding.code].change ? { ...finding, level: "problem" } : finding;

function unmanagedReport({ profile, accountId }: TargetAccountSettings): AccountReport {
  const message = "manage: false: managed by another stack or a StackSet, so it was not read";
  const findings = [about("account").note("not-managed", message)];
  return { profile, accountId, purposes: ["target account"], read: false, caller: null, findings };
}

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
  const { profile, accountId, purposes } = entry.access;
  const { Account, Arn = null } = entry.caller.value ?? {};
  const findings = await findingsOf(settings, entry, state);
  return { profile, accountId, purposes, read: Account === accountId, caller: Arn, findings };
}

async function findingsOf(
  settings: Settings,
  { access, reader, caller, lookups }: Entry,
  state: StackState | undefined,
): Promise<Finding[]> {
  const { ok, problem } = about("credentials");
  if (caller.failure) {
    const { code, message } = caller.failure;
    const fix = orWithout(settings, access, credentialsFix(access, caller.failure));
    return [problem("credentials", `${code}: ${message}`, fix)];
  }
  const { Account, Arn } = caller.value;
  if (Account !== access.accountId) return [wrongAccount(settings, access, Account)];
  const findings = [
    ok("credentials", `account ${Account} as ${Arn}`),
    ...lookups.flatMap(({ cluster, issuer, vpcCni }) => [
      issuerFinding(cluster, issuer),
      ...(vpcCni === undefined ? [] : [networkPolicyFinding(cluster, access, vpcCni)]),
    ]),
  ];
  const { target: account } = access;
  if (account === undefined) return findings;
  const facts = await reader.facts(wantedOf(settings, account));
  const unknown = settings.clusters.filter(({ issuerUrl }) => issuerUrl === undefined);
  return [
    ...findings,
    ...unknown.map(({ name }) => unknownIssuerFinding(name)),
    ...examine({ settings, account, facts, state }),
  ];
}

function wrongAccount(settings: Settings, access: AccountAccess, found: string | undefined): Finding {
  const { profile, accountId, target } = access;
  const taken = settings.targetAccounts.find((account) => account.accountId === found);
  const owner = taken === undefined ? "" : ` (target account ${taken.profile})`;
  return about("credentials").problem(
    "wrong-account",
    `profile ${profile} belongs to account ${found}${owner}, but the config has ${accountId}: up would fail before it creates resources`,
    orWithout(settings, access, {
      what: `Change the profile to account ${accountId}, or correct accountId in the config.`,
      ...(target !== undefined && taken === undefined && configLine(accountKey(target), "accountId", found)),
    }),
  );
}

/** An account with a look-up cannot be excluded: the update fails before the exclusion applies. */
const canBeExcluded = ({ target, purposes }: AccountAccess) => target !== undefined && purposes.length === 1;

/** Adds how to continue without the account. Only a target account can be excluded from an update. */
function orWithout(settings: Settings, access: AccountAccess, fix: Fix): Fix {
  const until = (text: string): Fix => ({ ...fix, what: `${fix.what} Until then, ${text}` });
  const names = access.clusters.map(({ name }) => name).join(", ");
  if (names !== "") {
    return until(
      `pulumi up cannot update any account, because ${names} is looked up first. To avoid the look-up, set oidcIssuerUrl and context of ${names}.`,
    );
  }
  if (access.purposes.includes("image repository")) {
    return until("the image cannot be built. image.prebuilt does not need this account.");
  }
  if (!canBeExcluded(access)) return fix;
  const { profile } = access;
  return {
    ...until(`exclude the account: set verify.skipProfiles: [${profile}] and run pulumi up with --exclude.`),
    commands: [...(fix.commands ?? []), upWithout(settings, [profile])],
  };
}

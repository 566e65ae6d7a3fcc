/** Reads the accounts of a stack in parallel and compares them with what the stack creates. It never writes. */
import * as pulumi from "@pulumi/pulumi";
import { loadSettings } from "../../config/load.js";
import { nearest } from "../../config/problems.js";
import { project, type Settings, type TargetAccountSettings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import type { StackConfig } from "../common/stackFile.js";
import { type AccountAccess, accountAccesses } from "./accountAccess.js";
import { accountKey, configLine, credentialsFix, type Fix, recoveryCommands, upWithout } from "./advice.js";
import { findingCodes } from "./codes.js";
import { issuerFinding, networkPolicyFinding, unknownIssuerFinding } from "./findings/eks.js";
import { examine, wantedOf } from "./findings/examine.js";
import { about, type Finding } from "./findings/finding.js";
import { AccountReader, type Failure, type Reading, type Timeouts } from "./readings.js";
import type { StackState } from "./state.js";

export interface AccountReport {
  readonly profile: string;
  readonly accountId: string;
  /** What the program does there: `target account`, `EKS look-up of <cluster>`, `image repository`, `StackSet`. */
  readonly purposes: readonly string[];
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

/**
 * Settings of a stack as the program would have them.
 *
 * @throws pulumi.RunError with every problem of the config
 */
export async function stackSettings(stack: string, config: StackConfig): Promise<Settings> {
  pulumi.runtime.setAllConfig(config.values, config.secretKeys);
  // Nothing is registered: the mocks give the runtime its project and stack.
  const unused = () => {
    throw new Error("doctor registers nothing");
  };
  await pulumi.runtime.setMocks({ newResource: unused, call: unused }, project, stack, false);
  return loadSettings();
}

/** @throws UserError for a profile that the stack does not have */
export async function doctor(settings: Settings, options: DoctorOptions = {}): Promise<Report> {
  const { profiles = [], onRead } = options;
  const accesses = accountAccesses(settings);
  const unmanaged = settings.targetAccounts.filter(({ manage }) => !manage);
  const known = [...new Set([...accesses, ...unmanaged].map(profileOf))];
  for (const profile of profiles) {
    if (known.includes(profile)) continue;
    const near = nearest(profile, known);
    throw new UserError(
      `--profile ${profile}: not a profile of stack ${settings.stack}${near === undefined ? "." : `; did you mean ${near}?`} Expected one of: ${known.join(", ")}.`,
    );
  }
  const isSelected = (item: AccountAccess | TargetAccountSettings) =>
    profiles.length === 0 || profiles.includes(profileOf(item));
  // Look-ups come first, as in the program, for any selection of profiles: every account is compared with their result.
  const entered = await Promise.all(
    accesses
      .filter((accountAccess) => isSelected(accountAccess) || isLookedUp(accountAccess))
      .map((accountAccess) => enter(accountAccess, settings.mcp.networkPolicy.enabled, options.timeouts)),
  );
  const informed = withIssuers(settings, entered);
  const judged = entered.filter(({ accountAccess }) => isSelected(accountAccess));
  let done = 0;
  const accounts = await Promise.all(
    judged.map(async (entry) => {
      const report = await inspect(informed, entry, options.state);
      onRead?.(++done, judged.length);
      return report;
    }),
  );
  for (const { reader } of entered) reader.close();
  const unavailable = judged.flatMap(({ accountAccess }, index) => (accounts[index]!.read ? [] : [accountAccess]));
  const all = [...accounts, ...unmanaged.filter(isSelected).map(unmanagedReport)].map((account) =>
    options.expectNoChanges ? { ...account, findings: account.findings.map(strictly) } : account,
  );
  const recovery = (options.state?.pendingOperations ?? 0) > 0 ? recoveryCommands(settings.stack) : null;
  return {
    stack: settings.stack,
    recovery,
    ok: recovery === null && all.every(({ findings }) => findings.every(({ level }) => level !== "problem")),
    accounts: all,
    upWithout:
      unavailable.length > 0 && unavailable.every(canBeExcluded)
        ? upWithout(settings, unavailable.map(profileOf))
        : null,
  };
}

/** A difference from the stack as a problem. */
const strictly = (finding: Finding): Finding =>
  findingCodes[finding.code].change ? { ...finding, level: "problem" } : finding;

const profileOf = (item: AccountAccess | TargetAccountSettings) =>
  "access" in item ? (item.target?.profile ?? item.access.profile) : item.profile;

function purposesOf({ target, clusters, registry, organization }: AccountAccess): string[] {
  return [
    ...(target === undefined ? [] : ["target account"]),
    ...clusters.map(({ name }) => `EKS look-up of ${name}`),
    ...(registry ? ["image repository"] : []),
    ...(organization ? ["StackSet"] : []),
  ];
}

function unmanagedReport({ profile, accountId }: TargetAccountSettings): AccountReport {
  const message = "manage: false: managed by another stack or a StackSet, so it was not read";
  return {
    profile,
    accountId,
    purposes: ["target account"],
    read: false,
    caller: null,
    findings: [about("account").note("not-managed", message)],
  };
}

const isLookedUp = ({ clusters }: AccountAccess) => clusters.some(({ issuerUrl }) => issuerUrl === undefined);

/** Result of the authentication, and what EKS returned. */
interface Entry {
  readonly accountAccess: AccountAccess;
  readonly reader: AccountReader;
  readonly caller: Reading<{ readonly accountId: string; readonly arn: string }>;
  /** Issuers of the clusters that are looked up here; empty when authentication failed. */
  readonly issuers: ReadonlyMap<string, Reading<string | undefined>>;
  /** Configuration of vpc-cni in the clusters that get the server, by cluster. */
  readonly addons: ReadonlyMap<string, Reading<string | undefined>>;
}

async function enter(
  accountAccess: AccountAccess,
  networkPolicy: boolean,
  timeouts: Timeouts | undefined,
): Promise<Entry> {
  const reader = new AccountReader(accountAccess, timeouts);
  const caller = await reader.caller();
  const isRight = "value" in caller && caller.value.accountId === accountAccess.accountId;
  const issuers = await Promise.all(
    (isRight ? accountAccess.clusters : []).map(
      async ({ name, eksName, region }) => [name, await reader.issuer(eksName, region)] as const,
    ),
  );
  const addons = await Promise.all(
    (isRight && networkPolicy ? accountAccess.clusters.filter(({ deploy }) => deploy) : []).map(
      async ({ name, eksName, region }) => [name, await reader.vpcCni(eksName, region)] as const,
    ),
  );
  return { accountAccess, reader, caller, issuers: new Map(issuers), addons: new Map(addons) };
}

/** The settings with the issuers from EKS. */
function withIssuers(settings: Settings, entries: readonly Entry[]): Settings {
  const clusters = settings.clusters.map((cluster) => {
    const found = entries.map(({ issuers }) => issuers.get(cluster.name)).find((issuer) => issuer !== undefined);
    return { ...cluster, issuerUrl: cluster.issuerUrl ?? (found && "value" in found ? found.value : undefined) };
  });
  return { ...settings, clusters };
}

async function inspect(
  settings: Settings,
  { accountAccess, reader, caller, issuers, addons }: Entry,
  state: StackState | undefined,
): Promise<AccountReport> {
  const report = (arn: string | null, read: boolean, findings: Finding[]): AccountReport => ({
    profile: profileOf(accountAccess),
    accountId: accountAccess.accountId,
    purposes: purposesOf(accountAccess),
    read,
    caller: arn,
    findings,
  });
  if ("failure" in caller) return report(null, false, [authenticationFailed(settings, accountAccess, caller.failure)]);
  const { accountId, arn } = caller.value;
  if (accountId !== accountAccess.accountId)
    return report(arn, false, [wrongAccount(settings, accountAccess, accountId)]);
  const findings: Finding[] = [
    credentials.ok("credentials", `account ${accountId} as ${arn}`),
    ...accountAccess.clusters.map((cluster) => issuerFinding(cluster, issuers.get(cluster.name)!)),
    ...accountAccess.clusters.flatMap((cluster) => {
      const addon = addons.get(cluster.name);
      return addon === undefined ? [] : [networkPolicyFinding(cluster, accountAccess, addon)];
    }),
  ];
  if (accountAccess.target !== undefined) {
    const facts = await reader.facts(caller.value, wantedOf(settings, accountAccess.target));
    const unknown = settings.clusters.filter(({ issuerUrl }) => issuerUrl === undefined);
    findings.push(
      ...unknown.map(({ name }) => unknownIssuerFinding(name)),
      ...examine({ settings, accountAccess, account: accountAccess.target, facts, state }),
    );
  }
  return report(arn, true, findings);
}

const credentials = about("credentials");

const authenticationFailed = (settings: Settings, accountAccess: AccountAccess, failure: Failure): Finding =>
  credentials.problem(
    "credentials",
    `${failure.code}: ${failure.message}`,
    orWithout(settings, accountAccess, credentialsFix(accountAccess, failure)),
  );

function wrongAccount(settings: Settings, accountAccess: AccountAccess, found: string): Finding {
  const { target, accountId } = accountAccess;
  const taken = settings.targetAccounts.find((account) => account.accountId === found);
  const owner = taken === undefined ? "" : ` (target account ${taken.profile})`;
  return credentials.problem(
    "wrong-account",
    `profile ${profileOf(accountAccess)} belongs to account ${found}${owner}, but the config has ${accountId}: up would fail before it creates resources`,
    orWithout(settings, accountAccess, {
      what: `Change the profile to account ${accountId}, or correct accountId in the config.`,
      ...(target === undefined || taken !== undefined
        ? {}
        : { at: accountKey(target), config: configLine("accountId", found) }),
    }),
  );
}

/** An account with a look-up cannot be excluded: the update fails before the exclusion applies. */
const canBeExcluded = ({ target, clusters, registry, organization }: AccountAccess) =>
  target !== undefined && clusters.length === 0 && !registry && !organization;

/** Adds how to continue without the account. Only a target account can be excluded from an update. */
function orWithout(settings: Settings, accountAccess: AccountAccess, fix: Fix): Fix {
  if (accountAccess.clusters.length > 0) {
    const names = accountAccess.clusters.map(({ name }) => name).join(", ");
    return {
      ...fix,
      what: `${fix.what} Until then, pulumi up cannot update any account, because ${names} is looked up first. To avoid the look-up, set oidcIssuerUrl and context of ${names}.`,
    };
  }
  if (accountAccess.registry) {
    return {
      ...fix,
      what: `${fix.what} Until then, the image cannot be built. image.prebuilt does not need this account.`,
    };
  }
  if (!canBeExcluded(accountAccess)) return fix;
  const profile = profileOf(accountAccess);
  return {
    ...fix,
    what: `${fix.what} Until then, exclude the account: set verify.skipProfiles: [${profile}] and run pulumi up with --exclude.`,
    commands: [...(fix.commands ?? []), upWithout(settings, [profile])],
  };
}

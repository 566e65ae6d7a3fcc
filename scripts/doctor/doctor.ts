/** Reads the accounts of a stack before anything is changed in them, all at once; it never writes. */
import * as pulumi from "@pulumi/pulumi";
import { loadSettings, project } from "../../config/load.js";
import { nearest } from "../../config/problems.js";
import type { ClusterSettings, Settings, TargetAccountSettings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import type { StackConfig } from "../common/stackFile.js";
import { accountKey, configLine, credentialsFix, type Fix, upWithout } from "./advice.js";
import { AccountReader, type Failure, type Part, type Patience } from "./facts.js";
import { examine, type Finding, wantedOf } from "./findings.js";
import { type Place, placesOf } from "./places.js";
import type { StackState } from "./state.js";

export interface AccountReport {
  readonly profile: string;
  readonly accountId: string;
  /** What the program does there: `target account`, `EKS look-up of <cluster>`, `image repository`, `StackSet`. */
  readonly purposes: readonly string[];
  /** Whether it was read; false for accounts that are managed elsewhere, and for those that let nobody in. */
  readonly read: boolean;
  /** ARN of whoever the credentials are; null when there are none. */
  readonly caller: string | null;
  readonly findings: readonly Finding[];
}

export interface Report {
  readonly stack: string;
  /** Whether no finding is a problem. */
  readonly ok: boolean;
  readonly accounts: readonly AccountReport[];
  /** `pulumi up` without the accounts that let nobody in; null when all can be entered, or one cannot be left out. */
  readonly upWithout: string | null;
}

export interface DoctorOptions {
  /** Profiles to read; default: all. */
  readonly profiles?: readonly string[];
  /** The stack's state, for certainty about what is ours. */
  readonly state?: StackState | undefined;
  readonly patience?: Patience;
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
  // Nothing is registered: the mocks only tell the runtime its project and stack.
  const unused = () => {
    throw new Error("doctor registers nothing");
  };
  await pulumi.runtime.setMocks({ newResource: unused, call: unused }, project, stack, false);
  return loadSettings();
}

/** @throws UserError when a profile is asked for that the stack has not */
export async function doctor(settings: Settings, options: DoctorOptions = {}): Promise<Report> {
  const { profiles = [], onRead } = options;
  const places = placesOf(settings);
  const unmanaged = settings.targetAccounts.filter(({ manage }) => !manage);
  const known = [...new Set([...places, ...unmanaged].map(profileOf))];
  for (const profile of profiles) {
    if (known.includes(profile)) continue;
    const near = nearest(profile, known);
    throw new UserError(
      `--profile ${profile}: stack ${settings.stack} has no such profile${near === undefined ? "" : `; did you mean ${near}?`} Known: ${known.join(", ")}`,
    );
  }
  const asked = (item: Place | TargetAccountSettings) => profiles.length === 0 || profiles.includes(profileOf(item));
  // Look-ups come first, as in the program, and whoever is asked for: the accounts cannot be judged without them.
  const entered = await Promise.all(
    places.filter((place) => asked(place) || isLookedUp(place)).map((place) => enter(place, options.patience)),
  );
  const informed = withIssuers(settings, entered);
  const judged = entered.filter(({ place }) => asked(place));
  let done = 0;
  const accounts = await Promise.all(
    judged.map(async (entry) => {
      const report = await inspect(informed, entry, options.state);
      onRead?.(++done, judged.length);
      return report;
    }),
  );
  for (const { reader } of entered) reader.close();
  const sick = judged.flatMap(({ place }, index) => (accounts[index]!.read ? [] : [place]));
  const all = [...accounts, ...unmanaged.filter(asked).map(unmanagedReport)];
  return {
    stack: settings.stack,
    ok: all.every(({ findings }) => findings.every(({ level }) => level !== "problem")),
    accounts: all,
    upWithout: sick.length > 0 && sick.every(canBeLeftOut) ? upWithout(settings, sick.map(profileOf)) : null,
  };
}

const profileOf = (item: Place | TargetAccountSettings) =>
  "access" in item ? (item.target?.profile ?? item.access.profile) : item.profile;

function purposesOf({ target, clusters, registry, organization }: Place): string[] {
  return [
    ...(target === undefined ? [] : ["target account"]),
    ...clusters.map(({ name }) => `EKS look-up of ${name}`),
    ...(registry ? ["image repository"] : []),
    ...(organization ? ["StackSet"] : []),
  ];
}

function unmanagedReport({ profile, accountId }: TargetAccountSettings): AccountReport {
  const message = "manage: false: made elsewhere (another stack, a StackSet), so it was not read";
  return {
    profile,
    accountId,
    purposes: ["target account"],
    read: false,
    caller: null,
    findings: [{ level: "note", code: "not-managed", subject: "account", message }],
  };
}

const isLookedUp = ({ clusters }: Place) => clusters.some(({ issuerUrl }) => issuerUrl === undefined);

/** A place as far as it can be seen from the door. */
interface Entry {
  readonly place: Place;
  readonly reader: AccountReader;
  readonly caller: Part<{ readonly accountId: string; readonly arn: string }>;
  /** What EKS says of the clusters that are looked up here; empty when the place cannot be entered. */
  readonly issuers: ReadonlyMap<string, Part<string | undefined>>;
}

async function enter(place: Place, patience: Patience | undefined): Promise<Entry> {
  const reader = new AccountReader(place, patience);
  const caller = await reader.caller();
  const isRight = "value" in caller && caller.value.accountId === place.accountId;
  const issuers = await Promise.all(
    (isRight ? place.clusters : []).map(
      async ({ name, eksName, region }) => [name, await reader.issuer(eksName, region)] as const,
    ),
  );
  return { place, reader, caller, issuers: new Map(issuers) };
}

/** The settings with the issuers that only EKS knew. */
function withIssuers(settings: Settings, entries: readonly Entry[]): Settings {
  const found = new Map(
    entries.flatMap(({ issuers }) =>
      [...issuers].flatMap(([name, issuer]): [string, string][] =>
        "value" in issuer && issuer.value !== undefined ? [[name, issuer.value]] : [],
      ),
    ),
  );
  const clusters = settings.clusters.map((cluster) => ({
    ...cluster,
    issuerUrl: cluster.issuerUrl ?? found.get(cluster.name),
  }));
  return { ...settings, clusters };
}

async function inspect(
  settings: Settings,
  { place, reader, caller, issuers }: Entry,
  state: StackState | undefined,
): Promise<AccountReport> {
  const report = (arn: string | null, read: boolean, findings: Finding[]): AccountReport => ({
    profile: profileOf(place),
    accountId: place.accountId,
    purposes: purposesOf(place),
    read,
    caller: arn,
    findings,
  });
  if ("failure" in caller) return report(null, false, [refusal(settings, place, caller.failure)]);
  const { accountId, arn } = caller.value;
  if (accountId !== place.accountId) return report(arn, false, [wrongAccount(settings, place, accountId)]);
  const findings: Finding[] = [
    { level: "ok", code: "credentials", subject: "credentials", message: `account ${accountId} as ${arn}` },
    ...place.clusters.map((cluster) => clusterFinding(cluster, issuers.get(cluster.name)!)),
  ];
  if (place.target !== undefined) {
    const facts = await reader.facts(caller.value, wantedOf(settings, place.target));
    const unknown = settings.clusters.filter(({ issuerUrl }) => issuerUrl === undefined);
    findings.push(
      ...unknown.map(({ name }) => unknownIssuer(name)),
      ...examine({ settings, place, account: place.target, facts, state }),
    );
  }
  return report(arn, true, findings);
}

function refusal(settings: Settings, place: Place, failure: Failure): Finding {
  return {
    level: "problem",
    code: "credentials",
    subject: "credentials",
    message: `${failure.code}: ${failure.message}`,
    fix: orWithout(settings, place, credentialsFix(place, failure)),
  };
}

function wrongAccount(settings: Settings, place: Place, found: string): Finding {
  const { target, accountId } = place;
  const taken = settings.targetAccounts.find((account) => account.accountId === found);
  return {
    level: "problem",
    code: "wrong-account",
    subject: "credentials",
    message: `profile ${profileOf(place)} is account ${found}${taken === undefined ? "" : ` (that of ${taken.profile})`}, the config says ${accountId}: up would stop before it makes anything`,
    fix: orWithout(settings, place, {
      what: `Point the profile at account ${accountId}, or correct the config.`,
      ...(target === undefined || taken !== undefined
        ? {}
        : { at: accountKey(target), config: configLine("accountId", found) }),
    }),
  };
}

/** What is looked up before everything else stops an update whatever is excluded. */
const canBeLeftOut = ({ target, clusters, registry, organization }: Place) =>
  target !== undefined && clusters.length === 0 && !registry && !organization;

/** A target account can be left out of an update. */
function orWithout(settings: Settings, place: Place, fix: Fix): Fix {
  if (place.clusters.length > 0) {
    const names = place.clusters.map(({ name }) => name).join(", ");
    return {
      ...fix,
      what: `${fix.what} Without it no account can be updated, because ${names} is looked up first; oidcIssuerUrl and context in the config of ${names} spare the look-up.`,
    };
  }
  if (place.registry) {
    return { ...fix, what: `${fix.what} Without it no image can be built; image.prebuilt needs none.` };
  }
  if (!canBeLeftOut(place)) return fix;
  const profile = profileOf(place);
  return {
    ...fix,
    what: `${fix.what} Until then, leave the account out: verify.skipProfiles: [${profile}], and up with --exclude.`,
    commands: [...(fix.commands ?? []), upWithout(settings, [profile])],
  };
}

/** @param cluster as the config has it */
function clusterFinding(
  { name, region, accountId, issuerUrl }: ClusterSettings,
  found: Part<string | undefined>,
): Finding {
  const subject = `cluster ${name}`;
  const spare = `oidcIssuerUrl and context in the config of ${name} spare the look-up.`;
  if ("failure" in found) {
    const { call, code, message } = found.failure;
    return {
      level: "problem",
      code: "cluster-unread",
      subject,
      message: `${call}: ${code}: ${message}`,
      fix: { what: `Allow ${call}: pulumi up asks the same before it makes anything. Or: ${spare}` },
    };
  }
  if (found.value === undefined) {
    return {
      level: "problem",
      code: "cluster-absent",
      subject,
      message: `EKS has no such cluster in ${region} of account ${accountId}: up would stop before it makes anything`,
      fix: { what: `Correct name, region or profile of the cluster; ${spare}` },
    };
  }
  if (issuerUrl !== undefined && issuerUrl !== found.value) {
    return {
      level: "problem",
      code: "issuer-differs",
      subject,
      message: `its issuer is ${found.value}, the config says ${issuerUrl}: its tokens would be refused`,
      fix: {
        what: "It was re-created: put the new issuer in place of the old one, and the old one into previousIssuers for as long as it is in use.",
        at: `clusters, name ${name}`,
        config: configLine("oidcIssuerUrl", found.value),
      },
    };
  }
  return { level: "ok", code: "cluster", subject, message: `issuer ${found.value}` };
}

function unknownIssuer(name: string): Finding {
  return {
    level: "note",
    code: "issuer-unknown",
    subject: `cluster ${name}`,
    message: "EKS did not tell its issuer, so its OIDC providers were not compared",
    fix: { what: "Settle the look-up first, or give the cluster's oidcIssuerUrl." },
  };
}

/** Reads the accounts of a stack before anything is changed in them, all at once; it never writes. */
import * as pulumi from "@pulumi/pulumi";
import { loadSettings, project } from "../../config/load.js";
import { nearest } from "../../config/problems.js";
import type { Settings, TargetAccountSettings } from "../../config/settings.js";
import { UserError } from "../local/errors.js";
import { accountKey, awsCommand, configLine, credentialsFix, type Fix, upWithout } from "./doctorAdvice.js";
import { AccountReader, type Failure, type Patience } from "./doctorFacts.js";
import { examine, type Finding, wantedOf } from "./doctorFindings.js";
import { type Place, placesOf } from "./doctorPlaces.js";
import type { StackState } from "./doctorState.js";
import type { StackConfig } from "./stackFile.js";

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
  const read = places.filter(asked);
  let done = 0;
  const accounts = await Promise.all(
    read.map(async (place) => {
      const report = await readPlace(settings, place, options);
      onRead?.(++done, read.length);
      return report;
    }),
  );
  const sick = read.filter((_, index) => !accounts[index]!.read);
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

async function readPlace(settings: Settings, place: Place, { state, patience }: DoctorOptions): Promise<AccountReport> {
  const reader = new AccountReader(place, patience);
  const report = (caller: string | null, read: boolean, findings: Finding[]): AccountReport => ({
    profile: profileOf(place),
    accountId: place.accountId,
    purposes: purposesOf(place),
    read,
    caller,
    findings,
  });
  try {
    const caller = await reader.caller();
    if ("failure" in caller) return report(null, false, [refusal(settings, place, caller.failure)]);
    const { accountId, arn } = caller.value;
    if (accountId !== place.accountId) return report(arn, false, [wrongAccount(settings, place, accountId)]);
    const findings: Finding[] = [
      { level: "ok", code: "credentials", subject: "credentials", message: `account ${accountId} as ${arn}` },
      ...place.clusters.flatMap(({ name, issuerUrl, region }) =>
        issuerUrl === undefined ? [unknownIssuer(place, name, region)] : [],
      ),
    ];
    if (place.target !== undefined) {
      const facts = await reader.facts(caller.value, wantedOf(settings, place.target));
      findings.push(...examine({ settings, place, account: place.target, facts, state }));
    }
    return report(arn, true, findings);
  } finally {
    reader.close();
  }
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

function unknownIssuer(place: Place, name: string, region: string): Finding {
  return {
    level: "note",
    code: "issuer-unknown",
    subject: `cluster ${name}`,
    message: "its issuer is looked up from EKS at up, so its OIDC providers were not compared",
    fix: {
      what: `Give the cluster's oidcIssuerUrl to have them compared; EKS tells it.`,
      commands: [
        awsCommand(
          place,
          `eks describe-cluster --name ${name} --region ${region} --query cluster.identity.oidc.issuer --output text`,
        ),
      ],
    },
  };
}

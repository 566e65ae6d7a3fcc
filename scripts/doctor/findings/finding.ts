/** One finding, what it is derived from, and the finding for a read that AWS rejected. */
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { type ConfigLine, type Fix, refreshFix } from "../advice.js";
import type { FindingCode } from "../codes.js";
import type { AccountFacts, Failure } from "../readings.js";
import type { StackState } from "../state.js";

/** `ok`: as expected. `note`: information. `problem`: `pulumi up` would fail, or change resources of another owner. */
export type Level = "ok" | "note" | "problem";

export interface Finding {
  readonly level: Level;
  /** Stable name of the kind of finding; codes.ts lists them. */
  readonly code: FindingCode;
  /** What it is about: `role EKSMultiAccountMCPRole`. */
  readonly subject: string;
  readonly message: string;
  readonly fix?: Fix | undefined;
}

const finding =
  (level: Level) =>
  (subject: string, code: FindingCode, message: string, fix?: Fix): Finding => ({ level, code, subject, message, fix });

export const ok = finding("ok");
export const note = finding("note");
export const problem = finding("problem");

/** A managed target account and what doctor read in it. */
export interface Examination {
  readonly settings: Settings;
  readonly account: TargetAccountSettings;
  readonly facts: AccountFacts;
  readonly state: StackState | undefined;
}

/** The config lines that `adviceLines` derives for an account. */
export type AdviceLines = Readonly<Record<"existing" | "adopt", ConfigLine>>;

/** Calls that `pulumi up` makes as well: without them it fails too. */
const neededByUp = new Set(["iam:GetRole", "iam:GetOpenIDConnectProvider"]);

export function unread(subject: string, failure: Failure): Finding {
  const message = `not checked: ${failureText(failure)}`;
  if (neededByUp.has(failure.call)) return problem(subject, "unread", message, { what: allowForUp(failure) });
  const what = `Allow ${failure.call} for the identity that runs doctor. pulumi up does not need it.`;
  return note(subject, "unread", message, { what });
}

export const failureText = ({ call, code, message }: Failure) => `${call}: ${code}: ${message}`;

export const allowForUp = ({ call }: Failure) => `Allow ${call} for the provisioning role: pulumi up needs it too.`;

/**
 * A role or an OIDC provider that does not exist: it was deleted, or the stack creates it.
 *
 * @param adopt the line that fits, if the config adopts the resource
 */
export function absent(
  { settings, state }: Examination,
  kind: "provider" | "role",
  subject: string,
  arn: string,
  adopt: ConfigLine | undefined,
): Finding {
  if (state?.urnOf(arn) !== undefined) {
    const fix = { ...refreshFix(settings), ...adopt };
    return problem(subject, `${kind}-gone`, "in the stack's state, but deleted from the account", fix);
  }
  if (adopt === undefined) return ok(subject, `${kind}-absent`, "absent; the stack creates it");
  const fix = { what: "Adopt only what exists.", ...adopt };
  return problem(subject, `${kind}-adopt-absent`, "adopt names it, but it does not exist: up would fail", fix);
}

/** A resource that belongs to the stack, with its differences as one text. */
export function compared(
  settings: Settings,
  kind: "provider" | "policy",
  subject: string,
  because: string,
  difference: string,
): Finding {
  return difference === ""
    ? ok(subject, `${kind}-ours`, `belongs to this stack: ${because}`)
    : note(subject, `${kind}-differs`, difference, refreshFix(settings));
}

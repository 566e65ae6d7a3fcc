/** One finding, what it is derived from, and the finding for a read that AWS rejected. */
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import type { AccountAccess } from "../accountAccess.js";
import type { Fix } from "../advice.js";
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
  readonly fix?: Fix;
  /** ARN of a resource that an interrupted update created. */
  readonly interruptedArn?: string;
}

/** Creates findings about one subject. */
export const about = (subject: string) => ({
  ok: (code: FindingCode, message: string): Finding => ({ level: "ok", code, subject, message }),
  note: (code: FindingCode, message: string, fix?: Fix): Finding => ({
    level: "note",
    code,
    subject,
    message,
    ...(fix === undefined ? {} : { fix }),
  }),
  problem: (code: FindingCode, message: string, fix: Fix): Finding => ({
    level: "problem",
    code,
    subject,
    message,
    fix,
  }),
});

/** A managed target account and what doctor read in it. */
export interface Examination {
  readonly settings: Settings;
  readonly accountAccess: AccountAccess;
  readonly account: TargetAccountSettings;
  readonly facts: AccountFacts;
  readonly state: StackState | undefined;
}

/** The config lines that `adviceLines` derives for an account. */
export interface AdviceLines {
  readonly existing: Pick<Fix, "at" | "config">;
  readonly adopt: Pick<Fix, "at" | "config">;
}

/** Calls that `pulumi up` makes as well: without them it fails too. */
const neededByUp = new Set(["iam:GetRole", "iam:GetOpenIDConnectProvider"]);

export function unread(subject: string, { call, code, message }: Failure): Finding {
  const { note, problem } = about(subject);
  const reason = `not checked: ${call}: ${code}: ${message}`;
  return neededByUp.has(call)
    ? problem("unread", reason, { what: `Allow ${call} for the provisioning role: pulumi up needs it too.` })
    : note("unread", reason, {
        what: `Allow ${call} for the identity that runs doctor. pulumi up does not need it.`,
      });
}

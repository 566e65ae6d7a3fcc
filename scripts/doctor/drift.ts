/** Differences between what an account contains and what the stack creates, as clauses. Empty when there is none. Pure. */
import { isDeepStrictEqual } from "node:util";
import { AUDIENCE } from "../../policies/trust.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";
import type { Tags } from "./readings.js";

/** One form for statements that mean the same: sorted lists, no list around a single value. */
const canonical = (statement: Statement): unknown =>
  JSON.parse(JSON.stringify(statement), (_, value) =>
    Array.isArray(value) ? (value.length === 1 ? value[0] : value.sort()) : value,
  );

/** Sid, or the principals of the statement, or its actions. */
function nameOf({ Sid, Principal, Action }: Statement): string {
  const principals =
    typeof Principal === "object" ? Object.values(Principal).flatMap((one) => listOf(one)) : listOf(Principal);
  return Sid ?? (principals.length > 0 ? principals : listOf(Action)).join(", ");
}

export function documentDifference(wanted: PolicyDocument, found: PolicyDocument): string {
  const parts = ({ Statement }: PolicyDocument) => Statement.map((one) => [nameOf(one), canonical(one)] as const);
  return difference(parts(wanted), parts(found), "statement");
}

export const tagDifference = (wanted: Tags, found: Tags): string =>
  difference(Object.entries(wanted), Object.entries(found), "tag");

export const audienceDifference = (found: readonly string[]): string =>
  difference(
    [[AUDIENCE]],
    found.map((audience) => [audience]),
    "audience",
  );

/** `undefined` and empty text are the same: IAM does not store an empty value. */
export const valueDifference = (wanted: string | number = "", found: string | number = ""): string =>
  wanted === found ? "" : `found "${found}", the stack has "${wanted}"`;

export const joined = (...clauses: readonly string[]): string => clauses.filter((clause) => clause !== "").join("; ");

type Part = readonly [name: string, content?: unknown];

/** The parts that only one side has. A name that both sides have left is a changed part. */
function difference(wanted: readonly Part[], found: readonly Part[], what: string): string {
  const only = (one: readonly Part[], other: readonly Part[]) =>
    one.filter((part) => !other.some((same) => isDeepStrictEqual(part, same))).map(([name]) => name);
  const missing = only(wanted, found);
  const extra = only(found, wanted);
  return joined(
    ...missing.map((name) => `${what} ${name} ${extra.includes(name) ? "changed" : "missing"}`),
    ...extra.filter((name) => !missing.includes(name)).map((name) => `${what} ${name} added`),
  );
}

/** Differences between what an account contains and what the stack creates, content by content. Pure. */
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";

type Tags = Readonly<Record<string, string>>;

/** One form for documents that mean the same: sorted keys and lists, no list around a single text. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(canonical);
    if (items.length === 1 && typeof items[0] === "string") return items[0];
    return items.map((item) => JSON.stringify(item)).sort();
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)]),
  );
}

const textOf = (value: unknown) => JSON.stringify(canonical(value));

/** Sid, or the principals of the statement, or its actions. */
function nameOf({ Sid, Principal, Action }: Statement): string {
  if (Sid !== undefined) return Sid;
  const principals =
    typeof Principal === "object" ? Object.values(Principal).flatMap((one) => listOf(one)) : [Principal];
  const named = principals.filter((one) => one !== undefined);
  return (named.length > 0 ? named : listOf(Action)).join(", ");
}

/** Statements that only one side has, as a clause; undefined when both mean the same. */
export function documentDifference(wanted: PolicyDocument, found: PolicyDocument): string | undefined {
  const only = (one: PolicyDocument, other: PolicyDocument) => {
    const texts = new Set(other.Statement.map(textOf));
    return one.Statement.filter((statement) => !texts.has(textOf(statement))).map(nameOf);
  };
  return describe(only(wanted, found), only(found, wanted), "statement");
}

export function tagDifference(wanted: Tags, found: Tags): string | undefined {
  const only = (one: Tags, other: Tags) => Object.keys(one).filter((key) => one[key] !== other[key]);
  return describe(only(wanted, found), only(found, wanted), "tag");
}

export function listDifference(wanted: readonly string[], found: readonly string[], what: string): string | undefined {
  return describe(
    wanted.filter((item) => !found.includes(item)),
    found.filter((item) => !wanted.includes(item)),
    what,
  );
}

/** `undefined` and empty text are the same: IAM does not store an empty value. */
export function valueDifference(
  wanted: string | number | undefined,
  found: string | number | undefined,
): string | undefined {
  return (wanted ?? "") === (found ?? "") ? undefined : `found "${found ?? ""}", the stack has "${wanted ?? ""}"`;
}

/** The differences that exist, as one text. */
export const joined = (...differences: readonly (string | undefined)[]): string =>
  differences.filter((text) => text !== undefined).join("; ");

function describe(missing: readonly string[], extra: readonly string[], what: string): string | undefined {
  const clauses = [
    ...missing.filter((name) => extra.includes(name)).map((name) => `${what} ${name} changed`),
    ...missing.filter((name) => !extra.includes(name)).map((name) => `${what} ${name} missing`),
    ...extra.filter((name) => !missing.includes(name)).map((name) => `${what} ${name} added`),
  ];
  return clauses.length === 0 ? undefined : clauses.join("; ");
}

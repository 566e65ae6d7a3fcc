/** IAM's policy language, as far as this program writes and reads it. */

/** One text or several; AWS treats a single text and a list of one alike. */
export type OneOrMany<T> = T | T[];

/** Operator → condition key → value or values: `{ StringEquals: { "aws:RequestedRegion": ["eu-west-1"] } }`. */
export type Conditions = Record<string, Record<string, OneOrMany<string>>>;

/** One statement. `Principal` is for trust policies, `Resource`/`NotResource` for permission policies. */
export interface Statement {
  Sid?: string;
  Effect: "Allow" | "Deny";
  Principal?: "*" | Record<string, OneOrMany<string>>;
  Action?: OneOrMany<string>;
  NotAction?: OneOrMany<string>;
  Resource?: OneOrMany<string>;
  NotResource?: OneOrMany<string>;
  Condition?: Conditions;
}

/** A policy document of the only current version of the language. */
export interface PolicyDocument {
  Version: "2012-10-17";
  Statement: Statement[];
}

/** A list of what may be given as one value or several. */
export function listOf<T>(value: OneOrMany<T> | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** The subset of the IAM policy language that this program writes and reads. */

/** One value or a list of values. AWS treats a single value as a list with one element. */
export type OneOrMany<T> = T | readonly T[];

/** Operator → condition key → value or values: `{ StringEquals: { "aws:RequestedRegion": ["eu-west-1"] } }`. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, OneOrMany<string>>>>>;

/** One statement. `Principal` is for trust policies, `Resource` and `NotResource` are for permission policies. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | Readonly<Record<string, OneOrMany<string>>>;
  readonly Action?: OneOrMany<string>;
  readonly NotAction?: OneOrMany<string>;
  readonly Resource?: OneOrMany<string>;
  readonly NotResource?: OneOrMany<string>;
  readonly Condition?: Conditions;
}

/** A policy document in the current version of the policy language. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

export const documentOf = (Statement: readonly Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

/** The values of an element that holds one value, several values or none. */
export function listOf<T>(value: OneOrMany<T> | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";

const ACTION = "sts:AssumeRoleWithWebIdentity";

export interface WebIdentity {
  /** ARN of the IAM OIDC provider that vouches for the token, in the role's account. */
  providerArn: string;
  /** The token's claims after its signature was checked. */
  claims: Record<string, unknown>;
}

export interface Verdict {
  allowed: boolean;
  /** Why, for people; names the statement by its place, from 1. */
  reason: string;
}

/**
 * What IAM decides about AssumeRoleWithWebIdentity by a role's trust policy: an explicit Deny that matches wins, else
 * one Allow that matches is enough, else no. A statement matches when its principal, its action and every key of every
 * condition do; of a key's values one is enough. Names of condition keys are compared regardless of case, values are
 * not.
 *
 * Knows what trust policies for service accounts are made of: federated principals, StringEquals and StringLike.
 *
 * @throws Error on anything else (an unknown operator, NotPrincipal, NotAction, a policy variable): a guess about it
 * would be no proof.
 */
export function evaluateTrust(document: PolicyDocument, identity: WebIdentity): Verdict {
  const refusals: string[] = [];
  let allowedBy: string | undefined;
  for (const [index, statement] of listOf(document.Statement).entries()) {
    const place = `statement ${index + 1}`;
    const mismatch = mismatchOf(statement, identity, place);
    if (mismatch !== undefined) refusals.push(`${place}: ${mismatch}`);
    else if (statement.Effect === "Deny") return { allowed: false, reason: `${place} denies it` };
    else allowedBy ??= place;
  }
  if (allowedBy !== undefined) return { allowed: true, reason: `${allowedBy} allows it` };
  return { allowed: false, reason: refusals.join("; ") || "the policy has no statement" };
}

/** Why a statement says nothing about this identity, or undefined when it does. */
function mismatchOf(statement: Statement, { providerArn, claims }: WebIdentity, place: string): string | undefined {
  const known = ["Sid", "Effect", "Principal", "Action", "Condition"];
  for (const element of Object.keys(statement)) {
    if (!known.includes(element)) throw new Error(`${place}: cannot evaluate "${element}" in a trust policy`);
  }
  if (!["Allow", "Deny"].includes(statement.Effect)) throw new Error(`${place}: unknown Effect "${statement.Effect}"`);
  if (!principals(statement).some((principal) => principal === "*" || principal === providerArn)) {
    return `its principal is not ${providerArn}`;
  }
  if (!listOf(statement.Action).some((action) => wildcard(action, "i").test(ACTION))) {
    return `its action is not ${ACTION}`;
  }
  // The provider's part of a condition key is the issuer as the ARN has it: host and path.
  const issuer = providerArn.slice(providerArn.indexOf(":oidc-provider/") + ":oidc-provider/".length);
  for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
    const compare = comparison(operator, place);
    for (const [key, expected] of Object.entries(keys)) {
      const values = listOf(expected);
      if (values.some((value) => value.includes("${"))) throw new Error(`${place}: cannot evaluate a policy variable`);
      const actual = claimOf(key, issuer, claims);
      if (!actual.some((value) => values.some((allowed) => compare(allowed, value)))) {
        const found = actual.length === 0 ? "missing" : JSON.stringify(actual.length === 1 ? actual[0] : actual);
        return `${key} is ${found}, not ${values.map((value) => JSON.stringify(value)).join(" or ")} (${operator})`;
      }
    }
  }
  return undefined;
}

/** Principals that a web identity can match: OIDC providers and everyone (`"*"`, also written `{"AWS": "*"}`). */
function principals({ Principal }: Statement): string[] {
  if (Principal === undefined) return [];
  if (Principal === "*") return ["*"];
  return [...listOf(Principal.Federated), ...listOf(Principal.AWS).filter((principal) => principal === "*")];
}

function comparison(operator: string, place: string): (expected: string, actual: string) => boolean {
  switch (operator) {
    case "StringEquals":
      return (expected, actual) => expected === actual;
    case "StringLike":
      return (expected, actual) => wildcard(expected).test(actual);
    default:
      throw new Error(`${place}: cannot evaluate the condition operator "${operator}"`);
  }
}

/** `*` stands for any characters, `?` for one; everything else for itself. */
function wildcard(pattern: string, flags = ""): RegExp {
  const source = pattern
    .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll("\\*", ".*")
    .replaceAll("\\?", ".");
  return new RegExp(`^${source}$`, `s${flags}`);
}

/** A condition key's values in this token; none for a key of another provider or a claim that is not there. */
function claimOf(key: string, issuer: string, claims: Record<string, unknown>): string[] {
  const colon = key.lastIndexOf(":");
  if (key.slice(0, colon).toLowerCase() !== issuer.toLowerCase()) return [];
  const name = key.slice(colon + 1).toLowerCase();
  // With an authorized party in the token, AWS compares `aud` with that and not with the audience.
  const value = name === "aud" && claims.azp !== undefined ? claims.azp : claims[name];
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
}

import { actionMatcher } from "../../policies/match.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";

const ACTION = "sts:AssumeRoleWithWebIdentity";

export interface WebIdentity {
  /** ARN of the token's IAM OIDC provider in the role's account. */
  providerArn: string;
  /** Claims of the token, after its signature has been verified. */
  claims: Record<string, unknown>;
}

/**
 * Evaluates a role's trust policy for AssumeRoleWithWebIdentity as IAM does: a matching Deny overrides a matching
 * Allow, and the default is to deny. A statement matches when its principal, its action and every condition key match.
 * One matching value of a key is sufficient. Condition key names are case-insensitive, values are case-sensitive.
 *
 * Supports the elements of trust policies for service accounts: federated principals and StringEquals.
 *
 * @returns the verdict, and its reason, which refers to statements by number, from 1.
 * @throws Error for unsupported elements, such as another operator, NotPrincipal, NotAction or a policy variable,
 * because a guess would prove nothing: without a Deny, the verdict would be to allow what AWS denies.
 */
export function evaluateTrust(document: PolicyDocument, identity: WebIdentity) {
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

/** The reason why a statement does not match this identity. Undefined if it matches. */
function mismatchOf(statement: Statement, { providerArn, claims }: WebIdentity, place: string): string | undefined {
  const known = ["Sid", "Effect", "Principal", "Action", "Condition"];
  for (const element of Object.keys(statement)) {
    if (!known.includes(element)) throw new Error(`${place}: cannot evaluate "${element}" in a trust policy`);
  }
  if (!["Allow", "Deny"].includes(statement.Effect)) throw new Error(`${place}: unknown Effect "${statement.Effect}"`);
  const { Principal = {} } = statement;
  // Everyone is `"*"`, also written `{"AWS": "*"}`. Other AWS principals cannot be web identities.
  const everyone = Principal === "*" || [Principal.AWS, Principal.Federated].flat().includes("*");
  if (!everyone && !listOf(Principal.Federated).includes(providerArn)) {
    return `its principal is not ${providerArn}`;
  }
  if (!actionMatcher(listOf(statement.Action))(ACTION)) {
    return `its action is not ${ACTION}`;
  }
  // The prefix of a condition key is the issuer as in the provider's ARN: host and path.
  const issuer = providerArn.slice(providerArn.indexOf(":oidc-provider/") + ":oidc-provider/".length);
  for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
    if (operator !== "StringEquals") throw new Error(`${place}: cannot evaluate the condition operator "${operator}"`);
    for (const [key, expected] of Object.entries(keys)) {
      const values = listOf(expected);
      if (values.some((value) => value.includes("${"))) throw new Error(`${place}: cannot evaluate a policy variable`);
      const actual = claimOf(key, issuer, claims);
      if (!actual.some((value) => values.includes(value))) {
        const found = actual.length === 0 ? "missing" : JSON.stringify(actual.length === 1 ? actual[0] : actual);
        return `${key} is ${found}, not ${values.map((value) => JSON.stringify(value)).join(" or ")} (${operator})`;
      }
    }
  }
  return undefined;
}

/** Values of a condition key in this token. Empty for a key of another provider or a missing claim. */
function claimOf(key: string, issuer: string, claims: Record<string, unknown>): string[] {
  const colon = key.lastIndexOf(":");
  if (key.slice(0, colon).toLowerCase() !== issuer.toLowerCase()) return [];
  const name = key.slice(colon + 1).toLowerCase();
  // If the token has an authorized party (`azp`), AWS uses it as the value of `aud`.
  const value = name === "aud" && claims.azp !== undefined ? claims.azp : claims[name];
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
}

/**
 * Whose a role, an OIDC provider or a policy is. The stack's state knows; without it the thing itself has to tell:
 * by its tags, by what it says, and by who relies on it.
 */
import type { Settings, TargetAccountSettings } from "../../config/settings.js";
import { groups } from "../../policies/groups.js";
import { minify } from "../../policies/size.js";
import { AUDIENCE } from "../../policies/trust.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";
import type { ManagedPolicyFacts, OidcProviderFacts, RoleFacts } from "./doctorFacts.js";
import type { StackState } from "./doctorState.js";

/**
 * `ours`: this stack made it or took it over. `script`: made by the old shell script. `other`: somebody else's.
 * `unclear`: nothing about it tells.
 */
export type Owner = "ours" | "script" | "other" | "unclear";

export interface Verdict {
  readonly owner: Owner;
  /** What tells, as a clause: "it has the tags of iam.tags". */
  readonly because: string;
}

const verdict = (owner: Owner, because: string): Verdict => ({ owner, because });

type Context = Pick<Settings, "iam">;

/** Sids that only this program's policies have. */
const sids = new Set([...groups.map(({ sid }) => sid), "DenySensitiveReads", "DenySensitiveResources"]);

/** Whether an earlier or the present version of the program wrote the document. */
function isWritten(document: PolicyDocument): boolean {
  return document.Statement.filter(({ Sid }) => Sid !== undefined && sids.has(Sid)).length >= 2;
}

function hasOurTags({ iam }: Context, tags: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(iam.tags);
  return wanted.length > 0 && wanted.every(([key, value]) => tags[key] === value);
}

const isUntagged = (tags: Readonly<Record<string, string>>) => Object.keys(tags).length === 0;

/** Trust as both the script and this program write it: web identity from EKS issuers, `aud` and `sub`, no more. */
function isOurForm({ Statement }: PolicyDocument): boolean {
  return Statement.length > 0 && Statement.every(isWebIdentity);
}

function isWebIdentity({ Sid, Effect, Principal, Action, Condition }: Statement): boolean {
  const federated = typeof Principal === "object" ? listOf(Principal.Federated) : [];
  const issuer = federated[0]?.split(":oidc-provider/")[1];
  const equals = Condition?.StringEquals ?? {};
  return (
    Sid === undefined &&
    Effect === "Allow" &&
    listOf(Action).join() === "sts:AssumeRoleWithWebIdentity" &&
    federated.length === 1 &&
    Object.keys(Condition ?? {}).join() === "StringEquals" &&
    Object.keys(equals).sort().join() === `${issuer}:aud,${issuer}:sub` &&
    listOf(equals[`${issuer}:aud`]).join() === AUDIENCE
  );
}

/**
 * @param trust what the stack would write
 */
export function roleOwner(
  context: Context,
  { description, permissions }: Pick<TargetAccountSettings, "description" | "permissions">,
  role: RoleFacts,
  trust: PolicyDocument,
  state: StackState | undefined,
): Verdict {
  if (state?.urnOf(role.arn) !== undefined) return verdict("ours", "it is in the stack's state");
  const documents = [...role.inline.values()];
  const looksScripted = isUntagged(role.tags) && role.path === "/" && role.description === "" && isOurForm(role.trust);
  if (state !== undefined) {
    return looksScripted
      ? verdict("script", "it is not in the stack's state, and has the script's form")
      : verdict("other", "it is not in the stack's state, and has not the script's form");
  }
  if (hasOurTags(context, role.tags)) return verdict("ours", "it has the tags of iam.tags");
  if (documents.some(isWritten)) return verdict("ours", "its policy is one that this program writes");
  if (permissions.placement === "managed" && isOurForm(role.trust)) {
    const names = permissions.policies.map(({ name }) => name);
    if (role.attached.some(({ name }) => names.includes(name))) {
      return verdict("ours", "the policies of this stack are attached to it");
    }
  }
  if (description !== "" && role.description === description && same(role.trust, trust)) {
    return verdict("ours", "it has this stack's trust policy and description");
  }
  if (!looksScripted) return verdict("other", "tags, trust policy or permissions are neither ours nor the script's");
  // A file of the user's own may be what the script was given as well.
  const ownFile = permissions.policies.some(({ document }) => documents.some((found) => same(found, document)));
  return ownFile
    ? verdict("unclear", "this stack and the script would both have made it like this")
    : verdict("script", "it has no tags, and the script's form of trust policy");
}

/**
 * @param trustedBy names of the roles that trust it, ours and the script's by verdict, and all others
 */
export function oidcProviderOwner(
  context: Context,
  provider: OidcProviderFacts,
  trustedBy: { readonly ours: boolean; readonly script: boolean; readonly others: readonly string[] },
  state: StackState | undefined,
): Verdict {
  if (state?.urnOf(provider.arn) !== undefined) return verdict("ours", "it is in the stack's state");
  if (state === undefined && hasOurTags(context, provider.tags)) return verdict("ours", "it has the tags of iam.tags");
  if (!isUntagged(provider.tags)) return verdict("other", `it has tags of its own (${tagText(provider.tags)})`);
  if (state === undefined && trustedBy.ours) return verdict("ours", "this stack's role trusts it");
  if (trustedBy.others.length > 0) return verdict("other", `${nameSome(trustedBy.others)} too`);
  if (provider.audiences.some((audience) => audience !== AUDIENCE)) {
    return verdict("other", `it has other audiences (${provider.audiences.join(", ")})`);
  }
  return trustedBy.script
    ? verdict("script", "it has no tags, and only the script's role trusts it")
    : verdict("unclear", "it has no tags, and no role that trusts it");
}

export function policyOwner(context: Context, policy: ManagedPolicyFacts, state: StackState | undefined): Verdict {
  if (state !== undefined) {
    return state.urnOf(policy.arn) === undefined
      ? verdict("other", "it is not in the stack's state")
      : verdict("ours", "it is in the stack's state");
  }
  if (hasOurTags(context, policy.tags)) return verdict("ours", "it has the tags of iam.tags");
  return isWritten(policy.document) || policy.document.Statement.some(({ Sid }) => Sid !== undefined && sids.has(Sid))
    ? verdict("ours", "it is one that this program writes")
    : verdict("other", "neither its tags nor its statements are ours");
}

const same = (a: PolicyDocument, b: PolicyDocument) => minify(a) === minify(b);

const tagText = (tags: Readonly<Record<string, string>>) => {
  const keys = Object.keys(tags).sort();
  return keys.length > 3 ? `${keys.slice(0, 3).join(", ")}, …` : keys.join(", ");
};

/** "role A trusts it", "roles A, B and 3 more trust it". */
function nameSome(names: readonly string[]): string {
  if (names.length === 1) return `role ${names[0]} trusts it`;
  const shown = names.slice(0, 2).join(", ");
  return `roles ${shown}${names.length > 2 ? ` and ${names.length - 2} more` : ""} trust it`;
}

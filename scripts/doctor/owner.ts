/**
 * The owner of a role, an OIDC provider or a policy: from the stack's state, then from its ownership tag. Resources that
 * are older than the tag are judged by their content and by the roles that trust them.
 */
import { OWNERSHIP_TAG, ownershipTag } from "../../config/ownership.js";
import type { Settings, TargetAccountSettings } from "../../config/settings.js";
import { groups } from "../../policies/groups.js";
import { AUDIENCE, issuersOf } from "../../policies/trust.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";
import type { ManagedPolicyFacts, OidcProviderFacts, RoleFacts } from "./readings.js";
import type { StackState } from "./state.js";

/**
 * `ours`: this stack created or adopted it. `script`: created by the legacy script, or by this stack and lost from its
 * state. `siblingStack`: created by another stack of this program. `other`: managed outside. `unclear`: unknown.
 */
export type Owner = "ours" | "script" | "siblingStack" | "other" | "unclear";

export interface Verdict {
  readonly owner: Owner;
  /** The evidence, as a clause: "it has the tags of iam.tags". */
  readonly because: string;
}

const verdict = (owner: Owner, because: string): Verdict => ({ owner, because });

type Context = Pick<Settings, "iam" | "stack">;
type Tags = Readonly<Record<string, string>>;

/** Owner from state and tag; undefined for a resource that is not in the state and has no ownership tag. */
function recordedOwner(
  { stack }: Context,
  arn: string,
  tags: Tags,
  state: StackState | undefined,
): Verdict | undefined {
  if (state?.urnOf(arn) !== undefined) return verdict("ours", "it is in the stack's state");
  if (state?.isPending(arn)) return verdict("ours", "an interrupted update created it");
  const tag = tags[OWNERSHIP_TAG];
  if (tag === undefined) return undefined;
  if (tag !== ownershipTag(stack)) return verdict("siblingStack", `its tag names stack ${tag}`);
  return state === undefined
    ? verdict("ours", "its tag names this stack")
    : verdict("script", "its tag names this stack, but the state does not contain it");
}

/** Sids that only this program's policies have. */
const sids = new Set([...groups.map(({ sid }) => sid), "DenySensitiveReads", "DenySensitiveResources"]);

/** Whether this or an earlier version of the program wrote the document. */
function isWritten(document: PolicyDocument): boolean {
  return document.Statement.filter(({ Sid }) => Sid !== undefined && sids.has(Sid)).length >= 2;
}

function hasOurTags({ iam }: Context, tags: Tags): boolean {
  const wanted = Object.entries(iam.tags).filter(([key]) => key !== OWNERSHIP_TAG);
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
 * @param trust the trust policy that the stack would write
 */
export function roleOwner(
  context: Context,
  { description, permissions }: Pick<TargetAccountSettings, "description" | "permissions">,
  role: RoleFacts,
  trust: PolicyDocument,
  state: StackState | undefined,
): Verdict {
  const recorded = recordedOwner(context, role.arn, role.tags, state);
  if (recorded !== undefined) return recorded;
  const looksScripted = isUntagged(role.tags) && role.path === "/" && role.description === "" && isOurForm(role.trust);
  if (state !== undefined) {
    return looksScripted
      ? verdict("script", "it is not in the stack's state and has the legacy script's form")
      : verdict("other", "it is not in the stack's state and does not have the legacy script's form");
  }
  const evidence = programEvidence(context, { description, permissions }, role, trust);
  if (evidence !== undefined) {
    const trusted = new Set(issuersOf(trust));
    return issuersOf(role.trust).some((issuer) => trusted.has(issuer))
      ? verdict("ours", evidence)
      : verdict("siblingStack", `${evidence}, but it trusts none of this stack's clusters`);
  }
  if (!looksScripted) return verdict("other", "its content matches neither this stack nor the legacy script");
  // The user can pass the same policy file to the script and to the stack.
  const documents = [...role.inline.values()];
  const ownFile = permissions.policies.some(({ document }) => documents.some((found) => same(found, document)));
  return ownFile
    ? verdict("unclear", "this stack and the legacy script would create the same role")
    : verdict("script", "it has no tags and the legacy script's trust policy");
}

/** Evidence that a stack of this program created the role; undefined when there is none. */
function programEvidence(
  context: Context,
  { description, permissions }: Pick<TargetAccountSettings, "description" | "permissions">,
  role: RoleFacts,
  trust: PolicyDocument,
): string | undefined {
  if (!isOurForm(role.trust)) return undefined;
  if (hasOurTags(context, role.tags)) return "it has the tags of iam.tags";
  if ([...role.inline.values()].some(isWritten)) return "its policy matches a policy of this program";
  const names = permissions.placement === "managed" ? permissions.policies.map(({ name }) => name) : [];
  if (role.attached.some(({ name }) => names.includes(name))) return "the policies of this stack are attached to it";
  return description !== "" && role.description === description && same(role.trust, trust)
    ? "it has this stack's trust policy and description"
    : undefined;
}

/** Roles that trust an OIDC provider. */
export interface TrustedBy {
  /** Tags of our own role, if it is one of them. */
  readonly ours: Tags | undefined;
  readonly script: boolean;
  /** Names of all others. */
  readonly others: readonly string[];
}

export function oidcProviderOwner(
  context: Context,
  provider: OidcProviderFacts,
  { ours, script, others }: TrustedBy,
  state: StackState | undefined,
): Verdict {
  const recorded = recordedOwner(context, provider.arn, provider.tags, state);
  // Without the other stack's consent its provider can only be used as it is.
  if (recorded !== undefined) return recorded.owner === "siblingStack" ? verdict("other", recorded.because) : recorded;
  // One stack tags all its resources alike. Another owner may have the same tags by a company rule.
  if (state === undefined && ours !== undefined && tagKey(ours) === tagKey(provider.tags)) {
    return verdict("ours", "this stack's role trusts it and has the same tags");
  }
  if (!isUntagged(provider.tags)) return verdict("other", `it has other tags (${tagText(provider.tags)})`);
  if (others.length > 0) return verdict("other", `${nameSome(others)} too`);
  if (provider.audiences.some((audience) => audience !== AUDIENCE)) {
    return verdict("other", `it has other audiences (${provider.audiences.join(", ")})`);
  }
  return script
    ? verdict("script", "it has no tags and only the legacy script's role trusts it")
    : verdict("unclear", "it has no tags and no role trusts it");
}

const tagKey = (tags: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(tags).sort());

export function policyOwner(context: Context, policy: ManagedPolicyFacts, state: StackState | undefined): Verdict {
  const recorded = recordedOwner(context, policy.arn, policy.tags, state);
  if (recorded !== undefined) return recorded.owner === "ours" ? recorded : verdict("other", recorded.because);
  if (state !== undefined) return verdict("other", "it is not in the stack's state");
  if (hasOurTags(context, policy.tags)) return verdict("ours", "it has the tags of iam.tags");
  return isWritten(policy.document) || policy.document.Statement.some(({ Sid }) => Sid !== undefined && sids.has(Sid))
    ? verdict("ours", "it matches a policy of this program")
    : verdict("other", "neither its tags nor its statements match this stack");
}

const same = (a: PolicyDocument, b: PolicyDocument) => JSON.stringify(a) === JSON.stringify(b);

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

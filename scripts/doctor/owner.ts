/**
 * The owner of a role, an OIDC provider or a policy: from the stack's state, then from its ownership tag. Resources that
 * are older than the tag are judged by their content and by the roles that trust them.
 */
import { OWNERSHIP_TAG, ownershipTag } from "../../config/ownership.js";
import type { Settings, TargetAccountSettings } from "../../config/settings.js";
import { groups } from "../../policies/groups.js";
import { AUDIENCE, issuersOf, trustStatement } from "../../policies/trust.js";
import { listOf, type PolicyDocument } from "../../policies/types.js";
import { clip } from "../common/terminal.js";
import { documentDifference, tagDifference } from "./drift.js";
import type { ManagedPolicyFacts, OidcProviderFacts, RoleFacts, Tags } from "./readings.js";
import type { StackState } from "./state.js";

/**
 * `ours`: this stack created or adopted it. `script`: created by the legacy script, or by this stack and lost from its
 * state. `other`: managed outside this stack. `unclear`: unknown.
 */
export type Owner = "ours" | "script" | "other" | "unclear";

export interface Verdict {
  readonly owner: Owner;
  /** The evidence, as a clause: "it has the tags of iam.tags". */
  readonly because: string;
}

const verdict = (owner: Owner, because: string): Verdict => ({ owner, because });

/** Owner from state and tag; undefined for a resource that is not in the state and has no ownership tag. */
function recordedOwner({ stack }: Settings, arn: string, tags: Tags, state: StackState | undefined) {
  if (state?.urnOf(arn) !== undefined) return verdict("ours", "it is in the stack's state");
  if (state?.isPending(arn)) return verdict("ours", "an interrupted update created it");
  const tag = tags[OWNERSHIP_TAG];
  if (tag === undefined) return undefined;
  if (tag !== ownershipTag(stack)) return verdict("other", `its tag names stack ${tag}`);
  return state === undefined
    ? verdict("ours", "its tag names this stack")
    : verdict("script", "its tag names this stack, but the state does not contain it");
}

/** Sids that only this program's policies have. */
const sids = new Set([...groups.map(({ sid }) => sid), "DenySensitiveReads", "DenySensitiveResources"]);

/** How many statements this or an earlier version of the program wrote. */
const ownStatements = ({ Statement }: PolicyDocument) => Statement.filter(({ Sid = "" }) => sids.has(Sid)).length;

function hasOurTags({ iam }: Settings, tags: Tags): boolean {
  const wanted = Object.entries(iam.tags).filter(([key]) => key !== OWNERSHIP_TAG);
  return wanted.length > 0 && wanted.every(([key, value]) => tags[key] === value);
}

const isUntagged = (tags: Tags) => Object.keys(tags).length === 0;

/** Trust as both the script and this program write it: web identity from EKS issuers, `aud` and `sub`, no more. */
function isOurForm(trust: PolicyDocument): boolean {
  const written = trust.Statement.flatMap(({ Principal, Condition }) => {
    const [arn = ""] = typeof Principal === "object" ? listOf(Principal.Federated) : [];
    const sub = Condition?.StringEquals?.[`${arn.split(":oidc-provider/")[1]}:sub`];
    return sub === undefined ? [] : [trustStatement(arn, sub)];
  });
  return written.length > 0 && documentDifference(trust, { ...trust, Statement: written }) === "";
}

/** @param trust the trust policy that the stack would write */
export function roleOwner(
  settings: Settings,
  account: TargetAccountSettings,
  role: RoleFacts,
  trust: PolicyDocument,
  state: StackState | undefined,
): Verdict {
  const recorded = recordedOwner(settings, role.arn, role.tags, state);
  if (recorded !== undefined) return recorded;
  const evidence = state === undefined ? programEvidence(settings, account, role, trust) : undefined;
  if (evidence !== undefined) {
    const trusted = issuersOf(trust);
    return issuersOf(role.trust).some((issuer) => trusted.includes(issuer))
      ? verdict("ours", evidence)
      : verdict(
          "other",
          `${evidence}, but it trusts none of this stack's clusters; --state shows whether it is this stack's`,
        );
  }
  const unlike =
    state === undefined
      ? "its content matches neither this stack nor the legacy script"
      : "it is not in the stack's state and does not have the legacy script's form";
  // A role that this stack created without tags can have the same form. Adopting it changes nothing.
  return isUntagged(role.tags) && role.path === "/" && role.description === "" && isOurForm(role.trust)
    ? verdict("script", "it has no tags and the legacy script's trust policy")
    : verdict("other", unlike);
}

/** Names of the account's managed policies; none if the permissions are inline. */
export const managedPolicies = ({ permissions: { placement, policies } }: TargetAccountSettings): string[] =>
  placement === "managed" ? policies.map(({ name }) => name) : [];

/** Evidence that a stack of this program created the role; undefined when there is none. */
function programEvidence(
  settings: Settings,
  account: TargetAccountSettings,
  role: RoleFacts,
  trust: PolicyDocument,
): string | undefined {
  if (!isOurForm(role.trust)) return undefined;
  if (hasOurTags(settings, role.tags)) return "it has the tags of iam.tags";
  // A policy of another owner can have one of these Sids by chance.
  if ([...role.inline.values()].some((document) => ownStatements(document) >= 2)) {
    return "its policy matches a policy of this program";
  }
  const names = managedPolicies(account);
  if (role.attached.some(({ name }) => names.includes(name))) return "the policies of this stack are attached to it";
  const { description } = account;
  return description !== "" && role.description === description && documentDifference(trust, role.trust) === ""
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
  settings: Settings,
  { arn, tags, audiences }: OidcProviderFacts,
  { ours, script, others }: TrustedBy,
  state: StackState | undefined,
): Verdict {
  const recorded = recordedOwner(settings, arn, tags, state);
  if (recorded !== undefined) return recorded;
  // One stack tags all its resources alike. Another owner may have the same tags by a company rule.
  if (state === undefined && ours !== undefined && tagDifference(ours, tags) === "") {
    return verdict("ours", "this stack's role trusts it and has the same tags");
  }
  if (!isUntagged(tags)) return verdict("other", `it has other tags (${clip(Object.keys(tags).join(", "), 60)})`);
  if (others.length > 0) return verdict("other", `other roles trust it too (${clip(others.join(", "), 100)})`);
  if (audiences.some((audience) => audience !== AUDIENCE)) {
    return verdict("other", `it has other audiences (${audiences.join(", ")})`);
  }
  return script
    ? verdict("script", "it has no tags and only the legacy script's role trusts it")
    : verdict("unclear", "it has no tags and no role trusts it");
}

export function policyOwner(
  settings: Settings,
  { arn, tags, document }: ManagedPolicyFacts,
  state: StackState | undefined,
): Verdict {
  const recorded = recordedOwner(settings, arn, tags, state);
  if (recorded !== undefined) return recorded.owner === "ours" ? recorded : verdict("other", recorded.because);
  if (state !== undefined) return verdict("other", "it is not in the stack's state");
  if (hasOurTags(settings, tags)) return verdict("ours", "it has the tags of iam.tags");
  return ownStatements(document) > 0
    ? verdict("ours", "it matches a policy of this program")
    : verdict("other", "neither its tags nor its statements match this stack");
}

/** Trust policies of the roles, and the distribution of clusters over the roles of an account. */
import { policySize, SizeError } from "./size.js";
import { documentOf, listOf, type OneOrMany, type PolicyDocument, type Statement } from "./types.js";

/** A Kubernetes service account that can assume the role. */
export interface Subject {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface TrustPolicyArgs {
  /** Account of the role. Its OIDC providers must be in the same account. */
  readonly accountId: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, … */
  readonly partition: string;
  /** At least one, host and path without `https://`: `oidc.eks.eu-west-1.amazonaws.com/id/<ID>`. */
  readonly issuers: readonly string[];
  /** At least one. Every subject is trusted from every issuer. */
  readonly subjects: readonly Subject[];
}

/** A source cluster with its issuers: the current issuer first, then those from before it was re-created. */
export interface TrustCluster {
  readonly name: string;
  readonly issuers: readonly string[];
  /** Pins the cluster to the role with this number (from 1). */
  readonly roleNumber?: number;
}

export interface PackTrustArgs extends Omit<TrustPolicyArgs, "issuers"> {
  /** All source clusters, in config order. The order decides which role trusts which cluster. */
  readonly clusters: readonly TrustCluster[];
  /** Names of the clusters that the account trusts. Default: all. */
  readonly trusted?: readonly string[];
  /** The account's quota for a trust policy, in characters without white space. */
  readonly limit: number;
}

/** A role of an account with the clusters that it trusts. */
export interface TrustRole {
  /** 1 for `<roleName>`, 2 for `<roleName>-2`, … */
  readonly number: number;
  /** Names, in config order. */
  readonly clusters: readonly string[];
  readonly document: PolicyDocument;
  /** Characters without white space. */
  readonly size: number;
}

/**
 * The audience in every partition. The provider, trust policy and token share this string. It is not an address, and no
 * partition has a variant.
 */
export const AUDIENCE = "sts.amazonaws.com";

/** The `sub` claim of a service account's token. */
export const subjectClaim = ({ namespace, serviceAccount }: Subject) =>
  `system:serviceaccount:${namespace}:${serviceAccount}`;

/** ARN of the IAM OIDC provider of an issuer (host and path without `https://`). */
export function oidcProviderArn(partition: string, accountId: string, issuer: string): string {
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuer}`;
}

/** Issuers that a trust policy names, without `https://`. */
export function issuersOf({ Statement }: PolicyDocument): string[] {
  return Statement.flatMap(({ Principal }) =>
    (typeof Principal === "object" ? listOf(Principal.Federated) : []).flatMap(
      (arn) => arn.split(":oidc-provider/")[1] ?? [],
    ),
  );
}

/** Name of a role by its number: `X`, `X-2`, `X-3`, … */
export function roleNameFor(roleName: string, number: number): string {
  return number === 1 ? roleName : `${roleName}-${number}`;
}

/** Trust policy of a role: one statement for each issuer, with StringEquals on both `aud` and `sub`. */
export function trustPolicy({ accountId, partition, issuers, subjects }: TrustPolicyArgs): PolicyDocument {
  const claims = subjects.map(subjectClaim);
  const sub = claims.length === 1 ? claims[0]! : claims;
  return documentOf(issuers.map((issuer) => trustStatement(oidcProviderArn(partition, accountId, issuer), sub)));
}

/** Trusts tokens of an OIDC provider with one of the `sub` claims. */
export function trustStatement(providerArn: string, sub: OneOrMany<string>): Statement {
  const issuer = providerArn.split(":oidc-provider/")[1];
  return {
    Effect: "Allow",
    Principal: { Federated: providerArn },
    Action: "sts:AssumeRoleWithWebIdentity",
    Condition: { StringEquals: { [`${issuer}:aud`]: AUDIENCE, [`${issuer}:sub`]: sub } },
  };
}

/**
 * Packs the clusters that an account trusts into as few roles as the limit allows. Clusters fill role 1, then role 2,
 * and so on in config order. A pinned cluster uses its specified role. The role of a cluster depends only on the
 * trusted clusters before it, so appending a cluster to the list does not move others.
 *
 * @returns the roles that trust at least one cluster, by number.
 * @throws SizeError when a cluster does not fit into a separate role or into the role that it is pinned to.
 */
export function packTrustPolicies({ clusters, trusted, limit, ...args }: PackTrustArgs): TrustRole[] {
  const roles = new Map<number, TrustRole>();
  const roleWith = (number: number, cluster: string): TrustRole => {
    const names = [...(roles.get(number)?.clusters ?? []), cluster];
    const members = clusters.filter(({ name }) => names.includes(name));
    const document = trustPolicy({ ...args, issuers: members.flatMap(({ issuers }) => issuers) });
    return { number, clusters: names, document, size: policySize(document) };
  };
  let current = 1;
  for (const { name, roleNumber: pinned } of clusters) {
    if (trusted !== undefined && !trusted.includes(name)) continue;
    let role = roleWith(pinned ?? current, name);
    while (role.size > limit) {
      if (pinned !== undefined || role.clusters.length === 1) throw tooLarge(name, role, limit);
      current += 1;
      role = roleWith(current, name);
    }
    roles.set(role.number, role);
  }
  return [...roles.values()].sort((a, b) => a.number - b.number);
}

function tooLarge(cluster: string, { number, clusters, size }: TrustRole, limit: number): SizeError {
  const message =
    `The trust policy of role ${number}, which trusts ${clusters.join(", ")}, has ${size} characters. The limit is ` +
    `${limit} (iam.trustPolicyLimit). Trust fewer subjects (kubernetes.additionalSubjects) or previous issuers, pin the ` +
    "clusters to different roles (clusters[].roleNumber), or request a higher quota from AWS and raise iam.trustPolicyLimit.";
  return new SizeError(cluster, size, limit, message);
}

import { policySize } from "./size.js";
import type { PolicyDocument, Statement } from "./types.js";

/** An OIDC issuer whose tokens a role trusts. */
export interface TrustedIssuer {
  /** Name of the cluster it belongs to, for messages only. */
  cluster: string;
  /** Host and path without `https://`: `oidc.eks.eu-west-1.amazonaws.com/id/<ID>`. */
  issuer: string;
}

/** A Kubernetes service account that may take the role. */
export interface Subject {
  namespace: string;
  serviceAccount: string;
}

export interface TrustPolicyArgs {
  /** Account of the role; its OIDC providers must be in the same account. */
  accountId: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, … */
  partition: string;
  /** At least one. */
  issuers: TrustedIssuer[];
  /** At least one; every subject is trusted from every issuer. */
  subjects: Subject[];
}

/** A cluster as trust is spread: its current issuer first, then the ones it had before it was re-created. */
export interface TrustCluster {
  name: string;
  issuers: string[];
  /** Pins the cluster to the role with this number (1-based). */
  roleNumber?: number;
}

export interface SpreadTrustArgs {
  /** In config order, which decides the roles. */
  clusters: TrustCluster[];
  subjects: Subject[];
  accountId: string;
  partition: string;
  /** Quota of the account for a trust policy, in characters that are not white space. */
  limit: number;
}

/** One role of an account with the clusters that it trusts. */
export interface TrustRole {
  /** 1 for `<roleName>`, 2 for `<roleName>-2`, … */
  number: number;
  /** Names, in config order. */
  clusters: string[];
  document: PolicyDocument;
  /** Characters that are not white space. */
  size: number;
  limit: number;
}

/** A cluster whose trust does not fit the role that it has to go to. */
export class TrustSizeError extends Error {
  override readonly name = "TrustSizeError";

  constructor(
    readonly cluster: string,
    readonly size: number,
    readonly limit: number,
    advice: string,
  ) {
    super(
      `cluster "${cluster}" makes a trust policy of ${size} characters, the limit is ${limit} (iam.trustPolicyLimit). ${advice}`,
    );
  }
}

/**
 * The audience in every partition: a text that provider, trust policy and token share, not an address. No partition
 * has a variant of it.
 */
export const AUDIENCE = "sts.amazonaws.com";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
const ISSUER = /^[a-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~-]+)*$/;

/** The `sub` claim of a service account's token. */
export function subjectClaim({ namespace, serviceAccount }: Subject): string {
  return `system:serviceaccount:${namespace}:${serviceAccount}`;
}

/** ARN of the IAM OIDC provider for an issuer (host and path without `https://`). */
export function oidcProviderArn(partition: string, accountId: string, issuer: string): string {
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuer}`;
}

/** Name of a role by its number: `X`, `X-2`, `X-3`, … */
export function roleNameFor(roleName: string, number: number): string {
  return number === 1 ? roleName : `${roleName}-${number}`;
}

/**
 * Trust policy of a role: one statement for each issuer, with `aud` and `sub` both compared by StringEquals.
 *
 * @throws Error when there is no issuer or subject, or one has characters that IAM could read as a wildcard or a
 * policy variable. The config reader has said so before in its own words; this is the last line.
 */
export function trustPolicy({ accountId, partition, issuers, subjects }: TrustPolicyArgs): PolicyDocument {
  if (issuers.length === 0) throw new Error("a trust policy needs at least one issuer");
  if (subjects.length === 0) throw new Error("a trust policy needs at least one subject");
  for (const { cluster, issuer } of issuers) {
    if (!ISSUER.test(issuer)) {
      throw new Error(`cluster "${cluster}": issuer "${issuer}" is not a host and path without https://`);
    }
  }
  for (const { namespace, serviceAccount } of subjects) {
    if (!DNS_LABEL.test(namespace) || !DNS_SUBDOMAIN.test(serviceAccount)) {
      throw new Error(`subject "${namespace}:${serviceAccount}" is not a Kubernetes namespace and service account`);
    }
  }
  const claims = subjects.map(subjectClaim);
  return {
    Version: "2012-10-17",
    Statement: issuers.map(
      ({ issuer }): Statement => ({
        Effect: "Allow",
        Principal: { Federated: oidcProviderArn(partition, accountId, issuer) },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            [`${issuer}:aud`]: AUDIENCE,
            [`${issuer}:sub`]: claims.length === 1 ? claims[0]! : claims,
          },
        },
      }),
    ),
  };
}

/**
 * Spreads clusters over as few roles as the limit needs. Clusters in config order fill role 1, then role 2, and so on,
 * never going back, and a pinned cluster goes to its own number; where a cluster goes depends only on those before it,
 * so a cluster that is appended moves no other one.
 *
 * @returns the roles that trust at least one cluster, by number.
 * @throws TrustSizeError when a cluster does not fit a role of its own, or the role it is pinned to.
 */
export function spreadTrust({ clusters, subjects, accountId, partition, limit }: SpreadTrustArgs): TrustRole[] {
  const roles = new Map<number, TrustCluster[]>();
  const documentOf = (members: TrustCluster[]) =>
    trustPolicy({
      accountId,
      partition,
      subjects,
      issuers: members.flatMap(({ name, issuers }) => issuers.map((issuer) => ({ cluster: name, issuer }))),
    });
  const sizeWith = (number: number, cluster: TrustCluster) =>
    policySize(documentOf([...(roles.get(number) ?? []), cluster]));
  const place = (number: number, cluster: TrustCluster) => roles.set(number, [...(roles.get(number) ?? []), cluster]);

  let current = 1;
  for (const cluster of clusters) {
    const alone = policySize(documentOf([cluster]));
    if (alone > limit) {
      throw new TrustSizeError(
        cluster.name,
        alone,
        limit,
        "It does not fit even alone: ask AWS for a higher quota of the account and raise iam.trustPolicyLimit, " +
          "or trust fewer subjects (kubernetes.additionalSubjects) or previous issuers.",
      );
    }
    const pinned = cluster.roleNumber;
    if (pinned !== undefined) {
      if (!Number.isInteger(pinned) || pinned < 1) {
        throw new Error(`cluster "${cluster.name}": role number ${pinned} is not a whole number from 1`);
      }
      const size = sizeWith(pinned, cluster);
      if (size > limit) {
        const others = roles.get(pinned)!.map(({ name }) => `"${name}"`);
        throw new TrustSizeError(
          cluster.name,
          size,
          limit,
          `Role ${pinned}, which it is pinned to, trusts ${others.join(", ")} already: pin it to another role, ` +
            "pin one of the others elsewhere, or ask AWS for a higher quota and raise iam.trustPolicyLimit.",
        );
      }
      place(pinned, cluster);
      continue;
    }
    while (sizeWith(current, cluster) > limit) current += 1;
    place(current, cluster);
  }

  return [...roles.entries()]
    .sort(([a], [b]) => a - b)
    .map(([number, members]) => {
      const document = documentOf(members);
      return { number, clusters: members.map(({ name }) => name), document, size: policySize(document), limit };
    });
}

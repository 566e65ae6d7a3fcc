/** The role that a cluster's server assumes in each account, derived from names without a look-up. */
import { issuerPath, type Settings, type TargetAccountSettings } from "../config/settings.js";
import { packTrustPolicies, roleNameFor, type TrustRole } from "../policies/trust.js";
import type { Profile } from "./awsConfigFile.js";

/** A source cluster whose issuer is known. */
export interface TrustedCluster {
  readonly name: string;
  /** `https://…` */
  readonly issuerUrl: string;
  readonly previousIssuers: readonly string[];
  readonly roleNumber?: number | undefined;
}

/** Converts clusters to arguments of trust policies. Issuers are without `https://`. */
export const trustClusters = (clusters: readonly TrustedCluster[]) =>
  clusters.map(({ name, issuerUrl, previousIssuers, roleNumber }) => ({
    name,
    issuers: [issuerUrl, ...previousIssuers].map(issuerPath),
    ...(roleNumber === undefined ? {} : { roleNumber }),
  }));

/** The roles of an account, each with its trusted clusters and trust policy. */
export function trustRoles(
  { iam, subjects }: Pick<Settings, "iam" | "subjects">,
  { accountId, partition, clusters: trusted }: Pick<TargetAccountSettings, "accountId" | "partition" | "clusters">,
  clusters: readonly TrustedCluster[],
): TrustRole[] {
  return packTrustPolicies({
    clusters: trustClusters(clusters),
    trusted,
    subjects,
    accountId,
    partition,
    limit: iam.trustPolicyLimit,
  });
}

export function roleArn(
  { iam }: Pick<Settings, "iam">,
  { accountId, partition }: Pick<TargetAccountSettings, "accountId" | "partition">,
  number: number,
): string {
  return `arn:${partition}:iam::${accountId}:role${iam.path}${roleNameFor(iam.roleName, number)}`;
}

/**
 * The accounts that trust each cluster, with the role that trusts it, by cluster name. Computed for all clusters
 * together, because the role of a cluster depends on the clusters before it.
 */
export function profilesByCluster(
  settings: Settings,
  clusters: readonly TrustedCluster[],
): ReadonlyMap<string, readonly Profile[]> {
  const profiles = new Map<string, Profile[]>(clusters.map(({ name }) => [name, []]));
  for (const account of settings.targetAccounts) {
    for (const { number, clusters: trusted } of trustRoles(settings, account, clusters)) {
      const profile: Profile = {
        name: account.profile,
        accountId: account.accountId,
        region: account.region,
        description: account.description,
        roleArn: roleArn(settings, account, number),
      };
      for (const cluster of trusted) profiles.get(cluster)!.push(profile);
    }
  }
  return profiles;
}

/** The account of `defaultProfile` if it trusts the cluster, otherwise the first account of the cluster. */
export function defaultProfileOf({ defaultProfile }: Settings, profiles: readonly Profile[]): Profile {
  return profiles.find(({ name }) => name === defaultProfile) ?? profiles[0]!;
}

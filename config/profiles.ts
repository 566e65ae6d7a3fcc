/** The roles of each account, and the role that a cluster's server assumes, derived from names without a look-up. */
import { organizationTemplate } from "../policies/organization.js";
import { packTrustPolicies, roleNameFor } from "../policies/trust.js";
import {
  type ClusterSettings,
  issuerPath,
  type OrganizationSettings,
  type Settings,
  type TargetAccountSettings,
  unknownIssuer,
} from "./settings.js";

/** One account in the AWS config file of one cluster's server. */
export interface Profile {
  readonly name: string;
  readonly accountId: string;
  readonly roleArn: string;
  readonly region: string;
  readonly description: string;
}

/** A source cluster whose issuer, `https://…`, is known. */
export type TrustedCluster = Pick<ClusterSettings, "name" | "previousIssuers" | "roleNumber"> & {
  readonly issuerUrl: string;
};

/** Clusters for names and sizes, which do not depend on an issuer that is still to be looked up. */
export const withAnyIssuer = (clusters: readonly ClusterSettings[]) =>
  clusters.map((cluster) => ({ ...cluster, issuerUrl: cluster.issuerUrl ?? unknownIssuer(cluster.region) }));

/** Converts clusters to arguments of trust policies. Issuers are without `https://`. */
export const trustClusters = (clusters: readonly TrustedCluster[]) =>
  clusters.map(({ name, issuerUrl, previousIssuers, roleNumber }) => ({
    name,
    issuers: [issuerUrl, ...previousIssuers].map(issuerPath),
    roleNumber,
  }));

/** A role of an account, with its trusted clusters and trust policy. */
export type AccountRole = ReturnType<typeof trustRoles>[number];

/**
 * The roles of an account, by number.
 *
 * @throws SizeError when a cluster does not fit into a role
 */
export function trustRoles(
  { iam, subjects }: Pick<Settings, "iam" | "subjects">,
  { accountId, partition, clusters: trusted }: Pick<TargetAccountSettings, "accountId" | "partition" | "clusters">,
  clusters: readonly TrustedCluster[],
) {
  const limit = iam.trustPolicyLimit;
  const args = { clusters: trustClusters(clusters), trusted, subjects, accountId, partition, limit };
  return packTrustPolicies(args).map((role) => {
    const name = roleNameFor(iam.roleName, role.number);
    return { ...role, name, arn: `arn:${partition}:iam::${accountId}:role${iam.path}${name}` };
  });
}

/** The template of the StackSet, which creates the roles in the accounts of an organization. */
export const stackSetTemplate = (
  { iam, subjects }: Pick<Settings, "iam" | "subjects">,
  organization: OrganizationSettings,
  clusters: readonly TrustedCluster[],
) => organizationTemplate({ ...iam, ...organization, clusters: trustClusters(clusters), subjects });

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
    const { profile: name, accountId, region, description } = account;
    for (const { arn: roleArn, clusters: trusted } of trustRoles(settings, account, clusters)) {
      for (const cluster of trusted) profiles.get(cluster)!.push({ name, accountId, region, description, roleArn });
    }
  }
  return profiles;
}

/** The account of `defaultProfile` if it trusts the cluster, otherwise the first account of the cluster. */
export function defaultProfileOf({ defaultProfile }: Settings, profiles: readonly Profile[]): Profile {
  return profiles.find(({ name }) => name === defaultProfile) ?? profiles[0]!;
}

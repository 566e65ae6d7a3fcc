/** Which role of which account a cluster's server takes: follows from the names, so nothing has to be asked for it. */
import { issuerPath, type Settings, type TargetAccountSettings } from "../config/settings.js";
import { roleNameFor, spreadTrust, type TrustRole } from "../policies/trust.js";
import type { Profile } from "./awsConfigFile.js";

/** A source cluster whose issuer is known. */
export interface TrustedCluster {
  readonly name: string;
  /** `https://…` */
  readonly issuerUrl: string;
  readonly previousIssuers: readonly string[];
  readonly roleNumber?: number | undefined;
}

/** The roles of an account, each with the clusters it trusts and its trust policy. */
export function trustRoles(
  { iam, subjects }: Pick<Settings, "iam" | "subjects">,
  { accountId, partition }: Pick<TargetAccountSettings, "accountId" | "partition">,
  clusters: readonly TrustedCluster[],
): TrustRole[] {
  return spreadTrust({
    clusters: clusters.map(({ name, issuerUrl, previousIssuers, roleNumber }) => ({
      name,
      issuers: [issuerUrl, ...previousIssuers].map(issuerPath),
      ...(roleNumber === undefined ? {} : { roleNumber }),
    })),
    subjects: [...subjects],
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

/** Every account as the server in one cluster sees it, with the role that trusts this cluster. */
export function profilesOf(settings: Settings, clusters: readonly TrustedCluster[], cluster: string): Profile[] {
  return settings.targetAccounts.map((account) => {
    const role = trustRoles(settings, account, clusters).find(({ clusters: trusted }) => trusted.includes(cluster));
    if (role === undefined) throw new Error(`no role of ${account.profile} trusts cluster ${cluster}`);
    return {
      name: account.profile,
      accountId: account.accountId,
      region: account.region,
      description: account.description,
      roleArn: roleArn(settings, account, role.number),
    };
  });
}

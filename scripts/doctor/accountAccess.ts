/** The AWS accounts that `pulumi up` accesses, and the credentials that it uses. */
import type { STSClientConfig } from "@aws-sdk/client-sts";
import { fromIni, fromNodeProviderChain, fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import type { ClusterSettings, Settings, TargetAccountSettings } from "../../config/settings.js";
import { needsEks } from "../../documents/kubeconfig.js";

/** How the program's provider authenticates to an account: with a profile, or with a role that it assumes. */
export type Access = Pick<TargetAccountSettings, "profile" | "assumeRole" | "accountId" | "region">;

/** One account with one way to authenticate. */
export interface AccountAccess extends Access {
  /** What the program does there: `target account`, `EKS look-up of <cluster>`, `image repository`, `StackSet`. */
  readonly purposes: readonly string[];
  /** The managed target account, if it is one. */
  readonly target?: TargetAccountSettings;
  /** Clusters that are looked up from EKS here. */
  readonly clusters: readonly ClusterSettings[];
}

/** Every account access once: a target account that also has a cluster or the repository is read only once. */
export function accountAccesses({ targetAccounts, clusters, image, organization }: Settings): AccountAccess[] {
  const accesses = new Map<string, AccountAccess>();
  const add = (access: Access, purpose: string, { target, clusters = [] }: Partial<AccountAccess> = {}) => {
    const { profile, assumeRole, accountId, region } = access;
    const key = JSON.stringify([profile, assumeRole, accountId]);
    const known = accesses.get(key);
    accesses.set(key, {
      ...(known ?? { profile, assumeRole, accountId, region, target }),
      purposes: [...(known?.purposes ?? []), purpose],
      clusters: [...(known?.clusters ?? []), ...clusters],
    });
  };
  const managed = targetAccounts.filter(({ manage }) => manage);
  for (const target of managed) add(target, "target account", { target });
  for (const cluster of clusters) {
    const { profile, name } = cluster;
    if (profile === undefined || !needsEks(cluster)) continue;
    add({ ...cluster, profile }, `EKS look-up of ${name}`, { clusters: [cluster] });
  }
  const ecr = image.build?.ecr;
  if (ecr !== undefined) {
    // config/load.ts verifies that an account or a cluster has the profile.
    const owner = [...managed, ...clusters].find(({ profile }) => profile === ecr.profile)!;
    add({ ...owner, profile: ecr.profile }, "image repository");
  }
  if (organization !== undefined) add(organization, "StackSet");
  return [...accesses.values()];
}

/** The same credentials as the program's provider, read from the AWS files each time. */
export function credentialsOf({ profile, assumeRole, region }: Access): NonNullable<STSClientConfig["credentials"]> {
  const clientConfig = { region };
  const ofProfile = (name: string) => fromIni({ profile: name, ignoreCache: true, clientConfig });
  if (assumeRole === undefined) return ofProfile(profile);
  const { roleArn, externalId, sourceProfile } = assumeRole;
  return fromTemporaryCredentials({
    masterCredentials: sourceProfile === undefined ? fromNodeProviderChain({ clientConfig }) : ofProfile(sourceProfile),
    params: { RoleArn: roleArn, RoleSessionName: "holmes-aws-mcp", ExternalId: externalId },
    clientConfig,
  });
}

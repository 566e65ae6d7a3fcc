/** The AWS accounts that `pulumi up` accesses, and the credentials that it uses. */
import type { STSClientConfig } from "@aws-sdk/client-sts";
import { fromIni, fromNodeProviderChain, fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { partitionOf } from "../../config/limits.js";
import type { ClusterSettings, Settings, TargetAccountSettings } from "../../config/settings.js";
import { needsEks } from "../../documents/kubeconfig.js";

/** How the program's provider authenticates: with a profile, or with a role that it assumes. */
export type Access = Pick<TargetAccountSettings, "profile" | "assumeRole">;

/** One account with one way to authenticate. */
export interface AccountAccess {
  readonly access: Access;
  readonly accountId: string;
  readonly region: string;
  readonly partition: string;
  /** The managed target account, if it is one. */
  readonly target: TargetAccountSettings | undefined;
  /** Clusters that are looked up from EKS here. */
  readonly clusters: readonly ClusterSettings[];
  /** Whether the image's ECR repository is here. */
  readonly registry: boolean;
  /** Whether the StackSet is here. */
  readonly organization: boolean;
}

/** Every account access once: a target account that also has a cluster or the repository is read only once. */
export function accountAccesses({ targetAccounts, clusters, image, organization }: Settings): AccountAccess[] {
  const accesses = new Map<string, AccountAccess>();
  const add = (access: Access, accountId: string, region: string, purpose: Partial<AccountAccess>) => {
    const key = JSON.stringify([access, accountId]);
    const before = accesses.get(key) ?? {
      access,
      accountId,
      region,
      partition: partitionOf(region),
      target: undefined,
      clusters: [],
      registry: false,
      organization: false,
    };
    accesses.set(key, { ...before, ...purpose, clusters: [...before.clusters, ...(purpose.clusters ?? [])] });
  };
  const managed = targetAccounts.filter(({ manage }) => manage);
  for (const target of managed) add(accessOf(target), target.accountId, target.region, { target });
  for (const cluster of clusters) {
    const { profile, accountId, region } = cluster;
    if (profile !== undefined && needsEks(cluster)) add({ profile }, accountId, region, { clusters: [cluster] });
  }
  const ecr = image.kind === "build" ? image.build.ecr : undefined;
  if (ecr !== undefined) {
    const account = managed.find(({ profile }) => profile === ecr.profile);
    // The reader has checked that an account or a cluster has the profile.
    const owner = account ?? clusters.find(({ profile }) => profile === ecr.profile)!;
    const access = account === undefined ? { profile: ecr.profile } : accessOf(account);
    add(access, owner.accountId, ecr.region ?? owner.region, { registry: true });
  }
  if (organization !== undefined) {
    const { profile, accountId, region } = organization;
    add({ profile }, accountId, region, { organization: true });
  }
  return [...accesses.values()];
}

const accessOf = ({ profile, assumeRole }: Access): Access => ({
  profile,
  ...(assumeRole === undefined ? {} : { assumeRole }),
});

/** The same credentials as the program's provider, read from the AWS files each time. */
export function credentialsOf({ access, region }: AccountAccess): NonNullable<STSClientConfig["credentials"]> {
  const clientConfig = { region };
  const ofProfile = (profile: string) => fromIni({ profile, ignoreCache: true, clientConfig });
  const { profile, assumeRole } = access;
  if (assumeRole === undefined) return ofProfile(profile);
  const { roleArn, externalId, sourceProfile } = assumeRole;
  return fromTemporaryCredentials({
    masterCredentials: sourceProfile === undefined ? fromNodeProviderChain({ clientConfig }) : ofProfile(sourceProfile),
    params: {
      RoleArn: roleArn,
      RoleSessionName: "holmes-aws-mcp",
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    clientConfig,
  });
}

/** One explicit AWS provider per place that the program touches; each refuses every account but its own. */
import * as aws from "@pulumi/aws";
import type { ClusterSettings, OrganizationSettings, Settings, TargetAccountSettings } from "../config/settings.js";

/** How to get into an account: its profile, or a role to assume. */
type Access = Pick<TargetAccountSettings, "profile" | "accountId"> & Partial<Pick<TargetAccountSettings, "assumeRole">>;

function provider(name: string, { profile, accountId, assumeRole }: Access, region: string): aws.Provider {
  const credentials: aws.ProviderArgs =
    assumeRole === undefined
      ? { profile }
      : {
          ...(assumeRole.sourceProfile === undefined ? {} : { profile: assumeRole.sourceProfile }),
          assumeRoles: [
            {
              roleArn: assumeRole.roleArn,
              sessionName: "holmes-aws-mcp",
              ...(assumeRole.externalId === undefined ? {} : { externalId: assumeRole.externalId }),
            },
          ],
        };
  return new aws.Provider(name, { ...credentials, region: region as aws.Region, allowedAccountIds: [accountId] });
}

/** Provider of a target account, `<profile>/aws`. */
export function accountProvider(account: TargetAccountSettings): aws.Provider {
  return provider(`${account.profile}/aws`, account, account.region);
}

/** Provider for look-ups from EKS in a cluster's account; undefined when nothing has to be looked up. */
export function eksProvider(cluster: ClusterSettings): aws.Provider | undefined {
  if (cluster.profile === undefined || !needsEks(cluster)) return undefined;
  return provider(`${cluster.name}/eks`, { profile: cluster.profile, accountId: cluster.accountId }, cluster.region);
}

/** Whether something about the cluster has to be looked up: its issuer, or what a kubeconfig is made from. */
export function needsEks({ issuerUrl, deploy, kubeconfig, context }: ClusterSettings): boolean {
  return issuerUrl === undefined || (deploy && kubeconfig === undefined && context === undefined);
}

/** Provider of the account that holds the ECR repository; undefined when none is used. */
export function ecrProvider({ image, targetAccounts, clusters }: Settings): aws.Provider | undefined {
  const ecr = image.kind === "build" ? image.build.ecr : undefined;
  if (ecr === undefined) return undefined;
  const account = targetAccounts.find(({ profile, manage }) => manage && profile === ecr.profile);
  const cluster = clusters.find(({ profile }) => profile === ecr.profile);
  const owner = account ?? (cluster === undefined ? undefined : { profile: ecr.profile, accountId: cluster.accountId });
  const region = ecr.region ?? account?.region ?? cluster?.region;
  // The reader has checked that one of them has the profile.
  if (owner === undefined || region === undefined)
    throw new Error(`image.build.ecr.profile ${ecr.profile} names no account`);
  return provider("image/ecr", owner, region);
}

/** Provider of an organization's management or delegated administrator account. */
export function organizationProvider(organization: OrganizationSettings): aws.Provider {
  return provider("organization/stackset", organization, organization.region);
}

/** Converts the settings of a stack to arguments of the components. */
import * as pulumi from "@pulumi/pulumi";
import { stackSetTemplate, type TrustedCluster, trustRoles } from "../config/profiles.js";
import {
  issuerPath,
  type OrganizationSettings,
  type Settings,
  type TargetAccountSettings,
} from "../config/settings.js";
import { oidcProviderArn } from "../policies/trust.js";

export function targetAccountArgs(
  settings: Settings,
  account: TargetAccountSettings,
  clusters: readonly TrustedCluster[],
) {
  const { iam } = settings;
  const { accountId, partition, adopt, existingOidcProviders } = account;
  return {
    oidcProviders: clusters
      .filter(({ name }) => account.clusters.includes(name) && !existingOidcProviders.includes(name))
      .flatMap(({ name, issuerUrl, previousIssuers }) =>
        [issuerUrl, ...previousIssuers].map((url) => ({
          url,
          adopt: adopt.oidcProviders.includes(name)
            ? oidcProviderArn(partition, accountId, issuerPath(url))
            : undefined,
        })),
      ),
    roles: trustRoles(settings, account, clusters).map(({ number, name, document }) => {
      // The legacy script created the first role only.
      const existing = number === 1 && adopt.role;
      return { number, name, trustPolicy: document, adopt: existing, adoptPolicies: existing && adopt.policy };
    }),
    permissions: account.permissions,
    path: iam.path,
    description: account.description,
    sessionDuration: iam.sessionDuration,
    permissionsBoundary: account.permissionsBoundaryArn,
    exclusivePolicies: iam.exclusivePolicies,
    retainOidcProviders: iam.retainOidcProviders,
    tags: iam.tags,
  };
}

export function organizationArgs(
  settings: Settings,
  organization: OrganizationSettings,
  clusters: readonly TrustedCluster[],
) {
  const { organizationalUnits, region, autoDeployment, callAs } = organization;
  const { iam } = settings;
  return {
    stackSetName: iam.roleName.replace(/[^A-Za-z0-9-]/g, "-"),
    templateBody: JSON.stringify(stackSetTemplate(settings, organization, clusters)),
    organizationalUnits,
    region,
    autoDeployment,
    callAs,
    tags: iam.tags,
  };
}

/** Marks a value as secret if its section contains a secret, because Pulumi does not report which value is secret. */
const guarded = ({ secretKeys }: Settings, section: string, value: string | undefined) =>
  value !== undefined && secretKeys.has(section) ? pulumi.secret(value) : value;

/** Access to a target account. */
export function accountAccess(
  settings: Settings,
  account: Pick<TargetAccountSettings, "profile" | "accountId" | "region" | "assumeRole">,
) {
  const { profile, accountId, region, assumeRole } = account;
  const externalId = guarded(settings, "targetAccounts", assumeRole?.externalId);
  return { profile, accountId, region, assumeRole: assumeRole && { ...assumeRole, externalId } };
}

export function imageArgs(settings: Settings) {
  const { image, iam } = settings;
  if (image.build === undefined) return { reference: image.prebuilt };
  const { repository, tag, platform, baseImage, network, args, ecr, registry } = image.build;
  const buildArgs = { ...args, ...(baseImage && { BASE_IMAGE: baseImage }) };
  return {
    context: "image",
    repository,
    tag,
    platform,
    buildArgs: Object.keys(buildArgs).length === 0 ? undefined : buildArgs,
    secretBuildArgs: settings.secretKeys.has("image"),
    network,
    ecr,
    registry: registry && {
      server: registry.server ?? repository.split("/")[0]!,
      username: guarded(settings, "image", registry.username)!,
      password: pulumi.secret(registry.password),
    },
    tags: iam.tags,
  };
}

/** Access to the account of the ECR repository. Undefined: the image is not pushed to ECR. */
export function ecrAccess(settings: Settings) {
  const { image, targetAccounts, clusters } = settings;
  const ecr = image.build?.ecr;
  if (ecr === undefined) return undefined;
  const owners = [...targetAccounts.filter(({ manage }) => manage), ...clusters];
  // config/load.ts verifies that an account or a cluster has the profile.
  const owner = owners.find(({ profile }) => profile === ecr.profile)!;
  return accountAccess(settings, { ...owner, profile: ecr.profile, region: ecr.region ?? owner.region });
}

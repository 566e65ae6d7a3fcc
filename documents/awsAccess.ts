/** Access of the AWS providers to their accounts. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings, TargetAccountSettings } from "../config/settings.js";

/** Marks a value as secret if its section contains a secret, because Pulumi does not report which value is secret. */
export const guarded = <T extends string | undefined>({ secretKeys }: Settings, section: string, value: T) =>
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

/** Access to the account of the ECR repository. Undefined: the image is not pushed to ECR. */
export function ecrAccess(settings: Settings) {
  const { image, targetAccounts, clusters } = settings;
  const ecr = image.kind === "build" ? image.build.ecr : undefined;
  if (ecr === undefined) return undefined;
  const owners = [...targetAccounts.filter(({ manage }) => manage), ...clusters];
  // config/load.ts verifies that an account or a cluster has the profile.
  const owner = owners.find(({ profile }) => profile === ecr.profile)!;
  return accountAccess(settings, { ...owner, profile: ecr.profile, region: ecr.region ?? owner.region });
}

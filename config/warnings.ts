/** Warnings about valid configurations with side effects. */
import { type Settings, usesLegacyImage } from "./settings.js";

/** Each AWS provider is a process of several hundred MB. Many of them can exhaust the memory of the machine. */
const manyAccounts = 25;

/** Returns warnings of one sentence each, in the order of the keys. */
export function* warningsOf(settings: Settings): Generator<string> {
  const { kubernetes, image, mcp, iam, targetAccounts, organization } = settings;
  for (const subject of kubernetes.additionalSubjects.filter((name) => name.endsWith(":default"))) {
    yield `kubernetes.additionalSubjects: ${subject} is the service account of every pod of the namespace that sets none. Expected a dedicated service account.`;
  }
  if (iam.sensitiveReads === "allow") {
    yield "iam.sensitiveReads is allow: Holmes can read secrets, credentials and customer data.";
  }
  if (iam.sensitiveReads === "deny" && iam.sensitiveReadsExcept.length > 0) {
    yield `iam.sensitiveReadsExcept allows sensitive reads: ${iam.sensitiveReadsExcept.join(", ")}.`;
  }
  const managed = targetAccounts.filter(({ manage }) => manage).length;
  if (managed > manyAccounts) {
    yield `targetAccounts: each of the ${managed} managed accounts starts an AWS provider process (several hundred MB). See docs/accounts.md for alternatives (manage: false, organization).`;
  }
  // `organization.accountId` is the management account unless a delegated administrator holds the StackSet.
  if (organization?.callAs === "SELF") {
    const { accountId } = organization;
    const management = targetAccounts.filter((account) => account.accountId === accountId);
    const readsCosts = iam.policyFile === undefined && !iam.disabledPolicyGroups.includes("cost");
    const hint = "List it in targetAccounts, without manage: false, to create its role.";
    if (management.some(({ manage }) => !manage)) {
      const profiles = management.map(({ profile }) => profile).join(", ");
      yield `organization: ${profiles} is the management account (${accountId}), which a StackSet with service-managed permissions skips. ${hint}`;
    } else if (management.length === 0 && readsCosts) {
      yield `organization: the StackSet skips the management account (${accountId}), so Holmes cannot read the costs of the organization. ${hint}`;
    }
  }
  for (const { profile, adopt, permissions } of targetAccounts) {
    if (profile === "default") {
      yield "targetAccounts: commands without --profile use the account with profile default, so that a missing --profile is not an error.";
    }
    if (adopt.policy && permissions.placement === "managed") {
      yield `targetAccounts: the permissions of ${profile} exceed an inline policy, so the legacy script's inline policy is not imported and stays on the role. Delete it: aws iam delete-role-policy --role-name ${iam.roleName} --policy-name ${iam.policyName} --profile ${profile}`;
    }
  }
  if (usesLegacyImage(settings)) {
    yield "image.prebuilt: this image does not contain the Python of the verification, so pulumi up does not verify the server.";
    yield `image.prebuilt: with two clients, the gateway in ${image.prebuilt} returns responses to the wrong client, including data of other accounts. Build the image (image.build).`;
  }
  if (image.prebuilt !== undefined && !image.prebuilt.includes("@sha256:")) {
    yield `image.prebuilt: ${image.prebuilt} has no digest, so the content of the tag can change. Expected a reference with @sha256:….`;
  }
  if (image.build?.tag !== undefined && image.build.ecr?.create === true) {
    yield `image.build.tag: the repository's tags are immutable, so ${image.build.tag} can be pushed once. Remove the key to derive the tag from the content of the image.`;
  }
  if (mcp.authentication.type === "none" && mcp.enabled) {
    yield "mcp.authentication.type is none: every client that reaches the server can read the accounts. Expected bearer.";
  }
  if (!mcp.networkPolicy.enabled && mcp.enabled) {
    yield "mcp.networkPolicy.enabled is false: every pod in the cluster can read the accounts through the server.";
  }
}

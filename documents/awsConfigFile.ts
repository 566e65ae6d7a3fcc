/** The AWS config file that gives the MCP server one profile per target account. */
import { createHash } from "node:crypto";
import { limits } from "../config/limits.js";

/** One account as the server of one cluster sees it. */
export interface Profile {
  readonly name: string;
  readonly accountId: string;
  readonly roleArn: string;
  readonly region: string;
  readonly description: string;
}

/** Where the pod's projected service account token is: the path that the EKS webhook uses as well. */
export const tokenDirectory = "/var/run/secrets/eks.amazonaws.com/serviceaccount";

/**
 * Session name for CloudTrail, `holmes-<cluster>`; a long one is cut and told apart by a hash.
 *
 * @see STS AssumeRoleWithWebIdentity, RoleSessionName: at most 64 of `[\w+=,.@-]`
 */
export function sessionName(cluster: string): string {
  const name = `holmes-${cluster}`;
  if (name.length <= limits.roleSessionName) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, limits.roleSessionName - 9)}-${hash}`;
}

/**
 * The file's text. The SDK assumes each role by itself when a command names the profile, and renews the session;
 * no credentials are in it, and one broken account harms only itself. There is no duration_seconds, because botocore
 * ignores it here (boto/botocore#3411).
 *
 * What names no profile gets a region from here and no credentials: AWS_DEFAULT_REGION would win over every profile's.
 *
 * @param defaultProfile its region is that of commands without a profile
 */
export function awsConfigFile(cluster: string, profiles: readonly Profile[], defaultProfile: string): string {
  const section = ({ name, roleArn, region }: Profile) =>
    [
      name === "default" ? "[default]" : `[profile ${name}]`,
      `role_arn = ${roleArn}`,
      `web_identity_token_file = ${tokenDirectory}/token`,
      `role_session_name = ${sessionName(cluster)}`,
      `region = ${region}`,
      "sts_regional_endpoints = regional",
      "",
    ].join("\n");
  const region = (profiles.find(({ name }) => name === defaultProfile) ?? profiles[0]!).region;
  const bare = profiles.some(({ name }) => name === "default") ? [] : [`[default]\nregion = ${region}\n`];
  return [...bare, ...profiles.map(section)].join("\n");
}

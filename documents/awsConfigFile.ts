/** The AWS config file of the MCP server, with one profile per target account. */
import { createHash } from "node:crypto";
import { limits } from "../config/limits.js";
import { paths } from "../config/names.js";
import type { Profile } from "../config/profiles.js";

/**
 * Role session name in CloudTrail, `holmes-<cluster>`. A long name is truncated and ends in a hash.
 *
 * @see STS AssumeRoleWithWebIdentity, RoleSessionName: at most 64 of `[\w+=,.@-]`
 */
function sessionName(cluster: string): string {
  const name = `holmes-${cluster}`;
  if (name.length <= limits.roleSessionName) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, limits.roleSessionName - 9)}-${hash}`;
}

/**
 * Returns the text of the file. It contains no credentials: the SDK assumes the role of a profile on first use and
 * renews the session, so a misconfigured account does not affect the others. duration_seconds is not set, because
 * botocore ignores it here (boto/botocore#3411).
 *
 * The default section sets a region, because AWS_DEFAULT_REGION would override the region of every profile.
 *
 * @param defaultRegion region of commands without a profile
 */
export function awsConfigFile(cluster: string, profiles: readonly Profile[], defaultRegion: string): string {
  const section = ({ name, roleArn, region }: Profile) =>
    [
      name === "default" ? "[default]" : `[profile ${name}]`,
      `role_arn = ${roleArn}`,
      `web_identity_token_file = ${paths.token}/token`,
      `role_session_name = ${sessionName(cluster)}`,
      `region = ${region}`,
      "sts_regional_endpoints = regional",
      "",
    ].join("\n");
  const bare = profiles.some(({ name }) => name === "default") ? [] : [`[default]\nregion = ${defaultRegion}\n`];
  return [...bare, ...profiles.map(section)].join("\n");
}

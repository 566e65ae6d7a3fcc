/** The config line or the command that resolves a finding. */
import { stringify } from "yaml";
import type { Settings } from "../../config/settings.js";
import type { Access, AccountAccess } from "./accountAccess.js";
import type { Failure } from "./readings.js";

export interface Fix {
  /** What to do, as a sentence. */
  readonly what: string;
  /** A line of the stack file. */
  readonly config?: string;
  /** Section of that line, such as `targetAccounts, profile dev`. */
  readonly at?: string;
  /** Commands for a shell, in the order to run them; of several alternatives, the first is preferred. */
  readonly commands?: readonly string[];
}

/** The part of a fix that changes the config. */
export type ConfigLine = Pick<Fix, "at" | "config">;

/** One line of YAML in a section: `existingOidcProviders: [prod-us, prod-eu]`. */
export function configLine(at: string, key: string, value: unknown): ConfigLine {
  const text = stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim();
  return { at, config: `${key}: ${text}` };
}

export const accountKey = ({ profile }: Pick<Access, "profile">) => `targetAccounts, profile ${profile}`;

/** Restores the stack's own resources, whether the config or the account changed. */
export const refreshFix = ({ stack }: Pick<Settings, "stack">): Fix => ({
  what: "Apply the stack again.",
  commands: [`pulumi up --refresh --stack ${stack}`],
});

/**
 * What completes an interrupted update. `pulumi refresh --import-pending-creates` only marks the operations: the engine
 * (CLI 3.259) has no step that imports them, so the state is completed here.
 */
export const recoveryCommands = (stack: string): readonly string[] => [
  `pulumi cancel --yes --stack ${stack}`,
  `pulumi stack export --stack ${stack} | npm run --silent doctor -- --stack ${stack} --state - --repair | pulumi stack import --stack ${stack}`,
];

/** An AWS CLI command for an account; a role that is assumed has no profile to name. */
export const awsCommand = ({ profile, assumeRole }: Omit<Access, "region">, command: string) =>
  `aws ${command}${assumeRole === undefined ? ` --profile ${profile}` : ""}`;

/** `pulumi up` without these accounts. The types distinguish them from a cluster or the image with the same name. */
export function upWithout(stack: string, profiles: readonly string[]): string {
  const patterns = profiles.flatMap((profile) => [
    `**::holmes-aws-mcp:index:TargetAccount::${profile}`,
    `**::holmes-aws-mcp:index:TargetAccount$**::${profile}/**`,
    `**::pulumi:providers:aws::${profile}/aws`,
  ]);
  const excluded = patterns.map((pattern) => ` --exclude '${pattern}'`).join("");
  return `pulumi up --stack ${stack} --continue-on-error${excluded}`;
}

/** What resolves missing or rejected credentials. */
export function credentialsFix({ profile, assumeRole }: AccountAccess, { code, message }: Failure): Fix {
  const named = assumeRole === undefined ? profile : assumeRole.sourceProfile;
  const flag = named === undefined ? "" : ` --profile ${named}`;
  if (/SSO|login session/i.test(message) || code === "TokenProviderError") {
    return { what: "Log in again.", commands: [`aws sso login${flag}`] };
  }
  if (/^(Timeout|Abort|ECONN|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)/.test(code)) {
    return { what: "Check network, proxy (HTTPS_PROXY) and the account's region. Then run doctor again." };
  }
  if (assumeRole !== undefined && /AccessDenied/.test(code)) {
    const externalId = assumeRole.externalId === undefined ? "" : `, with external id ${assumeRole.externalId}`;
    return { what: `The trust policy of ${assumeRole.roleArn} must allow the caller${externalId}.` };
  }
  const where = named === undefined ? "in the environment, or set assumeRole.sourceProfile" : `for profile ${named}`;
  return { what: `Configure valid credentials ${where}.`, commands: [`aws sts get-caller-identity${flag}`] };
}

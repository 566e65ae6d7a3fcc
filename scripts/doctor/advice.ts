/** The exact line of config or the command that settles a finding. */
import { stringify } from "yaml";
import type { Settings, TargetAccountSettings } from "../../config/settings.js";
import type { Failure } from "./facts.js";
import type { Place } from "./places.js";

export interface Fix {
  /** What to do, as a sentence. */
  readonly what: string;
  /** A line of the stack file. */
  readonly config?: string;
  /** Where that line stands, such as `targetAccounts, profile dev`. */
  readonly at?: string;
  /** Commands for a shell, in the order to run them; of several ways the first is the better one. */
  readonly commands?: readonly string[];
}

/** One line of YAML: `existingOidcProviders: [prod-us, prod-eu]`. */
export function configLine(key: string, value: unknown): string {
  return `${key}: ${stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim()}`;
}

export const accountKey = ({ profile }: Pick<TargetAccountSettings, "profile">) => `targetAccounts, profile ${profile}`;

/** An AWS CLI command in a place; a role that is assumed has no profile to name. */
export function awsCommand({ access }: Pick<Place, "access">, command: string): string {
  return `aws ${command}${access.assumeRole === undefined ? ` --profile ${access.profile}` : ""}`;
}

/**
 * `pulumi up` without these accounts. Resources are called `<profile>` and `<profile>/…`; where a cluster, the image or
 * the organization has the name of a profile, the types tell them apart.
 */
export function upWithout(settings: Settings, profiles: readonly string[]): string {
  const others = new Set([...settings.clusters.map(({ name }) => name), "image", "organization"]);
  const patterns = profiles.flatMap((profile) =>
    others.has(profile)
      ? [
          `**::holmes-aws-mcp:index:TargetAccount::${profile}`,
          `**::holmes-aws-mcp:index:TargetAccount$**::${profile}/**`,
          `**::pulumi:providers:aws::${profile}/aws`,
        ]
      : [`**::${profile}`, `**::${profile}/**`],
  );
  const excluded = patterns.map((pattern) => ` --exclude '${pattern}'`).join("");
  return `pulumi up --stack ${settings.stack} --continue-on-error${excluded}`;
}

/** What to do about credentials that cannot be had or are refused. */
export function credentialsFix({ access, accountId }: Place, { code, message }: Failure): Fix {
  const { profile, assumeRole } = access;
  const named = assumeRole === undefined ? profile : assumeRole.sourceProfile;
  if (/SSO|login session/i.test(message) || code === "TokenProviderError") {
    return {
      what: "Log in again.",
      commands: [named === undefined ? "aws sso login" : `aws sso login --profile ${named}`],
    };
  }
  if (code === "CredentialsProviderError" && /could not (resolve|be found|load)/i.test(message)) {
    return named === undefined
      ? { what: "Give the shell AWS credentials, or name assumeRole.sourceProfile." }
      : {
          what: `Add profile ${named} to the AWS config file (or point AWS_CONFIG_FILE at the one that has it).`,
          commands: [`aws configure sso --profile ${named}`],
        };
  }
  if (/^(Timeout|Abort|ECONN|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)/.test(code)) {
    return { what: "Check network, proxy (HTTPS_PROXY) and the account's region; then run doctor again." };
  }
  if (assumeRole !== undefined && /AccessDenied/.test(code)) {
    return {
      what: `The trust policy of ${assumeRole.roleArn} has to name whoever runs this${assumeRole.externalId === undefined ? "" : `, with external id ${assumeRole.externalId}`}.`,
    };
  }
  return {
    what: `Give ${named === undefined ? "the shell" : `profile ${named}`} valid credentials of account ${accountId}.`,
    commands: [`aws sts get-caller-identity${named === undefined ? "" : ` --profile ${named}`}`],
  };
}

/** Quotas of IAM as Service Quotas knows them: code by the name that GetAccountSummary gives. */
const quotaCodes = {
  AssumeRolePolicySizeQuota: "L-C07B4B0D",
  AttachedPoliciesPerRoleQuota: "L-0DA4ABF3",
  RolesQuota: "L-FE177D64",
  PoliciesQuota: "L-E95E4862",
} as const;

export type Quota = keyof typeof quotaCodes;

/** IAM's quotas are raised in its home region; outside the `aws` partition AWS Support does it. */
export function quotaFix(place: Place, quota: Quota, value: number): Fix {
  if (place.partition !== "aws") {
    return { what: `Ask AWS Support to raise ${quota} of account ${place.accountId} to ${value}.` };
  }
  return {
    what: `Ask for a higher quota (account ${place.accountId}).`,
    commands: [
      awsCommand(
        place,
        `service-quotas request-service-quota-increase --service-code iam --quota-code ${quotaCodes[quota]} --desired-value ${value} --region us-east-1`,
      ),
    ],
  };
}

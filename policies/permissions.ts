import { groups } from "./groups.js";
import { matchesAction } from "./match.js";
import { parsePolicy } from "./parse.js";
import { sensitiveReadsDeny } from "./sensitiveReads.js";
import { INLINE_POLICIES_LIMIT, MANAGED_POLICIES_PER_ROLE, MANAGED_POLICY_LIMIT, policySize } from "./size.js";
import { listOf, type PolicyDocument, type Statement } from "./types.js";

export interface PermissionOptions {
  /** Name of the first policy; further ones are `<policyName>-2`, `-3`, … */
  readonly policyName: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, … */
  readonly partition: string;
  /** Ids of service groups to leave out of the default policy. */
  readonly groups?: { readonly disabled: readonly string[] };
  /** Further action patterns to allow on every resource. Default: none. */
  readonly additionalActions?: readonly string[];
  /** Whether what hands out credentials, secrets or customers' data is denied explicitly. Default: `deny`. */
  readonly sensitiveReads?: "deny" | "allow";
  /** Patterns of the list of sensitive reads that are left open all the same. Default: none. */
  readonly sensitiveReadsExcept?: readonly string[];
  /** Whether bodies of log events, traces and audit events can be read. Default: `allow`. */
  readonly logContents?: "allow" | "deny";
  /** Denies data-plane calls to resources of other accounts. Default: false. */
  readonly dataPerimeter?: boolean;
  /** Regions that may be asked; every other one is denied explicitly, global services exempt. Empty: all. */
  readonly allowedRegions?: readonly string[];
  /** The user's own document in place of the service groups; the denials above still come first. */
  readonly replacement?: PolicyDocument;
}

export interface PermissionPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
  /** Characters that are not white space. */
  readonly size: number;
  readonly limit: number;
}

export interface PermissionPlan {
  /** One inline policy, or managed policies to attach. */
  readonly placement: "inline" | "managed";
  readonly policies: readonly PermissionPolicy[];
}

/** Permissions that fit neither inline nor into the managed policies of a role. */
export class PolicySizeError extends Error {
  override readonly name = "PolicySizeError";
  constructor(
    readonly policy: string,
    readonly size: number,
    readonly limit: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Services whose calls go to one region whatever the caller names, and calls without which nobody finds the way:
 * exempt from `allowedRegions`. CloudTrail's LookupEvents is among them because the events of global services (IAM,
 * Route 53, CloudFront) are recorded in one region only.
 * Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_general.html
 */
export const globalActions: readonly string[] = [
  "account:*",
  "acm:*",
  "aws-mcp:*",
  "billing:*",
  "budgets:*",
  "ce:*",
  "cloudfront:*",
  "cloudtrail:LookupEvents",
  "cost-optimization-hub:*",
  "cur:*",
  "ec2:DescribeRegions",
  "globalaccelerator:*",
  "health:*",
  "iam:*",
  "networkmanager:*",
  "organizations:*",
  "pricing:*",
  "route53:*",
  "route53domains:*",
  "s3:GetAccountPublicAccessBlock",
  "s3:ListAllMyBuckets",
  "savingsplans:*",
  "shield:*",
  "sts:*",
  "support:*",
  "trustedadvisor:*",
  "wafv2:*",
];

/** What `logContents: deny` denies: the text of log events, database logs, slow statements, traces and audit events. */
export const logContentActions: readonly string[] = [
  "cloudtrail:GetQueryResults",
  "cloudtrail:LookupEvents",
  "cloudwatch:GetRecords",
  "logs:FilterLogEvents",
  "logs:GetLogEvents",
  "logs:GetLogObject",
  "logs:GetLogRecord",
  "logs:GetQueryResults",
  "logs:ListAnomalies",
  "logs:StartQuery",
  "pi:DescribeDimensionKeys",
  "pi:GetDimensionKeyDetails",
  "rds:DownloadDBLogFilePortion",
  "xray:BatchGetTraces",
];

/**
 * Data planes that accept calls to any account's resource by name, so that a prompt injection could write data into the
 * names or parameters of calls that another account logs. `kms` is not listed: AWS services use their own keys for the
 * caller, and Performance Insights needs that.
 */
export const perimeterActions: readonly string[] = ["s3:*", "sns:*", "sqs:*"];

/**
 * The permission policies of a role: one inline policy when all of it fits, else managed policies, filled in order
 * with whole service groups. The explicit denials are in the first policy, which is always there. The same options
 * give the same plan.
 *
 * @throws PolicySizeError when a single group or statement exceeds a managed policy, or more than 10 are needed.
 * @throws PolicyShapeError when the replacement is not a policy document.
 */
export function permissionPolicies(options: PermissionOptions): PermissionPlan {
  const { policyName } = options;
  const statements = [...denials(options), ...allowances(options)];

  const whole = documentOf(merged(statements));
  const size = policySize(whole);
  if (size <= INLINE_POLICIES_LIMIT) {
    return {
      placement: "inline",
      policies: [{ name: policyName, document: whole, size, limit: INLINE_POLICIES_LIMIT }],
    };
  }

  const parts: Statement[][] = [[]];
  for (const statement of statements) {
    const alone = policySize(documentOf([statement]));
    if (alone > MANAGED_POLICY_LIMIT) {
      throw new PolicySizeError(
        policyName,
        alone,
        MANAGED_POLICY_LIMIT,
        `statement "${statement.Sid ?? "without Sid"}" alone has ${alone} characters, a managed policy holds ` +
          `${MANAGED_POLICY_LIMIT}: write it with wildcards or as several statements.`,
      );
    }
    const last = parts.at(-1)!;
    if (policySize(documentOf([...last, statement])) > MANAGED_POLICY_LIMIT) parts.push([statement]);
    else last.push(statement);
  }
  if (parts.length > MANAGED_POLICIES_PER_ROLE) {
    throw new PolicySizeError(
      policyName,
      size,
      MANAGED_POLICIES_PER_ROLE * MANAGED_POLICY_LIMIT,
      `the permissions have ${size} characters and need ${parts.length} managed policies, a role takes ` +
        `${MANAGED_POLICIES_PER_ROLE}: disable service groups (iam.disabledPolicyGroups) or use wildcards.`,
    );
  }
  return {
    placement: "managed",
    policies: parts.map((part, index) => {
      const document = documentOf(part);
      const name = index === 0 ? policyName : `${policyName}-${index + 1}`;
      return { name, document, size: policySize(document), limit: MANAGED_POLICY_LIMIT };
    }),
  };
}

function documentOf(statements: Statement[]): PolicyDocument {
  return { Version: "2012-10-17", Statement: statements };
}

/** One Allow for all service groups: as several statements they exceed the inline limit. */
function merged(statements: readonly Statement[]): Statement[] {
  const ownSids = new Set(groups.map(({ sid }) => sid));
  const isGroup = ({ Sid = "" }: Statement) => ownSids.has(Sid);
  const actions = statements.filter(isGroup).flatMap(({ Action }) => listOf(Action));
  const rest = statements.filter((statement) => !isGroup(statement));
  const first = rest.findIndex(({ Effect }) => Effect === "Allow");
  const at = first < 0 ? rest.length : first;
  const all: Statement[] =
    actions.length === 0 ? [] : [{ Sid: "ReadOnly", Effect: "Allow", Action: actions, Resource: "*" }];
  return [...rest.slice(0, at), ...all, ...rest.slice(at)];
}

function denials(options: PermissionOptions): Statement[] {
  const { partition, sensitiveReads = "deny", sensitiveReadsExcept, allowedRegions = [] } = options;
  const logs: Statement[] =
    options.logContents === "deny"
      ? [{ Sid: "DenyLogContents", Effect: "Deny", Action: logContentActions, Resource: "*" }]
      : [];
  const perimeter: Statement[] =
    options.dataPerimeter === true
      ? [
          {
            Sid: "DenyOtherAccounts",
            Effect: "Deny",
            Action: perimeterActions,
            Resource: "*",
            // Without the Null test the Deny would also cover calls that name no resource, such as s3:ListAllMyBuckets.
            Condition: {
              Null: { "aws:ResourceAccount": "false" },
              StringNotEquals: { "aws:ResourceAccount": "${aws:PrincipalAccount}" },
            },
          },
        ]
      : [];
  const regions: Statement[] =
    allowedRegions.length === 0
      ? []
      : [
          {
            Sid: "DenyOtherRegions",
            Effect: "Deny",
            NotAction: [...globalActions],
            Resource: "*",
            Condition: { StringNotEquals: { "aws:RequestedRegion": [...allowedRegions].sort() } },
          },
        ];
  return [
    ...(sensitiveReads === "deny" ? sensitiveReadsDeny(partition, sensitiveReadsExcept) : []),
    ...logs,
    ...perimeter,
    ...regions,
  ];
}

function allowances(options: PermissionOptions): Statement[] {
  const allow = (Sid: string, actions: readonly string[]): Statement[] =>
    actions.length === 0 ? [] : [{ Sid, Effect: "Allow", Action: [...actions], Resource: "*" }];
  const disabled = new Set(options.groups?.disabled ?? []);
  const { sensitiveReads = "deny", sensitiveReadsExcept: except, logContents = "allow" } = options;
  const denied = [
    ...(sensitiveReads === "deny" ? listOf(sensitiveReadsDeny(options.partition, except)[0]?.Action) : []),
    ...(logContents === "deny" ? logContentActions : []),
  ];
  // An Allow that a Deny covers as a whole has no effect and costs characters.
  const effective = (actions: readonly string[]) =>
    actions.filter((action) => !denied.some((pattern) => matchesAction(pattern, action)));
  const main =
    options.replacement === undefined
      ? groups.filter(({ id }) => !disabled.has(id)).flatMap(({ sid, actions }) => allow(sid, effective(actions)))
      : parsePolicy(options.replacement).Statement;
  return [...main, ...allow("AdditionalActions", options.additionalActions ?? [])];
}

import { actionList } from "./actionList.js";
import { billedCalls, groups, optionalGroups } from "./groups.js";
import { actionMatcher } from "./match.js";
import { sensitiveReadsDeny } from "./sensitiveReads.js";
import {
  INLINE_POLICIES_LIMIT,
  MANAGED_POLICIES_PER_ROLE,
  MANAGED_POLICY_LIMIT,
  policySize,
  SizeError,
} from "./size.js";
import { type Conditions, documentOf, listOf, type PolicyDocument, type Statement } from "./types.js";

export interface PermissionOptions {
  /** Name of the first policy. Further policies are `<policyName>-2`, `-3`, … */
  readonly policyName: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, … */
  readonly partition: string;
  /** Ids of service groups and billed calls to omit from the default policy. Default: none. */
  readonly disabledPolicyGroups?: readonly string[];
  /** Ids of optional groups to add. Default: none. */
  readonly additionalPolicyGroups?: readonly string[];
  /** Additional action patterns to allow on all resources. Default: none. */
  readonly additionalActions?: readonly string[];
  /** Whether reads that return credentials, secrets or customer data are explicitly denied. Default: `deny`. */
  readonly sensitiveReads?: "deny" | "allow";
  /** Patterns in the list of sensitive reads that are not denied. Default: none. */
  readonly sensitiveReadsExcept?: readonly string[];
  /** Whether bodies of log events, traces and audit events can be read. Default: `allow`. */
  readonly logContents?: "allow" | "deny";
  /** Denies data-plane calls to resources of other accounts. Default: false. */
  readonly dataPerimeter?: boolean;
  /** Allowed regions. All others are explicitly denied, except for global services. Empty: all regions are allowed. */
  readonly allowedRegions?: readonly string[];
  /** Custom document that replaces the service groups. The explicit denials above still apply. */
  readonly replacement?: PolicyDocument | undefined;
}

export interface PermissionPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
  /** Characters without white space. */
  readonly size: number;
  readonly limit: number;
}

export interface PermissionPlan {
  /** One inline policy, or managed policies to attach. */
  readonly placement: "inline" | "managed";
  readonly policies: readonly PermissionPolicy[];
}

/**
 * Actions exempt from `allowedRegions`: global services, whose endpoints are in one region, and actions that are
 * required for discovery. cloudtrail:LookupEvents is exempt because events of global services (IAM, Route 53,
 * CloudFront) are recorded in only one region.
 * Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_general.html
 */
export const globalActions = actionList(`
  account *; acm *; aws-mcp *; billing *; budgets *; ce *; cloudfront *; cloudtrail LookupEvents
  cost-optimization-hub *; cur *; ec2 DescribeRegions; globalaccelerator *; health *; iam *; networkmanager *
  organizations *; pricing *; route53 *; route53domains *; s3 GetAccountPublicAccessBlock ListAllMyBuckets
  savingsplans *; shield *; sts *; support *; trustedadvisor *; wafv2 *
`);

/**
 * Regional actions that return global resources only in the home regions of their partition: tags and quotas of IAM,
 * Route 53 and CloudFront, recommendations of Compute Optimizer for an organization, and S3 Multi-Region Access Points.
 * `allowedRegions` also allows them there.
 */
export const homeRegionActions = actionList(`
  compute-optimizer *; s3 DescribeMultiRegion* GetMultiRegion* ListMultiRegion*; servicequotas *; tag *
`);

/** By partition: the regions of the endpoints of global services. */
export const homeRegions: Readonly<Record<string, readonly string[]>> = {
  aws: ["us-east-1", "us-west-2"],
  "aws-cn": ["cn-north-1", "cn-northwest-1"],
  "aws-us-gov": ["us-gov-west-1"],
};

/** Actions that `logContents: deny` denies: text of log events, database logs, slow queries, traces, audit events. */
export const logContentActions = actionList(`
  cloudtrail GetQueryResults LookupEvents; cloudwatch GetRecords
  logs FilterLogEvents GetLogEvents GetLogObject GetLogRecord GetQueryResults ListAnomalies StartQuery
  pi DescribeDimensionKeys GetDimensionKeyDetails; rds DownloadDBLogFilePortion; xray BatchGetTraces
`);

/**
 * Services whose resource policies can allow calls from any account. A prompt injection could put data into the names
 * or parameters of calls that the owner of the resource logs. `kms` is limited to reads of keys, because AWS services
 * call the others on behalf of the caller. Not listed: `events`, which does not support aws:ResourceAccount, and `logs`,
 * because a CloudWatch monitoring account reads the log groups of its source accounts.
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount
 */
export const perimeterActions = actionList(`
  dynamodb *; ecr *; kinesis *; kms Describe* Get* List*; lambda *; s3 *; secretsmanager *; sns *; sqs *
`);

/**
 * Plans the permission policies of a role: one inline policy if everything fits, otherwise managed policies, filled in
 * order with complete service groups. The first policy always exists and contains the explicit denials. The plan is
 * deterministic.
 *
 * @throws SizeError when a group or statement exceeds the size of a managed policy, or more than 10 are required.
 */
export function permissionPolicies(options: PermissionOptions): PermissionPlan {
  const { policyName } = options;
  const denies = denials(options);
  const own = options.replacement?.Statement ?? groupStatements(options, denies);
  const additional = allow("AdditionalActions", options.additionalActions ?? []);
  const policy = (name: string, part: Statement[], limit: number): PermissionPolicy => {
    const document = documentOf(part);
    return { name, document, size: policySize(document), limit };
  };

  // One Allow for all service groups, because separate statements exceed the inline limit.
  const readOnly =
    options.replacement?.Statement ??
    allow(
      "ReadOnly",
      own.flatMap(({ Action }) => listOf(Action)),
    );
  const whole = policy(policyName, [...denies, ...readOnly, ...additional], INLINE_POLICIES_LIMIT);
  if (whole.size <= INLINE_POLICIES_LIMIT) return { placement: "inline", policies: [whole] };

  const parts: Statement[][] = [[]];
  for (const statement of [...denies, ...own, ...additional]) {
    const last = parts.at(-1)!;
    if (policySize(documentOf([...last, statement])) <= MANAGED_POLICY_LIMIT) last.push(statement);
    else parts.push([statement]);
  }
  const policies = parts.map((part, index) =>
    policy(index === 0 ? policyName : `${policyName}-${index + 1}`, part, MANAGED_POLICY_LIMIT),
  );
  const large = policies.find(({ size }) => size > MANAGED_POLICY_LIMIT);
  if (large !== undefined) {
    const sid = large.document.Statement[0]!.Sid ?? "without Sid";
    const message =
      `Statement "${sid}" alone has ${large.size} characters. A managed policy can have at most ` +
      `${MANAGED_POLICY_LIMIT}. Use wildcards, or split the statement.`;
    throw new SizeError(policyName, large.size, MANAGED_POLICY_LIMIT, message);
  }
  if (policies.length > MANAGED_POLICIES_PER_ROLE) {
    const message =
      `The permissions have ${whole.size} characters and require ${policies.length} managed policies. A role can have ` +
      `at most ${MANAGED_POLICIES_PER_ROLE}. Disable service groups (iam.disabledPolicyGroups), or use wildcards.`;
    throw new SizeError(policyName, whole.size, MANAGED_POLICIES_PER_ROLE * MANAGED_POLICY_LIMIT, message);
  }
  return { placement: "managed", policies };
}

/** Allows actions on all resources. No statement for no actions. */
const allow = (Sid: string, Action: readonly string[]): Statement[] =>
  Action.length === 0 ? [] : [{ Sid, Effect: "Allow", Action, Resource: "*" }];

function denials(options: PermissionOptions): Statement[] {
  const { partition, sensitiveReads = "deny", sensitiveReadsExcept, allowedRegions = [] } = options;
  const deny = (Sid: string, actions: Pick<Statement, "Action" | "NotAction">, Condition?: Conditions): Statement => ({
    Sid,
    Effect: "Deny",
    ...actions,
    Resource: "*",
    Condition,
  });
  // Without the Null test, the Deny also matches calls without a resource, such as s3:ListAllMyBuckets.
  const otherAccount = {
    Null: { "aws:ResourceAccount": "false" },
    StringNotEquals: { "aws:ResourceAccount": "${aws:PrincipalAccount}" },
  };
  const outside = (regions: readonly string[]) => ({
    StringNotEquals: { "aws:RequestedRegion": [...new Set(regions)].sort() },
  });
  const home = [...allowedRegions, ...(homeRegions[partition] ?? [])];
  const regional = [
    deny("DenyOtherRegions", { NotAction: [...globalActions, ...homeRegionActions] }, outside(allowedRegions)),
    deny("DenyOtherRegionsExceptHome", { Action: homeRegionActions }, outside(home)),
  ];
  return [
    ...(sensitiveReads === "deny" ? sensitiveReadsDeny(partition, sensitiveReadsExcept) : []),
    ...(options.logContents === "deny" ? [deny("DenyLogContents", { Action: logContentActions })] : []),
    ...(options.dataPerimeter ? [deny("DenyOtherAccounts", { Action: perimeterActions }, otherAccount)] : []),
    ...(allowedRegions.length > 0 ? regional : []),
  ];
}

/** One statement for each enabled service group. */
function groupStatements(options: PermissionOptions, denies: readonly Statement[]): Statement[] {
  const { disabledPolicyGroups: disabled = [], additionalPolicyGroups: additional = [] } = options;
  const enabled = [
    ...groups.filter(({ id }) => !disabled.includes(id)),
    ...optionalGroups.filter(({ id }) => additional.includes(id)),
  ];
  const billed = disabled.flatMap((id) => billedCalls[id] ?? []);
  const everywhere = denies.filter(({ Resource, Condition }) => Resource === "*" && Condition === undefined);
  // An Allow that a Deny covers completely has no effect and uses characters of the limit.
  const isDenied = actionMatcher(everywhere.flatMap(({ Action }) => listOf(Action)));
  const effective = (actions: readonly string[]) =>
    actions.filter((action) => !billed.includes(action) && !isDenied(action));
  return enabled.flatMap(({ sid, actions }) => allow(sid, effective(actions)));
}

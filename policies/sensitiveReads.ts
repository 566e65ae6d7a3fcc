import { actionList } from "./actionList.js";
import { actionMatcher } from "./match.js";
import type { Statement } from "./types.js";

/**
 * Reads that return credentials, secrets or customer data. AWS assigns most of them the level Read or List, so the
 * access level does not exclude them. With `iam.sensitiveReads: deny` (the default), the first permission policy
 * explicitly denies them. A policy that is attached to the role later, such as ReadOnlyAccess, cannot allow them. The
 * list contains the actions that the default policy's patterns match, and reads of data and secrets that read-only
 * policies such as ReadOnlyAccess usually allow.
 *
 * `kms:Decrypt` is not listed. Performance Insights requires it from the caller even for the AWS managed key, and
 * without the reads below there is no data to decrypt.
 */
export type SensitiveCategory = "credentials" | "secrets" | "customer data";

export interface SensitiveRead {
  readonly category: SensitiveCategory;
  /** Action patterns, as docs/permissions.md and `iam.sensitiveReadsExcept` write them. */
  readonly actions: readonly string[];
  /** The same patterns as the policy writes them. */
  readonly written: readonly string[];
  /** Resources of the Deny, each an ARN without `arn:<partition>:`. Default: all resources. */
  readonly resources?: readonly string[];
  readonly reason: string;
}

/**
 * Reason, patterns and resources, by category. The policy replaces everything after a `~` with `*`, to stay within the
 * limit of inline policies. No action that the default policy allows matches only the shorter pattern
 * (test/policies/catalogue.test.ts).
 */
type Entry = readonly [reason: string, actions: string, resources?: readonly string[]];

const entries: Readonly<Record<SensitiveCategory, readonly Entry[]>> = {
  // The response grants access to another system.
  credentials: [
    ["Tokens for image and package registries, and for AWS itself.", "ecr GetAuth~orizationToken; sts Get*Token"],
    ["Credentials of a pod's role, in exchange for a service account token.", "eks-auth Assume~RoleForPodIdentity"],
    ["Administrator password of a Windows instance.", "ec2 GetPass~wordData"],
    ["Temporary credentials for buckets and tables.", "s3 GetData~Access; lakeformation GetDataA~ccess GetTemp~orary*"],
    [
      "Temporary credentials for just-in-time node access and for CloudWatch spaces.",
      "ssm GetAccess~Token; cloudwatch GetSpaceCredentials*",
    ],
    [
      "Database passwords and sign-in tokens.",
      `redshift GetCluster~Credentials* GetId~entityCenterAuthToken
      redshift-serverless GetCr~edentials GetI~dentityCenterAuthToken`,
    ],
    ["Credentials for the artifact bucket, which are part of a pipeline job.", "codepipeline Get*Job~Details"],
    [
      "Private keys of certificates, and keys that can request new certificates.",
      "acm Export~Certificate Get*Credentials",
    ],
    ["API keys in plain text.", "wafv2 GetDecrypted~APIKey; appsync ListApiK~eys"],
    [
      "API keys in plain text. API Gateway has one action for all reads, so the resource identifies the keys.",
      "apigateway GET",
      ["apigateway:*::/apikeys*", "apigateway:*::/usageplans/*/keys*"],
    ],
    [
      "Sessions and tokens that a policy managed outside this stack could otherwise allow.",
      `codeartifact GetAuth~orization*; cognito-identity Get*; connect GetFed~eration*; datazone Get*Credentials
      dsql DbConnect*; ecr-public GetAuth~orization*; rds-db connect; storagegateway DescribeChap~Credentials; sts Assume*`,
    ],
    [
      "Presigned URLs and upload signatures, which grant access to the objects that they point to.",
      `dms Describe*AssessmentResults; ec2 DescribeBu~ndle* DescribeConv~ersion* DescribeImport*
      inspector2 GetCodeSecurityI~ntegration`,
    ],
  ],
  // Values stored as secrets, or in fields that are returned in plain text.
  secrets: [
    ["Values of secrets. The metadata of secrets remains readable.", "secretsmanager *GetS~ecretValue"],
    ["Values of parameters, SecureString included. DescribeParameters remains allowed.", "ssm GetParameter*"],
    [
      "Application configuration, which can contain passwords.",
      "appconfig GetConfiguration GetHosted~ConfigurationVersion GetLatest~Configuration",
    ],
    [
      "Environment variables, and links to the code.",
      `lambda GetFunction GetFunctionConfiguration GetLayerVersion GetMicrovm* ListFunctions
      lambda ListMicrovmImageV~ersions ListV~ersionsByFunction`,
    ],
    [
      "Environment variables of containers, jobs, builds and pipeline actions in plain text.",
      `apprunner DescribeS~ervice; batch DescribeJobD~efinitions DescribeJobs DescribeServiceJ~ob
      codebuild BatchGetBuild* BatchGetC~ommandExecutions BatchGetP~rojects BatchGetS~andboxes ListCommand*
      codepipeline GetPipeline ListActionE~xecutions ListRuleE~xecutions; ecs Describe*TaskDefinition DescribeE~xpressGatewayService
      elasticbeanstalk DescribeConfigurationS~ettings`,
    ],
    [
      "Recorded configuration of the affected resources, including environment variables of functions, tasks and builds. Findings of GuardDuty and Inspector remain readable.",
      "securityhub GetFindings GetResourcesV2",
    ],
    [
      "Default arguments of jobs, which can contain passwords. GetJobRun and GetJobRuns remain allowed.",
      "glue GetJob GetJobs GetTrigger* GetWorkflow*",
    ],
    [
      "Arguments, environment variables and configuration properties of EMR jobs. ListClusters returns the reason of a failure.",
      `elasticmapreduce *Step* DescribeCluster DescribeNote~book* ListBoot~strap*
      elasticmapreduce ListInstanceF~leets ListInstanceG~roups ListSess~ions
      emr-containers *Job* *Managed*; emr-serverless Get*`,
    ],
    [
      "Scripts, parameters and outputs of Systems Manager documents and tasks, and package sources.",
      `ssm *Association *AssociationVersions *MaintenanceWindow*Task* DescribeAuto~mation*
      ssm DescribeEffectiveI~nstance* GetAuto~mation* GetDocument GetPatchBaseline`,
    ],
    [
      "Certificates, passwords, header values and import tokens of connections, options and restores.",
      `backup Get*Metadata GetRestoreTestingS~election; datasync DescribeLocationFsxO*
      dms DescribeCe~rtificates DescribeEndpoints
      events DescribeConnection; kms GetParameters*; rds DescribeOptionGroups
      redshift DescribeAuth~enticationProfiles`,
    ],
    ["License tokens.", "eks *Eks*"],
    [
      "User data: startup scripts, which can contain join tokens and passwords.",
      `autoscaling DescribeLa~unchConfigurations
      ec2 DescribeInstanceA~ttribute DescribeLaunchTemplateV~ersions DescribeSpot*Requests GetLaunch~TemplateData`,
    ],
    [
      "Pre-shared keys of VPN tunnels and BGP keys. ec2:GetActiveVpnTunnelStatus and metrics show the tunnel state.",
      `directconnect DescribeRo~uterConfiguration DescribeVirtualI~nterfaces
      ec2 DescribeVpnConn~ections GetVpnConnectionDeviceS~ampleConfiguration`,
    ],
    [
      "Client secrets of identity providers, and passwords of connections.",
      "ec2 DescribeVerifiedAccessT~rustProviders; cognito-idp DescribeUserPoolC~lient; glue GetConnection*",
    ],
    [
      "Templates and property values, including secrets written into them. Stacks, events and outputs remain readable.",
      "cloudformation *ResourceDrifts *ResourceRequest* DescribeChangeSet DescribeStackSet Get*Template",
    ],
    [
      "Recorded copies of data that is denied above, such as environment variables and templates. Compliance and inventory remain readable, and CloudTrail records what changed.",
      "config *Get*ResourceConfig* GetResourceE~valuationSummary Select*",
    ],
    ["Secrets of a Step Functions state under test.", "states Reveal~Secrets"],
    ["Writes a template to a bucket.", "ec2 GetFlow*"],
  ],
  // Rows, objects, messages, code and personal data.
  "customer data": [
    [
      "Contents of objects. Names, sizes, ACLs and bucket settings remain readable.",
      "s3 GetObject GetObject*Annotation* GetObject*Torrent GetObjectVersion GetObjectVersionFor~Replication",
    ],
    [
      "Contents of disks, and console output of instances.",
      "ebs GetSnapshot~Block; ec2 GetConsole* GetInstanceU~efiData",
    ],
    [
      "Source code, and images that contain it. Tags, digests, sizes and scan results remain readable.",
      "codecommit Git*; ecr BatchGetImage GetDownload~UrlForLayer",
    ],
    [
      "Rows and documents of databases.",
      "cassandra Select*; dynamodb *GetItem GetRecords Parti~QLSelect Query Scan; es ESHttpGet",
    ],
    ["Results of queries.", "athena GetQueryRes~ults*; redshift Fetch~Results; redshift-data GetStatement~Result*"],
    [
      "Records and messages. Receiving a message also hides it from its consumers.",
      "kinesis GetRecords Subscribe~ToShard; sqs Receive~Message",
    ],
    [
      "Inputs and outputs of executions. ListExecutions and the state machine's logs remain readable.",
      "lambda GetDu~rableExecution*; states DescribeExecution GetExecution~History",
    ],
    [
      "Text and output of commands that ran on instances.",
      "ssm GetCommand~Invocation ListCommandInvocations ListCommands",
    ],
    ["Removes the masking of a log group's data protection policy.", "logs Unmask"],
    ["Contents of lookup tables.", "logs GetLook~upTable"],
    [
      "Sessions and requests of end users, including cookies and authorization headers.",
      "rum GetAppMonitorD~ata; wafv2 GetSampled~Requests",
    ],
    ["Code.", "cloudfront Get*Function; dms DescribeMetadataModel; inspector2 BatchGetCo~deSnippet"],
    [
      "Phone numbers, addresses and device tokens of end users.",
      `sns GetEndpoint~Attributes GetSub~scription* ListEndpoints~ByPlatformApplication
      sns ListPhone~NumbersOptedOut ListSMS~SandboxPhoneNumbers ListSubs~criptions*`,
    ],
    [
      "Addresses and phone numbers of the account's owners, and files sent to AWS Support.",
      "account Get*Contact*; support DescribeA~ttachment",
    ],
  ],
};

export const sensitiveReads: readonly SensitiveRead[] = Object.entries(entries).flatMap(([category, list]) =>
  list.map(([reason, text, resources]) => ({
    category: category as SensitiveCategory,
    reason,
    actions: actionList(text).map((pattern) => pattern.replace("~", "")),
    written: actionList(text).map((pattern) => pattern.replace(/~.*/, "*")),
    resources,
  })),
);

/** Every pattern of the list: the valid values of `iam.sensitiveReadsExcept`. */
export const sensitivePatterns: readonly string[] = sensitiveReads.flatMap(({ actions }) => actions);

/** Returns the list entry that denies an action on all resources. */
export function sensitiveEntry(action: string, except: readonly string[] = []): SensitiveRead | undefined {
  return sensitiveReads.find(({ actions, resources }) => {
    const matches = actionMatcher(actions.filter((pattern) => !except.includes(pattern)));
    return resources === undefined && matches(action);
  });
}

/**
 * The explicit Deny: one statement for all resources, and one for actions that are denied on specific resources.
 *
 * @param except patterns of the list that are not denied
 */
export function sensitiveReadsDeny(partition: string, except: readonly string[] = []): Statement[] {
  const denied = ({ actions, written }: SensitiveRead) =>
    written.filter((_, index) => !except.includes(actions[index]!));
  const deny = (Sid: string, Action: readonly string[], Resource: Statement["Resource"]): Statement[] =>
    Action.length === 0 ? [] : [{ Sid, Effect: "Deny", Action, Resource }];
  const everywhere = sensitiveReads.filter(({ resources }) => resources === undefined).flatMap(denied);
  return [
    ...deny("DenySensitiveReads", everywhere.sort(), "*"),
    ...sensitiveReads.flatMap((entry) =>
      entry.resources === undefined
        ? []
        : deny(
            "DenySensitiveResources",
            denied(entry),
            entry.resources.map((resource) => `arn:${partition}:${resource}`),
          ),
    ),
  ];
}

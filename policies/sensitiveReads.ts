import { matchesAction } from "./match.js";
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
  /** Action patterns of the Deny. Each matches at least one action. */
  readonly actions: readonly string[];
  /** Resources of the Deny, each an ARN without `arn:<partition>:`. Default: all resources. */
  readonly resources?: readonly string[];
  readonly reason: string;
}

export const sensitiveReads: readonly SensitiveRead[] = [
  // Credentials: the response grants access to another system.
  {
    category: "credentials",
    actions: ["ecr:GetAuthorizationToken", "sts:Get*Token"],
    reason: "Tokens for image and package registries, and for AWS itself.",
  },
  {
    category: "credentials",
    actions: ["eks-auth:AssumeRoleForPodIdentity"],
    reason: "Credentials of any pod's role for a service account's token.",
  },
  {
    category: "credentials",
    actions: ["ec2:GetPasswordData"],
    reason: "Administrator password of a Windows instance.",
  },
  {
    category: "credentials",
    actions: ["s3:GetDataAccess", "lakeformation:GetDataAccess", "lakeformation:GetTemporary*"],
    reason: "Temporary credentials for buckets and tables.",
  },
  {
    category: "credentials",
    actions: ["ssm:GetAccessToken", "cloudwatch:GetSpaceCredentials*"],
    reason: "Temporary credentials for just-in-time access to instances and for CloudWatch spaces.",
  },
  {
    category: "credentials",
    actions: [
      "redshift:GetClusterCredentials*",
      "redshift:GetIdentityCenterAuthToken",
      "redshift-serverless:GetCredentials",
    ],
    reason: "Database passwords and sign-in tokens.",
  },
  {
    category: "credentials",
    actions: ["codepipeline:Get*JobDetails"],
    reason: "Credentials for the bucket of a pipeline's artifacts come with the job.",
  },
  {
    category: "credentials",
    actions: ["acm:ExportCertificate", "acm:Get*Credentials"],
    reason: "Private keys of certificates, and keys that may order new ones.",
  },
  {
    category: "credentials",
    actions: ["wafv2:GetDecryptedAPIKey", "appsync:ListApiKeys"],
    reason: "API keys in clear text.",
  },
  {
    category: "credentials",
    actions: ["apigateway:GET"],
    resources: ["apigateway:*::/apikeys*", "apigateway:*::/usageplans/*/keys*"],
    reason: "API keys in clear text; the action is the same for everything in API Gateway, so the resource decides.",
  },
  {
    category: "credentials",
    actions: [
      "codeartifact:GetAuthorization*",
      "cognito-identity:Get*",
      "connect:GetFederation*",
      "ecr-public:GetAuthorization*",
      "rds-db:connect",
      "sts:Assume*",
    ],
    reason: "Sessions and tokens that a policy attached outside this stack would otherwise open.",
  },
  // Secrets: values stored as secrets, or in fields that are returned in plain text.
  {
    category: "secrets",
    actions: ["secretsmanager:*GetSecretValue"],
    reason: "Values of secrets; their metadata stays readable.",
  },
  {
    category: "secrets",
    actions: ["ssm:GetParameter*"],
    reason: "Values of parameters, SecureString included; DescribeParameters stays.",
  },
  {
    category: "secrets",
    actions: [
      "appconfig:GetConfiguration",
      "appconfig:GetHostedConfigurationVersion",
      "appconfig:GetLatestConfiguration",
    ],
    reason: "Configuration of applications, in which passwords are found.",
  },
  {
    category: "secrets",
    actions: [
      "lambda:GetFunction",
      "lambda:GetFunctionConfiguration",
      "lambda:GetLayerVersion",
      "lambda:GetMicrovm*",
      "lambda:ListFunctions",
      "lambda:ListMicrovmImageVersions",
      "lambda:ListVersionsByFunction",
    ],
    reason: "Environment variables, and links to the code.",
  },
  {
    category: "secrets",
    actions: [
      "apprunner:DescribeService",
      "batch:DescribeJobDefinitions",
      "batch:DescribeJobs",
      "batch:DescribeServiceJob",
      "codebuild:BatchGetBuild*",
      "codebuild:BatchGetCommandExecutions",
      "codebuild:BatchGetProjects",
      "codebuild:BatchGetSandboxes",
      "codebuild:ListCommand*",
      "codepipeline:GetPipeline",
      "codepipeline:ListActionExecutions",
      "ecs:Describe*TaskDefinition",
      "ecs:DescribeExpressGatewayService",
      "elasticbeanstalk:DescribeConfigurationSettings",
    ],
    reason: "Environment variables of containers, jobs, builds and pipeline actions in clear text.",
  },
  {
    category: "secrets",
    actions: ["securityhub:GetFindings", "securityhub:GetResourcesV2"],
    reason:
      "Recorded configuration of the affected resources, environment variables of functions, tasks and builds included; findings of GuardDuty and Inspector stay.",
  },
  {
    category: "secrets",
    actions: ["glue:GetJob", "glue:GetJobs", "glue:GetTrigger*", "glue:GetWorkflow*"],
    reason: "Default arguments of jobs, in which passwords are found; GetJobRun and GetJobRuns stay.",
  },
  {
    category: "secrets",
    actions: [
      "elasticmapreduce:*Step*",
      "elasticmapreduce:DescribeCluster",
      "elasticmapreduce:DescribeNotebook*",
      "elasticmapreduce:ListBootstrap*",
      "emr-containers:*Job*",
      "emr-containers:*Managed*",
      "emr-serverless:Get*",
    ],
    reason:
      "Arguments, environment variables and configuration properties of EMR jobs; ListClusters says why one failed.",
  },
  {
    category: "secrets",
    actions: [
      "ssm:*Association",
      "ssm:*AssociationVersions",
      "ssm:*MaintenanceWindow*Task*",
      "ssm:DescribeAutomation*",
      "ssm:DescribeEffectiveInstance*",
      "ssm:GetAutomation*",
      "ssm:GetDocument",
      "ssm:GetPatchBaseline",
    ],
    reason: "Scripts, parameters and outputs of Systems Manager documents, tasks and package sources.",
  },
  {
    category: "secrets",
    actions: [
      "backup:Get*Metadata",
      "datasync:DescribeLocationFsxO*",
      "dms:DescribeCertificates",
      "dms:DescribeEndpoints",
      "events:DescribeConnection",
      "kms:GetParameters*",
    ],
    reason: "Certificates, passwords, header values and import tokens of connections and restores.",
  },
  {
    category: "credentials",
    actions: [
      "dms:Describe*AssessmentResults",
      "ec2:DescribeBundle*",
      "ec2:DescribeConversion*",
      "ec2:DescribeImport*",
      "inspector2:GetCodeSecurityIntegration",
    ],
    reason: "Signed URLs and upload signatures, which open what they point at.",
  },
  {
    category: "secrets",
    actions: ["eks:*Eks*"],
    reason: "License tokens.",
  },
  {
    category: "secrets",
    actions: [
      "autoscaling:DescribeLaunchConfigurations",
      "ec2:DescribeInstanceAttribute",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:DescribeSpot*Requests",
      "ec2:GetLaunchTemplateData",
    ],
    reason: "User data: start-up scripts, in which join tokens and passwords are found.",
  },
  {
    category: "secrets",
    actions: [
      "directconnect:DescribeRouterConfiguration",
      "directconnect:DescribeVirtualInterfaces",
      "ec2:DescribeVpnConnections",
      "ec2:GetVpnConnectionDeviceSampleConfiguration",
    ],
    reason:
      "Pre-shared keys of VPN tunnels and BGP keys; tunnel state stays readable by ec2:GetActiveVpnTunnelStatus and metrics.",
  },
  {
    category: "secrets",
    actions: ["ec2:DescribeVerifiedAccessTrustProviders", "cognito-idp:DescribeUserPoolClient", "glue:GetConnection*"],
    reason: "Client secrets of identity providers and passwords of connections.",
  },
  {
    category: "secrets",
    actions: [
      "cloudformation:*ResourceDrifts",
      "cloudformation:DescribeChangeSet",
      "cloudformation:DescribeStackSet",
      "cloudformation:Get*Template",
    ],
    reason:
      "Templates and property values, with whatever secrets were written into them; stacks, events and outputs stay.",
  },
  {
    category: "secrets",
    actions: ["config:*Get*ResourceConfig*", "config:Select*"],
    reason:
      "Recorded copies of what is denied above (environment variables, templates); compliance and inventory stay, and CloudTrail says what changed.",
  },
  {
    category: "secrets",
    actions: ["states:RevealSecrets"],
    reason: "Shows the secrets of a state under test.",
  },
  // Customer data: rows, objects, messages, code and personal data.
  {
    category: "customer data",
    actions: [
      "s3:GetObject",
      "s3:GetObject*Annotation*",
      "s3:GetObject*Torrent",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionForReplication",
    ],
    reason: "Contents of objects; names, sizes, ACLs and bucket settings stay.",
  },
  {
    category: "customer data",
    actions: ["ebs:GetSnapshotBlock", "ec2:GetConsole*", "ec2:GetInstanceUefiData"],
    reason: "Contents of disks, and what an instance shows on its console.",
  },
  {
    category: "customer data",
    actions: ["codecommit:Git*", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    reason: "Source code, and images with the code in them; tags, digests, sizes and scan results stay.",
  },
  {
    category: "customer data",
    actions: [
      "cassandra:Select*",
      "dynamodb:*GetItem",
      "dynamodb:GetRecords",
      "dynamodb:PartiQLSelect",
      "dynamodb:Query",
      "dynamodb:Scan",
      "es:ESHttpGet",
    ],
    reason: "Rows and documents of databases.",
  },
  {
    category: "customer data",
    actions: ["athena:GetQueryResults*", "redshift:FetchResults", "redshift-data:GetStatementResult*"],
    reason: "Results of queries.",
  },
  {
    category: "customer data",
    actions: ["kinesis:GetRecords", "kinesis:SubscribeToShard", "sqs:ReceiveMessage"],
    reason: "Records and messages; taking a message also hides it from its consumers.",
  },
  {
    category: "customer data",
    actions: ["lambda:GetDurableExecution*", "states:DescribeExecution", "states:GetExecutionHistory"],
    reason: "Inputs and outputs of executions; ListExecutions and the state machine's logs stay.",
  },
  {
    category: "customer data",
    actions: ["ssm:GetCommandInvocation", "ssm:ListCommandInvocations"],
    reason: "Output of commands that ran on instances.",
  },
  {
    category: "secrets",
    actions: ["ec2:GetFlow*"],
    reason: "Writes a template into a bucket.",
  },
  {
    category: "customer data",
    actions: ["logs:Unmask"],
    reason: "Undoes the masking of a log group's data protection policy.",
  },
  {
    category: "customer data",
    actions: ["rum:GetAppMonitorData", "wafv2:GetSampledRequests"],
    reason: "Sessions and requests of end users, cookies and authorization headers included.",
  },
  {
    category: "customer data",
    actions: ["cloudfront:Get*Function", "dms:DescribeMetadataModel", "inspector2:BatchGetCodeSnippet"],
    reason: "Code.",
  },
  {
    category: "customer data",
    actions: [
      "sns:GetEndpointAttributes",
      "sns:GetSubscription*",
      "sns:ListEndpointsByPlatformApplication",
      "sns:ListPhoneNumbersOptedOut",
      "sns:ListSMSSandboxPhoneNumbers",
      "sns:ListSubscriptions*",
    ],
    reason: "Phone numbers, addresses and device tokens of end users.",
  },
  {
    category: "customer data",
    actions: ["account:Get*Contact*", "support:DescribeAttachment"],
    reason: "Addresses and phone numbers of the account's owners, and files sent to AWS Support.",
  },
];

/** Reads that can return data or have names like secrets, and are intentionally allowed. */
export interface KeptRead {
  readonly actions: readonly string[];
  readonly reason: string;
}

export const keptReads: readonly KeptRead[] = [
  {
    actions: [
      "logs:FilterLogEvents",
      "logs:GetLogEvents",
      "logs:GetLogRecord",
      "logs:GetQueryResults",
      "cloudwatch:GetRecords",
    ],
    reason:
      "Log events are what an investigation reads; mask them with a data protection policy where they carry secrets.",
  },
  {
    actions: ["rds:DownloadDBLogFilePortion", "pi:GetDimensionKeyDetails", "pi:DescribeDimensionKeys"],
    reason: "Database logs and the text of slow statements: without them no RDS investigation.",
  },
  {
    actions: ["xray:BatchGetTraces", "cloudtrail:LookupEvents", "cloudtrail:GetQueryResults"],
    reason: "Traces and audit events: what happened, and who changed what.",
  },
  {
    actions: [
      "cloudformation:DescribeStacks",
      "ecs:DescribeTasks",
      "glue:GetJobRun",
      "glue:GetJobRuns",
      "ssm:ListCommands",
    ],
    reason:
      "Parameters and arguments of one run; NoEcho parameters are masked. Why a stack, task or job failed is nowhere else.",
  },
  {
    actions: ["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListDistributions"],
    reason:
      "Headers for the origin can hold a shared secret; no CDN investigation is possible without the distribution.",
  },
  {
    actions: ["iam:GetCredentialReport", "iam:ListServiceSpecificCredentials", "iam:GetAccountPasswordPolicy"],
    reason: "Dates and states of credentials, never the credentials.",
  },
  {
    actions: [
      "secretsmanager:DescribeSecret",
      "secretsmanager:ListSecrets",
      "secretsmanager:ListSecretVersionIds",
      "kafka:ListScramSecrets",
    ],
    reason: "Names, dates and rotation of secrets, never their values.",
  },
  {
    actions: ["codebuild:ListSourceCredentials", "codedeploy:ListGitHubAccountTokenNames"],
    reason: "Names of tokens, never the tokens.",
  },
  {
    actions: ["wafv2:ListAPIKeys", "ec2:DescribeIpamExternalResourceVerificationTokens"],
    reason: "Encrypted keys that are made for a browser's eyes, and tokens that are made to be published in DNS.",
  },
];

/**
 * Shorter patterns that the policy uses, by the listed pattern, to stay within the limit of inline policies. A short
 * form denies no additional action that the default policy allows (test/policies/catalogue.test.ts).
 */
export const shortForms: Readonly<Record<string, string>> = {
  "acm:ExportCertificate": "acm:Export*",
  "appconfig:GetHostedConfigurationVersion": "appconfig:GetHosted*",
  "appconfig:GetLatestConfiguration": "appconfig:GetLatest*",
  "autoscaling:DescribeLaunchConfigurations": "autoscaling:DescribeLaunch*",
  "codebuild:BatchGetCommandExecutions": "codebuild:BatchGetCommand*",
  "codepipeline:Get*JobDetails": "codepipeline:Get*Job*",
  "directconnect:DescribeRouterConfiguration": "directconnect:DescribeRouter*",
  "dynamodb:PartiQLSelect": "dynamodb:Parti*",
  "ebs:GetSnapshotBlock": "ebs:GetSnapshot*",
  "ec2:DescribeVerifiedAccessTrustProviders": "ec2:DescribeVerifiedAccessTrust*",
  "ec2:GetLaunchTemplateData": "ec2:GetLaunch*",
  "ec2:GetVpnConnectionDeviceSampleConfiguration": "ec2:GetVpnConnectionDeviceSample*",
  "ecr:GetAuthorizationToken": "ecr:GetAuthorization*",
  "ecr:GetDownloadUrlForLayer": "ecr:GetDownload*",
  "ecs:DescribeExpressGatewayService": "ecs:DescribeExpress*",
  "eks-auth:AssumeRoleForPodIdentity": "eks-auth:Assume*",
  "inspector2:BatchGetCodeSnippet": "inspector2:BatchGetCode*",
  "kinesis:SubscribeToShard": "kinesis:Subscribe*",
  "lambda:GetDurableExecution*": "lambda:GetDurable*",
  "lambda:ListVersionsByFunction": "lambda:ListVersions*",
  "redshift-data:GetStatementResult*": "redshift-data:GetStatement*",
  "redshift:FetchResults": "redshift:Fetch*",
  "redshift:GetClusterCredentials*": "redshift:GetCluster*",
  "redshift:GetIdentityCenterAuthToken": "redshift:GetIdentity*",
  "s3:GetDataAccess": "s3:GetData*",
  "s3:GetObjectVersionForReplication": "s3:GetObjectVersionFor*",
  "secretsmanager:*GetSecretValue": "secretsmanager:*GetSecret*",
  "sns:GetEndpointAttributes": "sns:GetEndpoint*",
  "sns:ListEndpointsByPlatformApplication": "sns:ListEndpoints*",
  "sns:ListPhoneNumbersOptedOut": "sns:ListPhone*",
  "sns:ListSMSSandboxPhoneNumbers": "sns:ListS*",
  "sqs:ReceiveMessage": "sqs:Receive*",
  "ssm:GetAccessToken": "ssm:GetAccess*",
  "ssm:GetCommandInvocation": "ssm:GetCommand*",
  "states:GetExecutionHistory": "states:GetExecution*",
  "states:RevealSecrets": "states:Reveal*",
  "wafv2:GetDecryptedAPIKey": "wafv2:GetDecrypted*",
  "wafv2:GetSampledRequests": "wafv2:GetSampled*",
};

/** Returns the list entry that denies an action on all or some resources. */
export function sensitiveEntry(action: string, except: readonly string[] = []): SensitiveRead | undefined {
  return without(except).find(({ actions }) => actions.some((pattern) => matchesAction(pattern, action)));
}

/** Every pattern of the list: the valid values of `iam.sensitiveReadsExcept`. */
export const sensitivePatterns: readonly string[] = sensitiveReads.flatMap(({ actions }) => actions);

/** The list without the excepted patterns and without entries that become empty. */
function without(except: readonly string[]): SensitiveRead[] {
  return sensitiveReads.flatMap((entry) => {
    const actions = entry.actions.filter((action) => !except.includes(action));
    return actions.length === 0 ? [] : [{ ...entry, actions }];
  });
}

/**
 * The explicit Deny: one statement for all resources, and one for actions that are denied on specific resources.
 *
 * @param except patterns of the list that are not denied
 */
export function sensitiveReadsDeny(partition: string, except: readonly string[] = []): Statement[] {
  const denied = without(except);
  const everywhere = denied.filter(({ resources }) => resources === undefined);
  const somewhere = denied.filter(({ resources }) => resources !== undefined);
  const everywhereActions = everywhere
    .flatMap(({ actions }) => actions.map((action) => shortForms[action] ?? action))
    .sort();
  return [
    ...(everywhereActions.length === 0
      ? []
      : [{ Sid: "DenySensitiveReads", Effect: "Deny" as const, Action: everywhereActions, Resource: "*" }]),
    ...somewhere.map(
      ({ actions, resources }, index): Statement => ({
        Sid: `DenySensitiveResources${index === 0 ? "" : index + 1}`,
        Effect: "Deny",
        Action: actions,
        Resource: resources!.map((resource) => `arn:${partition}:${resource}`),
      }),
    ),
  ];
}

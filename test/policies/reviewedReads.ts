import { reviews } from "../../policies/reviewed.js";

/**
 * Allowed reads that a test found by their response or name, and the reason why each is allowed. The response has a
 * member that is marked sensitive or has a name such as environment, template, token or payload, or the action has a
 * name such as Password. Exact names, no patterns: new operations of the API model require a review
 * (test/policies/responses.integration.test.ts).
 */
export const reviewedReads = reviews([
  [
    "Version, lock, idempotency and pagination tokens, which order updates and pages. The role cannot make updates.",
    `backup DescribeFramework; config GetComplianceDetailsByConfigRule GetComplianceDetailsByResource
      ec2 DescribeScheduledInstanceAvailability; elasticfilesystem DescribeFileSystems
      glue GetTable GetTableVersion GetTableVersions GetTables
      inspector2 ListConnectorScanConfigurations ListConnectors; kafka DescribeReplicator; logs DescribeLogStreams
      network-firewall DescribeContainerAssociation DescribeFirewall DescribeFirewallPolicy DescribeFlowOperation
      network-firewall DescribeProxy DescribeRuleGroup DescribeTLSInspectionConfiguration ListFlowOperationResults
      pipes ListPipes
      wafv2 GetIPSet ListIPSets ListManagedRuleSets ListRegexPatternSets ListRuleGroups ListWebACLs`,
  ],
  [
    "Block tokens, which only ebs:GetSnapshotBlock accepts. That action is denied.",
    `ebs ListChangedBlocks ListSnapshotBlocks`,
  ],
  [
    "Public certificates and keys, and names, ARNs, dates and states of credentials and secrets, without private keys or values.",
    `acm GetCertificate; codebuild ListSourceCredentials; codedeploy ListGitHubAccountTokenNames
      cognito-idp ListUserPoolClients; datasync DescribeLocationObjectStorage
      ec2 DescribeClientVpnEndpoints DescribeInstanceSqlHaHistoryStates DescribeInstanceSqlHaStates
      ec2 GetAssociatedEnclaveCertificateIamRoles GetInstanceTpmEkPub
      es DescribeDomain DescribeDomainConfig DescribeDomains DescribeDryRunProgress DescribeElasticsearchDomain
      es DescribeElasticsearchDomainConfig DescribeElasticsearchDomains
      iam GetAccountPasswordPolicy GetCredentialReport GetSSHPublicKey GetServerCertificate
      iam ListServiceSpecificCredentials ListSigningCertificates
      kafka DescribeCluster DescribeClusterOperation DescribeClusterOperationV2 DescribeClusterV2
      kafka ListClusterOperations ListClusters ListClustersV2 ListScramSecrets; kms DescribeCustomKeyStores
      rds DescribeCertificates; redshift DescribeHsmClientCertificates
      secretsmanager DescribeSecret ListSecretVersionIds ListSecrets; transfer DescribeServer DescribeUser`,
  ],
  [
    "The API model has a member for a password, secret or seed, and AWS omits or masks its value in this response.",
    `elasticloadbalancing DescribeListeners
      fsx DescribeBackups DescribeFileSystems DescribeSnapshots DescribeStorageVirtualMachines DescribeVolumes
      iam ListVirtualMFADevices; rds DescribeDBClusters DescribeDBInstances DescribeTenantDatabases
      redshift DescribeClusters`,
  ],
  [
    "Values that are published by design: DNS verification tokens, encrypted API keys for browsers, registration tokens of types.",
    `cloudformation ListTypeRegistrations; ec2 DescribeIpamExternalResourceVerificationTokens
      ses GetEmailIdentity GetIdentityDkimAttributes GetIdentityVerificationAttributes; wafv2 ListAPIKeys`,
  ],
  [
    "Names, email addresses and notes of accounts and groups, which identify the account and team of a resource.",
    `account GetAccountInformation; acm DescribeAcmeAccount ListAcmeAccounts
      billing GetBillingView ListBillingViews
      budgets DescribeBudgetAction DescribeBudgetActionHistories DescribeBudgetActionsForAccount
      budgets DescribeBudgetActionsForBudget; guardduty GetMembers ListMembers
      identitystore DescribeGroup ListGroups
      organizations DescribeAccount DescribeCreateAccountStatus DescribeHandshake DescribeOrganization
      organizations DescribeResponsibilityTransfer ListAccounts ListAccountsForParent
      organizations ListAccountsWithInvalidEffectivePolicy ListCreateAccountStatus ListDelegatedAdministrators
      organizations ListHandshakesForAccount ListHandshakesForOrganization ListInboundResponsibilityTransfers
      organizations ListOutboundResponsibilityTransfers; redshift-serverless GetNamespace ListNamespaces
      ses GetAccount; sns ListOriginationNumbers
      trustedadvisor GetOrganizationRecommendation GetRecommendation ListOrganizationRecommendationAccounts`,
  ],
  [
    "Addresses, sites, tags, descriptions and filters of resources: the content of an inventory.",
    `athena GetWorkGroup
      backup DescribeBackupAccessPoint GetBackupPlan GetBackupPlanFromJSON GetBackupPlanFromTemplate
      backup ListBackupAccessPoints ListBackupAccessPointsByRecoveryPoint ListBackupAccessPointsByResource
      backup ListTags; directconnect DescribeConnectionLoa DescribeInterconnectLoa DescribeLoa
      dms DescribeDataMigrations; es DescribeDomainChangeProgress; glue GetCatalog GetCatalogs
      guardduty GetFindings; kafka DescribeConfigurationRevision; neptune-graph GetGraphSummary
      networkmanager GetDevices GetNetworkResources GetRouteAnalysis GetSites; pipes ListTagsForResource
      resource-explorer-2 BatchGetView GetIndex GetManagedView GetResourceExplorerSetup GetServiceView GetView
      resource-explorer-2 ListTagsForResource
      ssm DescribeInstanceAssociationsStatus DescribeInstanceInformation DescribeInstancePatchStates
      ssm DescribeInstancePatchStatesForPatchGroup DescribeInstanceProperties DescribeMaintenanceWindowTargets
      ssm DescribeMaintenanceWindows DescribePatchProperties DescribeSessions GetInventory GetMaintenanceWindow
      ssm GetOpsSummary ListDocumentMetadataHistory ListNodes; states DescribeStateMachineAlias
      transfer DescribeAgreement`,
  ],
  [
    "References to environments, templates and definitions by name, without their content.",
    `application-signals GetInstrumentationConfiguration GetInstrumentationConfigurationStatus
      application-signals ListInstrumentationConfigurations
      backup DescribeReportJob DescribeReportPlan ListReportJobs ListReportPlans; batch DescribeJobQueues ListJobs
      codedeploy BatchGetApplicationRevisions BatchGetDeploymentGroups BatchGetDeployments GetApplicationRevision
      codedeploy GetDeployment GetDeploymentGroup ListApplicationRevisions
      cognito-idp DescribeUserPool ListUserPools; ecs DescribeServiceRevisions DescribeServices DescribeTaskSets
      elasticbeanstalk DescribeApplications DescribeEnvironments; es DescribeDomainHealth; kafka DescribeChannel
      kinesis DescribeChannel; oam GetLink`,
  ],
  [
    "Policies, rules and queries: who can do what, and what a rule or query evaluates.",
    `access-analyzer GetAccessPreview; appconfig GetConfigurationProfile; cloudformation GetStackPolicy
      cloudtrail GetDashboard; cloudwatch DescribeInsightRules GetDashboard GetOmniDashboard GetView
      config DescribeConfigRules GetCustomRulePolicy GetOrganizationCustomRulePolicy
      ecr GetLifecyclePolicy GetLifecyclePolicyPreview GetRegistryPolicy GetRepositoryPolicy
      iam GetAccountProperties GetHumanReadableSummary GetRoleTemplateVersion
      observabilityadmin GetTelemetryPipeline
      organizations DescribeEffectivePolicy DescribePolicy DescribeResourcePolicy
      pi GetPerformanceAnalysisReport ListPerformanceAnalysisReportRecommendations; ssm DescribeParameters`,
  ],
  [
    "Stack outputs and events, overrides, arguments and query texts of one run. No other read returns why a stack, task, job or query failed. NoEcho parameters are masked.",
    `athena BatchGetQueryExecution GetQueryExecution
      cloudformation DescribeEvents DescribeStackEvents DescribeStacks; ecs DescribeTasks
      glue GetJobRun GetJobRuns; s3 DescribeJob`,
  ],
  [
    "Custom headers, match strings, inputs and parameters of targets and rules. Without them, no blocked request or failed delivery can be explained.",
    `cloudfront GetDistribution GetDistributionConfig ListDistributions ListDistributionsByAnycastIpListId
      cloudfront ListDistributionsByConnectionFunction ListDistributionsByConnectionMode
      cloudfront ListDistributionsByRealtimeLogConfig ListDistributionsByTrustStore ListDistributionsByWebACLId
      elasticloadbalancing DescribeRules; events DescribeEventSource DescribeSubscriber ListTargetsByRule
      firehose DescribeDeliveryStream; pipes DescribePipe; rds DescribeDBProxyTargetGroups
      route53 GetHealthCheck ListHealthChecks; s3 GetAccessPointConfigurationForObjectLambda
      sagemaker DescribeEndpoint DescribeEndpointConfig; scheduler GetSchedule; transfer DescribeConnector
      wafv2 GetManagedRuleSet GetRegexPatternSet GetRuleGroup GetWebACL GetWebACLForResource`,
  ],
  [
    "Definition of a state machine. Without it, no failed execution can be explained. Inputs and outputs are denied.",
    `states DescribeStateMachine DescribeStateMachineForExecution`,
  ],
  [
    "Log events, database logs, slow statements, traces and audit events: the content of an investigation. iam.logContents: deny denies them. A data protection policy masks values in log groups.",
    `cloudtrail GetQueryResults LookupEvents; cloudwatch GetRecords
      logs FilterLogEvents GetLogEvents GetLogRecord GetQueryResults ListAnomalies
      pi DescribeDimensionKeys GetDimensionKeyDetails; rds DownloadDBLogFilePortion; xray BatchGetTraces`,
  ],
  [
    "Resources as Cloud Control API returns them. It reads them with the permissions of the caller, so the denials of the resource's own reads apply.",
    `cloudformation GetResource ListResources`,
  ],
  [
    "Messages of support cases, which the group exists for. Attachments are denied.",
    `support DescribeCases DescribeCommunications`,
  ],
]);

/** Reviewed actions: the default policy allows them, although level or name do not identify them as read-only. */
export interface ReviewedAction {
  /** One action, no pattern, because new actions in the catalogue require a review. */
  action: string;
  reason: string;
}

/** Prefixes of read-only actions. Read and List actions with other names are reviewed one by one. */
export const readingVerbs = ["BatchGet", "Describe", "Get", "List"] as const;

export const reviewedActions: readonly ReviewedAction[] = [
  {
    action: "access-analyzer:CheckAccessNotGranted",
    reason: "Answers whether a given policy text grants something; stores nothing.",
  },
  { action: "access-analyzer:CheckNoNewAccess", reason: "Compares two given policy texts; stores nothing." },
  {
    action: "access-analyzer:CheckNoPublicAccess",
    reason: "Answers whether a given policy text is public; stores nothing.",
  },
  { action: "access-analyzer:ValidatePolicy", reason: "Checks a given policy text; stores nothing." },
  { action: "aps:QueryMetrics", reason: "Reads metrics from a Prometheus workspace." },
  {
    action: "backup:ListIndexedRecoveryPointsForSearch",
    reason: "A listing, although the catalogue calls it permissions management.",
  },
  {
    action: "budgets:ViewBudget",
    reason: "Reads budgets; AWS names it View because the API checks it in place of Describe.",
  },
  { action: "cloudtrail:LookupEvents", reason: "Reads the last 90 days of management events: who changed what." },
  { action: "config:SelectAggregateResourceConfig", reason: "Reads recorded configuration by a query." },
  { action: "config:SelectResourceConfig", reason: "Reads recorded configuration by a query." },
  { action: "ec2:SearchLocalGatewayRoutes", reason: "Reads routes by filter." },
  { action: "ec2:SearchTransitGatewayMulticastGroups", reason: "Reads multicast groups by filter." },
  { action: "ec2:SearchTransitGatewayRoutes", reason: "Reads routes by filter." },
  { action: "ecr:BatchCheckLayerAvailability", reason: "Answers which layers exist; hands out none." },
  { action: "events:TestEventPattern", reason: "Matches a given event against a given pattern; stores nothing." },
  {
    action: "iam:GenerateCredentialReport",
    reason: "Makes IAM compile the report that GetCredentialReport reads; holds no credentials, changes no identity.",
  },
  {
    action: "iam:GenerateServiceLastAccessedDetails",
    reason: "Makes IAM compile when an identity last used which service; changes no identity.",
  },
  { action: "iam:SimulateCustomPolicy", reason: "Evaluates given policies without calling the service." },
  { action: "iam:SimulatePrincipalPolicy", reason: "Evaluates an identity's policies without calling the service." },
  { action: "logs:FilterLogEvents", reason: "Reads log events by filter." },
  {
    action: "logs:StartQuery",
    reason: "Starts a Logs Insights query, the usual way to search logs; costs by data scanned, changes nothing.",
  },
  {
    action: "logs:StopQuery",
    reason: "Ends a Logs Insights query, so that a costly one need not run on; cannot touch anything else.",
  },
  { action: "logs:TestMetricFilter", reason: "Matches given log lines against a given pattern; stores nothing." },
  {
    action: "rds:DownloadDBLogFilePortion",
    reason: "Reads a part of a database's log file: the slow query and error logs.",
  },
  { action: "resource-explorer-2:Search", reason: "Finds resources by text." },
  { action: "resource-groups:SearchResources", reason: "Finds resources by tag query." },
  { action: "route53:TestDNSAnswer", reason: "Answers what Route 53 would answer; changes no record." },
  { action: "servicediscovery:DiscoverInstances", reason: "Reads the instances of a Cloud Map service." },
  { action: "servicediscovery:DiscoverInstancesRevision", reason: "Reads the revision of a Cloud Map service." },
  {
    action: "sts:DecodeAuthorizationMessage",
    reason: "Decodes the reason of an AccessDenied; the catalogue calls it Write, it changes nothing.",
  },
];

/** Whether an action's name begins with a reading verb, including `apigateway:GET`. */
export function hasReadingVerb(action: string): boolean {
  const name = action.slice(action.indexOf(":") + 1).toLowerCase();
  return readingVerbs.some((verb) => name.startsWith(verb.toLowerCase()));
}

const reviewed = new Set(reviewedActions.map(({ action }) => action));

/** Whether a review found the action (in the catalogue's spelling) to be read-only. */
export const isReviewed = (action: string): boolean => reviewed.has(action);

/**
 * Allowed reads whose response has a member that is marked sensitive or has a name such as environment, template,
 * output, token, secret or certificate. Exact names, no patterns: new operations of the API model require a review
 * (test/policies/responses.integration.test.ts).
 */
export const reviewedResponses: readonly { readonly reason: string; readonly actions: string }[] = [
  {
    reason: "Version, lock and idempotency tokens: they order updates, which the role cannot make, and open nothing.",
    actions: `backup:DescribeFramework config:GetComplianceDetailsByConfigRule config:GetComplianceDetailsByResource
      elasticfilesystem:DescribeFileSystems ec2:DescribeScheduledInstanceAvailability glue:GetTable glue:GetTables
      glue:GetTableVersion glue:GetTableVersions inspector2:ListConnectors inspector2:ListConnectorScanConfigurations
      kafka:DescribeReplicator logs:DescribeLogStreams network-firewall:DescribeContainerAssociation
      network-firewall:DescribeFirewall network-firewall:DescribeFirewallPolicy network-firewall:DescribeFlowOperation
      network-firewall:DescribeProxy network-firewall:DescribeRuleGroup
      network-firewall:DescribeTLSInspectionConfiguration network-firewall:ListFlowOperationResults pipes:ListPipes
      wafv2:GetIPSet wafv2:GetManagedRuleSet wafv2:GetRegexPatternSet wafv2:GetRuleGroup wafv2:GetWebACL
      wafv2:GetWebACLForResource wafv2:ListIPSets wafv2:ListManagedRuleSets wafv2:ListRegexPatternSets
      wafv2:ListRuleGroups wafv2:ListWebACLs`,
  },
  {
    reason: "Block tokens, which only ebs:GetSnapshotBlock accepts. That action is denied.",
    actions: "ebs:ListChangedBlocks ebs:ListSnapshotBlocks",
  },
  {
    reason: "Public certificates, public keys, and names or ARNs of credentials, without the private half.",
    actions: `acm:GetCertificate codedeploy:ListGitHubAccountTokenNames datasync:DescribeLocationObjectStorage
      ec2:DescribeClientVpnEndpoints ec2:DescribeInstanceSqlHaHistoryStates ec2:DescribeInstanceSqlHaStates
      ec2:GetAssociatedEnclaveCertificateIamRoles ec2:GetInstanceTpmEkPub iam:GetServerCertificate
      iam:ListSigningCertificates kafka:DescribeCluster kafka:DescribeClusterOperation
      kafka:DescribeClusterOperationV2 kafka:DescribeClusterV2 kafka:ListClusterOperations kafka:ListClusters
      kafka:ListClustersV2 kafka:ListScramSecrets kms:DescribeCustomKeyStores
      redshift:DescribeHsmClientCertificates secretsmanager:ListSecrets`,
  },
  {
    reason: "The API model has a member for a password, secret or seed. AWS never returns its value in this response.",
    actions: `elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeRules fsx:DescribeBackups
      fsx:DescribeFileSystems fsx:DescribeSnapshots fsx:DescribeStorageVirtualMachines fsx:DescribeVolumes
      iam:ListVirtualMFADevices rds:DescribeDBInstances rds:DescribeOptionGroups rds:DescribeTenantDatabases
      redshift:DescribeClusters`,
  },
  {
    reason: "Values made to be public: DNS verification tokens, keys for browsers and registration tokens of types.",
    actions: `cloudformation:ListTypeRegistrations ec2:DescribeIpamExternalResourceVerificationTokens
      wafv2:ListAPIKeys`,
  },
  {
    reason: "Names, e-mail addresses and notes about accounts: they tell which account and team a resource belongs to.",
    actions: `account:GetAccountInformation acm:DescribeAcmeAccount acm:ListAcmeAccounts billing:GetBillingView
      billing:ListBillingViews budgets:DescribeBudgetAction budgets:DescribeBudgetActionHistories
      budgets:DescribeBudgetActionsForAccount budgets:DescribeBudgetActionsForBudget guardduty:GetMembers
      guardduty:ListMembers organizations:DescribeAccount organizations:DescribeCreateAccountStatus
      organizations:DescribeHandshake organizations:DescribeOrganization
      organizations:DescribeResponsibilityTransfer organizations:ListAccounts organizations:ListAccountsForParent
      organizations:ListAccountsWithInvalidEffectivePolicy organizations:ListCreateAccountStatus
      organizations:ListDelegatedAdministrators organizations:ListHandshakesForAccount
      organizations:ListHandshakesForOrganization organizations:ListInboundResponsibilityTransfers
      organizations:ListOutboundResponsibilityTransfers sns:ListOriginationNumbers
      trustedadvisor:GetOrganizationRecommendation trustedadvisor:GetRecommendation
      trustedadvisor:ListOrganizationRecommendationAccounts redshift-serverless:GetNamespace
      redshift-serverless:ListNamespaces`,
  },
  {
    reason: "Addresses, sites, tags, descriptions and filters of resources: what an inventory consists of.",
    actions: `backup:DescribeBackupAccessPoint backup:GetBackupPlan backup:GetBackupPlanFromJSON
      backup:GetBackupPlanFromTemplate backup:GetRestoreTestingSelection backup:ListBackupAccessPoints
      backup:ListBackupAccessPointsByRecoveryPoint backup:ListBackupAccessPointsByResource backup:ListTags
      dms:DescribeDataMigrations guardduty:GetFindings networkmanager:GetDevices networkmanager:GetNetworkResources
      networkmanager:GetRouteAnalysis networkmanager:GetSites pipes:ListTagsForResource resource-explorer-2:BatchGetView
      resource-explorer-2:GetIndex resource-explorer-2:GetManagedView resource-explorer-2:GetResourceExplorerSetup
      resource-explorer-2:GetServiceView resource-explorer-2:GetView resource-explorer-2:ListTagsForResource
      ssm:DescribeInstanceAssociationsStatus ssm:DescribeInstanceInformation ssm:DescribeInstancePatchStates
      ssm:DescribeInstancePatchStatesForPatchGroup ssm:DescribeInstanceProperties ssm:DescribeMaintenanceWindowTargets
      ssm:DescribeMaintenanceWindows ssm:DescribeSessions ssm:GetMaintenanceWindow ssm:ListNodes
      states:DescribeStateMachineAlias`,
  },
  {
    reason: "References to environments, templates and definitions by name, without their content.",
    actions: `application-signals:GetInstrumentationConfiguration
      application-signals:GetInstrumentationConfigurationStatus application-signals:ListInstrumentationConfigurations
      backup:DescribeReportJob backup:DescribeReportPlan backup:ListReportJobs backup:ListReportPlans
      batch:DescribeJobQueues batch:ListJobs ecs:DescribeServiceRevisions ecs:DescribeServices ecs:DescribeTaskSets
      elasticbeanstalk:DescribeApplications elasticbeanstalk:DescribeEnvironments es:DescribeDomainHealth
      kafka:DescribeChannel kinesis:DescribeChannel oam:GetLink`,
  },
  {
    reason: "Policies and rules: text about who can do what, or what a rule evaluates.",
    actions: `access-analyzer:GetAccessPreview appconfig:GetConfigurationProfile cloudwatch:DescribeInsightRules
      cloudwatch:GetView config:DescribeConfigRules config:GetCustomRulePolicy config:GetOrganizationCustomRulePolicy
      ecr:GetLifecyclePolicy ecr:GetLifecyclePolicyPreview ecr:GetRegistryPolicy ecr:GetRepositoryPolicy
      iam:GetRoleTemplateVersion ssm:DescribeParameters`,
  },
  {
    reason:
      "Stack outputs, task overrides and arguments of one run: why a stack, task, job or command failed is nowhere else.",
    actions:
      "cloudformation:DescribeStacks ecs:DescribeTasks glue:GetJobRun glue:GetJobRuns s3:DescribeJob ssm:ListCommands",
  },
  {
    reason: "Custom headers and parameters of targets: without the target no delivery failure can be explained.",
    actions: `cloudfront:GetDistribution cloudfront:GetDistributionConfig cloudfront:ListDistributions
      cloudfront:ListDistributionsByAnycastIpListId cloudfront:ListDistributionsByConnectionFunction
      cloudfront:ListDistributionsByConnectionMode cloudfront:ListDistributionsByRealtimeLogConfig
      cloudfront:ListDistributionsByTrustStore cloudfront:ListDistributionsByWebACLId events:DescribeEventSource
      events:DescribeSubscriber events:ListTargetsByRule firehose:DescribeDeliveryStream pipes:DescribePipe
      rds:DescribeDBProxyTargetGroups`,
  },
  {
    reason: "The definition of a state machine: without it no failed execution can be explained. Inputs are denied.",
    actions: "states:DescribeStateMachine states:DescribeStateMachineForExecution",
  },
  {
    reason: "Database logs, log patterns and performance analysis: what an investigation reads.",
    actions: `logs:ListAnomalies pi:GetPerformanceAnalysisReport pi:ListPerformanceAnalysisReportRecommendations
      rds:DownloadDBLogFilePortion`,
  },
];

import { actionList } from "./actionList.js";

/**
 * The default permission policy, grouped by the subject of an investigation. Every pattern must match at least one
 * action and only actions that read (verified by test/policies/catalogue.test.ts). Patterns can match actions that
 * return credentials, secrets or customer data. sensitiveReads.ts denies these, so that one setting controls them.
 *
 * Intentionally omitted, although the legacy policy allows them: services that AWS has retired (Evidently, WAF Classic,
 * the billing console's `aws-portal`), live tails (`logs:StartLiveTail` opens a session that no MCP call can read),
 * drift detection and cost estimates (`cloudformation:Detect*` and `Estimate*` start operations), `redshift:View*` (can
 * cancel queries), `states:GetActivityTask` (takes a task from a worker), `eks:AccessKubernetesApi` (cluster view of
 * the console; Holmes reads it from Kubernetes) and objects through S3 Object Lambda.
 */
export interface ServiceGroup {
  /** Key in config: `iam.disabledPolicyGroups`. */
  id: string;
  /** Sid of the group's statement: letters and digits. */
  sid: string;
  /** What the group shows in an investigation, in one sentence. */
  description: string;
  /** Action patterns, allowed on all resources. */
  actions: readonly string[];
}

export const groups: readonly ServiceGroup[] = [
  {
    id: "observability",
    sid: "Observability",
    description: "Metrics, alarms, log events, traces, canaries, service levels and AWS's own health events.",
    actions: actionList(`
      cloudwatch BatchGet* Describe* Get* List*
      logs Describe* FilterLogEvents Get* List* StartQuery StopQuery TestMetricFilter
      xray BatchGet* Get* List*
      application-signals BatchGet* Get* List*
      synthetics Describe* Get* List*
      rum BatchGet* Get* List*
      internetmonitor Get* List*
      networkflowmonitor Get* List*
      oam Get* List*
      observabilityadmin Get* List*
      aps Describe* Get* List* QueryMetrics
      health Describe*
    `),
  },
  {
    id: "compute",
    sid: "ComputeAndVpc",
    description:
      "EC2 instances, volumes and images, the VPC with its routes and security groups, scaling and batch jobs.",
    actions: actionList(`
      ec2 Describe* Get* List* Search*
      autoscaling Describe* Get*
      application-autoscaling Describe* Get* List*
      batch Describe* Get* List*
      elasticbeanstalk Describe* List*
      apprunner Describe* List*
    `),
  },
  {
    id: "containers",
    sid: "Containers",
    description:
      "EKS clusters, node groups and add-ons, ECS services and tasks, image repositories and scans, Cloud Map.",
    actions: actionList(`
      eks Describe* List*
      ecs Describe* Get* List*
      ecr BatchCheckLayerAvailability BatchGet* Describe* Get* List*
      servicediscovery DiscoverInstances* Get* List*
    `),
  },
  {
    id: "network",
    sid: "NetworkAndEdge",
    description:
      "Load balancers with target health, DNS, CDN, firewalls, certificates, Direct Connect and transit networks.",
    actions: actionList(`
      elasticloadbalancing Describe*
      vpc-lattice Get* List*
      route53 Get* List* TestDNSAnswer
      route53domains ListDomains
      route53resolver Get* List*
      arc-zonal-shift Get* List*
      cloudfront Describe* Get* List*
      globalaccelerator Describe* List*
      directconnect Describe*
      networkmanager Describe* Get* List*
      network-firewall Describe* List*
      wafv2 Describe* Get* List*
      shield Describe* Get* List*
      acm Describe* Get* List*
    `),
  },
  {
    id: "storage",
    sid: "StorageMetadata",
    description: "Buckets with their policies and settings, file systems, snapshots, backups and transfers.",
    actions: actionList(`
      s3 Describe* Get* List*
      ebs Get* List*
      elasticfilesystem Describe* List*
      fsx Describe* List*
      backup Describe* Get* List*
      datasync Describe* List*
      dlm Get* List*
    `),
  },
  {
    id: "databases",
    sid: "Databases",
    description:
      "RDS and Aurora (DocumentDB and Neptune too) with their logs and Performance Insights, DynamoDB, caches, search and warehouses; no rows.",
    actions: actionList(`
      rds Describe* DownloadDBLogFilePortion ListTagsForResource
      pi Describe* Get* List*
      dynamodb Describe* GetResourcePolicy List*
      dax Describe* ListTags
      elasticache Describe* List*
      memorydb Describe* List*
      redshift Describe* List*
      redshift-serverless GetNamespace GetWorkgroup List*
      docdb-elastic Get* List*
      neptune-graph Get* List*
      es Describe* Get* List*
      aoss BatchGet* List*
      dsql Get* List*
      dms Describe*
    `),
  },
  {
    id: "analytics",
    sid: "Analytics",
    description:
      "Glue jobs, crawlers and the data catalogue, Athena queries, EMR clusters and Firehose streams; no results.",
    actions: actionList(`
      glue GetCatalog* GetConnection* GetCrawler* GetDatabase* GetJob* GetTable* GetTrigger* GetWorkflow* ListCrawl*
      glue ListWorkflows
      athena BatchGetQueryExecution GetDatabase GetDataCatalog GetQuery* GetTableMetadata GetWorkGroup List*
      elasticmapreduce Describe* GetManagedScalingPolicy List*
      emr-containers Describe* List*
      emr-serverless GetApplication GetJobRun List*
      firehose Describe* List*
    `),
  },
  {
    id: "integration",
    sid: "ServerlessAndMessaging",
    description:
      "Lambda event sources, aliases and concurrency, Step Functions, API Gateway, queues, topics, streams, brokers and event buses; no messages.",
    actions: actionList(`
      lambda Get* List*
      states Describe* GetExecutionHistory List*
      apigateway GET
      sns Get* List*
      sqs Get* List*
      kinesis Describe* Get* List*
      kafka Describe* Get* List*
      kafkaconnect List*
      mq Describe* List*
      events Describe* List* TestEventPattern
      scheduler Get* List*
      pipes Describe* List*
    `),
  },
  {
    id: "delivery",
    sid: "DeliveryAndConfiguration",
    description:
      "CloudFormation stacks and their events, pipelines, deployments and lists of builds, Systems Manager, AppConfig and the metadata of secrets.",
    actions: actionList(`
      cloudformation Describe* Get* List*
      codebuild BatchGet* Describe* List*
      codedeploy BatchGet* Get* List*
      codepipeline GetPipeline* ListActionExecutions ListPipeline* ListRuleExecutions ListTagsForResource
      ssm Describe* Get* List*
      appconfig Get* List*
      secretsmanager DescribeSecret GetResourcePolicy List*
    `),
  },
  {
    id: "identity",
    sid: "IdentityAndAccess",
    description:
      "IAM identities and policies with simulation and last use, access analysis, key and organization policies, shares.",
    actions: actionList(`
      iam GenerateCredentialReport GenerateServiceLastAccessedDetails Get* List* Simulate*
      sts DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity
      access-analyzer Check* Get* List* ValidatePolicy
      kms Describe* Get* List*
      organizations Describe* List*
      ram Get* List*
    `),
  },
  {
    id: "security",
    sid: "AuditAndSecurity",
    description:
      "Who changed what (CloudTrail), compliance and inventory (Config), and the findings of GuardDuty, Security Hub and Inspector.",
    actions: actionList(`
      cloudtrail Describe* Get* List* LookupEvents
      config BatchGet* Describe* Get* List* Select*
      guardduty Describe* Get* List*
      securityhub BatchGet* Describe* Get* List*
      inspector2 BatchGet* Describe* Get* List*
    `),
  },
  {
    id: "cost",
    sid: "CostAndBilling",
    description: "Cost and usage, budgets, prices, savings plans and what AWS recommends to save.",
    actions: actionList(`
      ce Describe* Get* List*
      cur Describe* List*
      budgets Describe* List* ViewBudget
      pricing Describe* Get* List*
      billing GetBilling* GetCredit* List*
      savingsplans Describe* List*
      compute-optimizer Describe* Get*
      cost-optimization-hub Get* List*
    `),
  },
  {
    id: "inventory",
    sid: "InventoryAndSupport",
    description:
      "Which resources exist, by tag and type, the account's quotas and regions, support cases and Trusted Advisor.",
    actions: actionList(`
      tag Describe* Get* List*
      resource-explorer-2 BatchGetView Get* List* Search
      resource-groups Get* List* SearchResources
      servicequotas Get* List*
      account GetAccountInformation GetRegionOptStatus ListRegions
      support Describe* GetInteraction ListInteraction*
      trustedadvisor Describe* Get* List*
    `),
  },
];

/**
 * Groups that are off by default. They contain exact reads of metadata, because most wildcards of these services match
 * reads of data. `iam.additionalPolicyGroups` adds them. The permissions then exceed one inline policy and become
 * managed policies.
 */
export const optionalGroups: readonly ServiceGroup[] = [
  {
    id: "ses",
    sid: "Ses",
    description: "Identities, configuration sets, sending status and reputation; no messages, templates or recipients.",
    actions: actionList(`
      ses BatchGetMetricData DescribeActiveReceiptRuleSet DescribeConfigurationSet DescribeReceiptRule*
      ses GetAccount* GetBlacklistReports GetConfigurationSet* GetDedicatedIp* GetDeliverabilityDashboardOptions
      ses GetEmailIdentity GetIdentity* GetMultiRegionEndpoint GetReputationEntity GetSend* GetTenant
      ses ListConfigurationSets ListDedicatedIpPools ListEmailIdentities ListIdent* ListMultiRegionEndpoints
      ses ListReceipt* ListRecommendations ListReputationEntities ListTagsForResource ListTenants
    `),
  },
  {
    id: "sagemaker",
    sid: "SageMaker",
    description:
      "Endpoints, clusters, notebooks, domains and the status of jobs; no environment variables, code or records.",
    actions: actionList(`
      sagemaker DescribeApp DescribeCluster DescribeClusterEvent DescribeClusterNode DescribeDomain DescribeEndpoint*
      sagemaker DescribeFeatureGroup DescribeInferenceExperiment DescribeModelPackageGroup DescribeNotebookInstance
      sagemaker DescribePipelineExecution DescribeSpace DescribeUserProfile
      sagemaker ListApps ListAutoMLJobs ListClusterEvents ListClusterNodes ListClusters ListCompilationJobs ListDomains
      sagemaker ListEndpoint* ListFeatureGroups ListHyperParameterTuningJobs ListInferenceComponents
      sagemaker ListInferenceExperiments ListLabelingJobs ListModelPackage* ListModels ListMonitoringAlert*
      sagemaker ListMonitoringExecutions ListMonitoringSchedules ListNotebookInstances ListPipelineExecutions
      sagemaker ListPipelines ListProcessingJobs ListSpaces ListTags ListTrainingJobs* ListTransformJobs ListUserProfiles
    `),
  },
  {
    id: "cognito",
    sid: "Cognito",
    description:
      "User pools, their domains, groups and limits, and identity pools; no users, client secrets or providers' settings.",
    actions: actionList(`
      cognito-idp DescribeResourceServer DescribeUserPool DescribeUserPoolDomain GetGroup GetLogDeliveryConfiguration
      cognito-idp GetUserPoolMfaConfig ListGroups ListIdentityProviders ListResourceServers ListTagsForResource
      cognito-idp ListUserPoolClients ListUserPools
      cognito-identity DescribeIdentityPool ListIdentityPools ListTagsForResource
    `),
  },
  {
    id: "appsync",
    sid: "AppSync",
    description:
      "APIs, data sources, domains and caches; no API keys, environment variables, schemas or resolver code.",
    actions: actionList(`
      appsync GetApi GetApiAssociation GetApiCache GetDataSource GetDomainName GetGraphqlApi GetSchemaCreationStatus
      appsync GetSourceApiAssociation ListApis ListDataSources ListDomainNames ListGraphqlApis
      appsync ListSourceApiAssociations ListTagsForResource
    `),
  },
  {
    id: "identitycenter",
    sid: "IdentityCenter",
    description: "Permission sets, their assignments, applications and groups; no users.",
    actions: actionList(`
      sso DescribeAccountAssignment* DescribeApplication DescribeApplicationAssignment DescribeInstance
      sso DescribePermissionSet* GetApplicationAssignmentConfiguration GetInlinePolicyForPermissionSet
      sso GetPermissionsBoundaryForPermissionSet ListAccountAssignment* ListAccountsForProvisionedPermissionSet
      sso ListApplicationAssignment* ListApplications ListCustomerManagedPolicyReferencesInPermissionSet
      sso ListInstances ListManagedPoliciesInPermissionSet ListPermissionSet* ListTagsForResource
      identitystore DescribeGroup DescribeGroupMembership GetGroupId GetGroupMembershipId ListGroup*
    `),
  },
  {
    id: "transfer",
    sid: "TransferFamily",
    description: "Servers, users' access, connectors and the status of transfers; no files and no step outputs.",
    actions: actionList(`
      transfer DescribeAccess DescribeAgreement DescribeConnector DescribeHostKey DescribeProfile
      transfer DescribeSecurityPolicy DescribeServer DescribeUser DescribeWebApp DescribeWorkflow ListAccesses
      transfer ListAgreements ListConnectors ListExecutions ListFileTransferResults ListHostKeys ListProfiles
      transfer ListSecurityPolicies ListServers ListTagsForResource ListUsers ListWebApps ListWorkflows
    `),
  },
];

/** Valid values of `iam.additionalPolicyGroups`. */
export const optionalGroupIds: readonly string[] = optionalGroups.map(({ id }) => id);

/**
 * Calls that AWS bills without an upper limit, by id in `iam.disabledPolicyGroups`: patterns of one group. Each can be
 * disabled alone, or with its group. docs/permissions.md describes what AWS bills.
 */
export const billedCalls: Readonly<Record<string, readonly string[]>> = {
  logsinsights: actionList("logs StartQuery"),
  prometheusqueries: actionList("aps QueryMetrics"),
  costexplorer: actionList("ce Describe* Get* List*"),
  policychecks: actionList("access-analyzer Check*"),
};

export const groupIds: readonly string[] = groups.map(({ id }) => id);

/** Valid values of `iam.disabledPolicyGroups`. */
export const disableableIds: readonly string[] = [...groupIds, ...Object.keys(billedCalls)];

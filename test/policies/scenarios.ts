/** Calls of Holmes in five kinds of investigation, and calls that must be denied. */

/** A call of the AWS CLI. */
export interface Call {
  /** Action that IAM checks. */
  action: string;
  /** Client and method of boto3, with parameters that pass its validation. */
  client: string;
  method: string;
  params?: Record<string, unknown>;
  /** ARN of the resource where the policy looks at it. */
  resource?: string;
}

const call = (action: string, client: string, method: string, params: Record<string, unknown> = {}): Call => ({
  action,
  client,
  method,
  params,
});

const loadBalancer = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/app/web/0123456789abcdef";
const targetGroup = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/web/0123456789abcdef";
const listener =
  "arn:aws:elasticloadbalancing:eu-west-1:111111111111:listener/app/web/0123456789abcdef/0123456789abcdef";
const roleArn = "arn:aws:iam::111111111111:role/application";
const span = { StartTime: 1_790_000_000, EndTime: 1_790_003_600 };
const period = { TimePeriod: { Start: "2026-10-01", End: "2026-11-01" } };

/** Calls that the default policy must allow, by scenario. */
export const investigations: Record<string, Call[]> = {
  "ELB failure": [
    call("elasticloadbalancing:DescribeLoadBalancers", "elbv2", "describe_load_balancers"),
    call("elasticloadbalancing:DescribeTargetGroups", "elbv2", "describe_target_groups"),
    call("elasticloadbalancing:DescribeTargetHealth", "elbv2", "describe_target_health", {
      TargetGroupArn: targetGroup,
    }),
    call("elasticloadbalancing:DescribeListeners", "elbv2", "describe_listeners", { LoadBalancerArn: loadBalancer }),
    call("elasticloadbalancing:DescribeRules", "elbv2", "describe_rules", { ListenerArn: listener }),
    call("elasticloadbalancing:DescribeLoadBalancerAttributes", "elbv2", "describe_load_balancer_attributes", {
      LoadBalancerArn: loadBalancer,
    }),
    call("elasticloadbalancing:DescribeTargetGroupAttributes", "elbv2", "describe_target_group_attributes", {
      TargetGroupArn: targetGroup,
    }),
    call("elasticloadbalancing:DescribeListenerCertificates", "elbv2", "describe_listener_certificates", {
      ListenerArn: listener,
    }),
    call("elasticloadbalancing:DescribeInstanceHealth", "elb", "describe_instance_health", { LoadBalancerName: "web" }),
    call("elasticloadbalancing:DescribeTags", "elbv2", "describe_tags", { ResourceArns: [loadBalancer] }),
    call("autoscaling:DescribeAutoScalingGroups", "autoscaling", "describe_auto_scaling_groups"),
    call("autoscaling:DescribeScalingActivities", "autoscaling", "describe_scaling_activities"),
    call("acm:DescribeCertificate", "acm", "describe_certificate", {
      CertificateArn: "arn:aws:acm:eu-west-1:111111111111:certificate/a",
    }),
    call("route53:ListResourceRecordSets", "route53", "list_resource_record_sets", {
      HostedZoneId: "Z0123456789ABCDEFGHIJ",
    }),
    call("wafv2:GetWebACLForResource", "wafv2", "get_web_acl_for_resource", { ResourceArn: loadBalancer }),
    call("cloudwatch:GetMetricData", "cloudwatch", "get_metric_data", { MetricDataQueries: [], ...span }),
    call("health:DescribeEvents", "health", "describe_events"),
  ],
  "EC2 network": [
    call("ec2:DescribeInstances", "ec2", "describe_instances"),
    call("ec2:DescribeInstanceStatus", "ec2", "describe_instance_status"),
    call("ec2:DescribeVpcs", "ec2", "describe_vpcs"),
    call("ec2:DescribeSubnets", "ec2", "describe_subnets"),
    call("ec2:DescribeRouteTables", "ec2", "describe_route_tables"),
    call("ec2:DescribeSecurityGroups", "ec2", "describe_security_groups"),
    call("ec2:DescribeSecurityGroupRules", "ec2", "describe_security_group_rules"),
    call("ec2:DescribeNetworkAcls", "ec2", "describe_network_acls"),
    call("ec2:DescribeNetworkInterfaces", "ec2", "describe_network_interfaces"),
    call("ec2:DescribeNatGateways", "ec2", "describe_nat_gateways"),
    call("ec2:DescribeInternetGateways", "ec2", "describe_internet_gateways"),
    call("ec2:DescribeVpcEndpoints", "ec2", "describe_vpc_endpoints"),
    call("ec2:DescribeVpcPeeringConnections", "ec2", "describe_vpc_peering_connections"),
    call("ec2:DescribeTransitGateways", "ec2", "describe_transit_gateways"),
    call("ec2:SearchTransitGatewayRoutes", "ec2", "search_transit_gateway_routes", {
      TransitGatewayRouteTableId: "tgw-rtb-0123456789abcdef0",
      Filters: [{ Name: "state", Values: ["active"] }],
    }),
    call("ec2:GetManagedPrefixListEntries", "ec2", "get_managed_prefix_list_entries", {
      PrefixListId: "pl-0123456789abcdef0",
    }),
    call("ec2:DescribeFlowLogs", "ec2", "describe_flow_logs"),
    call("eks:DescribeNodegroup", "eks", "describe_nodegroup", { clusterName: "prod", nodegroupName: "workers" }),
    call("logs:StartQuery", "logs", "start_query", {
      logGroupName: "flow",
      startTime: 1,
      endTime: 2,
      queryString: "fields @message",
    }),
    call("logs:GetQueryResults", "logs", "get_query_results", { queryId: "0" }),
    call("cloudtrail:LookupEvents", "cloudtrail", "lookup_events"),
  ],
  "RDS performance": [
    call("rds:DescribeDBInstances", "rds", "describe_db_instances"),
    call("rds:DescribeDBClusters", "rds", "describe_db_clusters"),
    call("rds:DescribeEvents", "rds", "describe_events"),
    call("rds:DescribeDBParameters", "rds", "describe_db_parameters", { DBParameterGroupName: "default" }),
    call("rds:DescribeDBParameterGroups", "rds", "describe_db_parameter_groups"),
    call("rds:DescribeDBLogFiles", "rds", "describe_db_log_files", { DBInstanceIdentifier: "orders" }),
    call("rds:DownloadDBLogFilePortion", "rds", "download_db_log_file_portion", {
      DBInstanceIdentifier: "orders",
      LogFileName: "error.log",
    }),
    call("rds:DescribeDBSubnetGroups", "rds", "describe_db_subnet_groups"),
    call("rds:DescribePendingMaintenanceActions", "rds", "describe_pending_maintenance_actions"),
    call("rds:DescribeDBProxies", "rds", "describe_db_proxies"),
    call("pi:GetResourceMetrics", "pi", "get_resource_metrics", {
      ServiceType: "RDS",
      Identifier: "db-A",
      MetricQueries: [{ Metric: "db.load.avg" }],
      ...span,
    }),
    call("pi:DescribeDimensionKeys", "pi", "describe_dimension_keys", {
      ServiceType: "RDS",
      Identifier: "db-A",
      Metric: "db.load.avg",
      GroupBy: { Group: "db.sql" },
      ...span,
    }),
    call("cloudwatch:GetMetricStatistics", "cloudwatch", "get_metric_statistics", {
      Namespace: "AWS/RDS",
      MetricName: "CPUUtilization",
      Period: 60,
      ...span,
    }),
    call("cloudwatch:DescribeAlarms", "cloudwatch", "describe_alarms"),
    call("logs:FilterLogEvents", "logs", "filter_log_events", { logGroupName: "/aws/rds/instance/orders/slowquery" }),
    call("logs:GetLogEvents", "logs", "get_log_events", {
      logGroupName: "/aws/rds/instance/orders/error",
      logStreamName: "orders",
    }),
    call("dynamodb:DescribeTable", "dynamodb", "describe_table", { TableName: "orders" }),
    call("elasticache:DescribeCacheClusters", "elasticache", "describe_cache_clusters"),
  ],
  "IAM permission debugging": [
    call("sts:GetCallerIdentity", "sts", "get_caller_identity"),
    call("sts:DecodeAuthorizationMessage", "sts", "decode_authorization_message", { EncodedMessage: "x" }),
    call("iam:GetRole", "iam", "get_role", { RoleName: "application" }),
    call("iam:ListRoles", "iam", "list_roles"),
    call("iam:ListRolePolicies", "iam", "list_role_policies", { RoleName: "application" }),
    call("iam:GetRolePolicy", "iam", "get_role_policy", { RoleName: "application", PolicyName: "p" }),
    call("iam:ListAttachedRolePolicies", "iam", "list_attached_role_policies", { RoleName: "application" }),
    call("iam:GetPolicy", "iam", "get_policy", { PolicyArn: "arn:aws:iam::111111111111:policy/p" }),
    call("iam:GetPolicyVersion", "iam", "get_policy_version", {
      PolicyArn: "arn:aws:iam::111111111111:policy/p",
      VersionId: "v1",
    }),
    call("iam:SimulatePrincipalPolicy", "iam", "simulate_principal_policy", {
      PolicySourceArn: roleArn,
      ActionNames: ["s3:GetObject"],
    }),
    call("iam:GetOpenIDConnectProvider", "iam", "get_open_id_connect_provider", {
      OpenIDConnectProviderArn: "arn:aws:iam::111111111111:oidc-provider/a.example.com",
    }),
    call("iam:GenerateServiceLastAccessedDetails", "iam", "generate_service_last_accessed_details", { Arn: roleArn }),
    call("iam:GenerateCredentialReport", "iam", "generate_credential_report"),
    call("access-analyzer:ListAnalyzers", "accessanalyzer", "list_analyzers"),
    call("access-analyzer:ListFindings", "accessanalyzer", "list_findings", {
      analyzerArn: "arn:aws:access-analyzer:eu-west-1:111111111111:analyzer/a",
    }),
    call("kms:GetKeyPolicy", "kms", "get_key_policy", { KeyId: "alias/orders" }),
    call("s3:GetBucketPolicy", "s3", "get_bucket_policy", { Bucket: "orders" }),
    call("secretsmanager:DescribeSecret", "secretsmanager", "describe_secret", { SecretId: "orders" }),
    call("organizations:ListPolicies", "organizations", "list_policies", { Filter: "SERVICE_CONTROL_POLICY" }),
    call("ssm:DescribeParameters", "ssm", "describe_parameters"),
  ],
  "cost analysis": [
    call("ce:GetCostAndUsage", "ce", "get_cost_and_usage", {
      ...period,
      Granularity: "DAILY",
      Metrics: ["UnblendedCost"],
    }),
    call("ce:GetCostForecast", "ce", "get_cost_forecast", {
      ...period,
      Granularity: "MONTHLY",
      Metric: "UNBLENDED_COST",
    }),
    call("ce:GetDimensionValues", "ce", "get_dimension_values", { ...period, Dimension: "SERVICE" }),
    call("ce:GetAnomalies", "ce", "get_anomalies", { DateInterval: { StartDate: "2026-10-01" } }),
    call("ce:GetSavingsPlansUtilization", "ce", "get_savings_plans_utilization", period),
    call("budgets:ViewBudget", "budgets", "describe_budgets", { AccountId: "111111111111" }),
    call("cur:DescribeReportDefinitions", "cur", "describe_report_definitions"),
    call("pricing:GetProducts", "pricing", "get_products", { ServiceCode: "AmazonEC2" }),
    call("savingsplans:DescribeSavingsPlans", "savingsplans", "describe_savings_plans"),
    call("compute-optimizer:GetEC2InstanceRecommendations", "compute-optimizer", "get_ec2_instance_recommendations"),
    call("cost-optimization-hub:ListRecommendations", "cost-optimization-hub", "list_recommendations"),
    call("ec2:DescribeVolumes", "ec2", "describe_volumes"),
    call("ec2:DescribeSnapshots", "ec2", "describe_snapshots"),
    call("ec2:DescribeReservedInstances", "ec2", "describe_reserved_instances"),
    call("s3:ListAllMyBuckets", "s3", "list_buckets"),
    call("tag:GetResources", "resourcegroupstaggingapi", "get_resources"),
    call("servicequotas:ListServiceQuotas", "service-quotas", "list_service_quotas", { ServiceCode: "ec2" }),
    call("organizations:ListAccounts", "organizations", "list_accounts"),
  ],
};

const trust = JSON.stringify({ Version: "2012-10-17", Statement: [] });

/** Calls that the default policy must deny: writes, and reads of credentials, secrets and data. */
export const refusals: Record<string, Call[]> = {
  "compute and network": [
    call("ec2:RunInstances", "ec2", "run_instances", { MinCount: 1, MaxCount: 1 }),
    call("ec2:TerminateInstances", "ec2", "terminate_instances", { InstanceIds: ["i-0123456789abcdef0"] }),
    call("ec2:StopInstances", "ec2", "stop_instances", { InstanceIds: ["i-0123456789abcdef0"] }),
    call("ec2:AuthorizeSecurityGroupIngress", "ec2", "authorize_security_group_ingress", {
      GroupId: "sg-0123456789abcdef0",
    }),
    call("ec2:RevokeSecurityGroupEgress", "ec2", "revoke_security_group_egress", { GroupId: "sg-0123456789abcdef0" }),
    call("ec2:CreateRoute", "ec2", "create_route", { RouteTableId: "rtb-0123456789abcdef0" }),
    call("ec2:DeleteVolume", "ec2", "delete_volume", { VolumeId: "vol-0123456789abcdef0" }),
    call("ec2:ModifyInstanceAttribute", "ec2", "modify_instance_attribute", { InstanceId: "i-0123456789abcdef0" }),
    call("ec2:CreateTags", "ec2", "create_tags", {
      Resources: ["i-0123456789abcdef0"],
      Tags: [{ Key: "a", Value: "b" }],
    }),
    call("elasticloadbalancing:DeleteLoadBalancer", "elbv2", "delete_load_balancer", { LoadBalancerArn: loadBalancer }),
    call("elasticloadbalancing:DeregisterTargets", "elbv2", "deregister_targets", {
      TargetGroupArn: targetGroup,
      Targets: [{ Id: "i-1" }],
    }),
    call("autoscaling:SetDesiredCapacity", "autoscaling", "set_desired_capacity", {
      AutoScalingGroupName: "a",
      DesiredCapacity: 0,
    }),
    call("route53:ChangeResourceRecordSets", "route53", "change_resource_record_sets", {
      HostedZoneId: "Z0123456789ABCDEFGHIJ",
      ChangeBatch: { Changes: [{ Action: "DELETE", ResourceRecordSet: { Name: "a", Type: "A" } }] },
    }),
    call("eks:DeleteNodegroup", "eks", "delete_nodegroup", { clusterName: "prod", nodegroupName: "workers" }),
    call("ecs:UpdateService", "ecs", "update_service", { service: "web" }),
    call("ecs:RunTask", "ecs", "run_task", { taskDefinition: "web" }),
    call("lambda:InvokeFunction", "lambda", "invoke", { FunctionName: "f" }),
    call("ssm:SendCommand", "ssm", "send_command", { DocumentName: "AWS-RunShellScript" }),
    call("ssm:StartSession", "ssm", "start_session", { Target: "i-0123456789abcdef0" }),
    call("ssm:PutParameter", "ssm", "put_parameter", { Name: "a", Value: "b" }),
  ],
  "identity and keys": [
    call("iam:CreateUser", "iam", "create_user", { UserName: "u" }),
    call("iam:CreateAccessKey", "iam", "create_access_key", { UserName: "u" }),
    call("iam:CreateRole", "iam", "create_role", { RoleName: "r", AssumeRolePolicyDocument: trust }),
    call("iam:AttachRolePolicy", "iam", "attach_role_policy", {
      RoleName: "application",
      PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess",
    }),
    call("iam:PutRolePolicy", "iam", "put_role_policy", {
      RoleName: "application",
      PolicyName: "p",
      PolicyDocument: trust,
    }),
    call("iam:UpdateAssumeRolePolicy", "iam", "update_assume_role_policy", {
      RoleName: "application",
      PolicyDocument: trust,
    }),
    call("iam:DeleteRole", "iam", "delete_role", { RoleName: "application" }),
    call("iam:CreateLoginProfile", "iam", "create_login_profile", { UserName: "u", Password: "p" }),
    call("sts:AssumeRole", "sts", "assume_role", { RoleArn: roleArn, RoleSessionName: "s" }),
    call("sts:GetFederationToken", "sts", "get_federation_token", { Name: "nn" }),
    call("kms:Decrypt", "kms", "decrypt", { CiphertextBlob: "x" }),
    call("kms:ScheduleKeyDeletion", "kms", "schedule_key_deletion", { KeyId: "alias/orders" }),
    call("kms:CreateGrant", "kms", "create_grant", {
      KeyId: "alias/orders",
      GranteePrincipal: roleArn,
      Operations: ["Decrypt"],
    }),
    call("organizations:LeaveOrganization", "organizations", "leave_organization"),
    call("cloudtrail:StopLogging", "cloudtrail", "stop_logging", { Name: "trail" }),
    call("cloudtrail:DeleteTrail", "cloudtrail", "delete_trail", { Name: "trail" }),
    call("secretsmanager:PutSecretValue", "secretsmanager", "put_secret_value", {
      SecretId: "orders",
      SecretString: "x",
    }),
  ],
  "data and configuration": [
    call("s3:PutObject", "s3", "put_object", { Bucket: "orders", Key: "k" }),
    call("s3:DeleteObject", "s3", "delete_object", { Bucket: "orders", Key: "k" }),
    call("s3:PutBucketPolicy", "s3", "put_bucket_policy", { Bucket: "orders", Policy: trust }),
    call("rds:DeleteDBInstance", "rds", "delete_db_instance", { DBInstanceIdentifier: "orders" }),
    call("rds:RebootDBInstance", "rds", "reboot_db_instance", { DBInstanceIdentifier: "orders" }),
    call("rds:ModifyDBInstance", "rds", "modify_db_instance", { DBInstanceIdentifier: "orders" }),
    call("rds:CreateDBSnapshot", "rds", "create_db_snapshot", {
      DBInstanceIdentifier: "orders",
      DBSnapshotIdentifier: "s",
    }),
    call("dynamodb:PutItem", "dynamodb", "put_item", { TableName: "orders", Item: { id: { S: "1" } } }),
    call("dynamodb:DeleteTable", "dynamodb", "delete_table", { TableName: "orders" }),
    call("sqs:DeleteMessage", "sqs", "delete_message", {
      QueueUrl: "https://sqs.eu-west-1.amazonaws.com/111111111111/q",
      ReceiptHandle: "r",
    }),
    call("sqs:PurgeQueue", "sqs", "purge_queue", { QueueUrl: "https://sqs.eu-west-1.amazonaws.com/111111111111/q" }),
    call("sns:Publish", "sns", "publish", { TopicArn: "arn:aws:sns:eu-west-1:111111111111:t", Message: "m" }),
    call("logs:DeleteLogGroup", "logs", "delete_log_group", { logGroupName: "g" }),
    call("logs:PutRetentionPolicy", "logs", "put_retention_policy", { logGroupName: "g", retentionInDays: 1 }),
    call("cloudwatch:DeleteAlarms", "cloudwatch", "delete_alarms", { AlarmNames: ["a"] }),
    call("cloudformation:DeleteStack", "cloudformation", "delete_stack", { StackName: "s" }),
    call("budgets:ModifyBudget", "budgets", "delete_budget", { AccountId: "111111111111", BudgetName: "b" }),
    call("states:StartExecution", "stepfunctions", "start_execution", {
      stateMachineArn: "arn:aws:states:eu-west-1:111111111111:stateMachine:s",
    }),
  ],
  "credentials, secrets and customers' data": [
    call("secretsmanager:GetSecretValue", "secretsmanager", "get_secret_value", { SecretId: "orders" }),
    call("secretsmanager:BatchGetSecretValue", "secretsmanager", "batch_get_secret_value", {
      SecretIdList: ["orders"],
    }),
    call("ssm:GetParameter", "ssm", "get_parameter", { Name: "/orders/password", WithDecryption: true }),
    call("ssm:GetParameters", "ssm", "get_parameters", { Names: ["/orders/password"] }),
    call("ssm:GetParametersByPath", "ssm", "get_parameters_by_path", { Path: "/orders" }),
    call("ssm:GetCommandInvocation", "ssm", "get_command_invocation", {
      CommandId: "0".repeat(36),
      InstanceId: "i-0123456789abcdef0",
    }),
    call("s3:GetObject", "s3", "get_object", { Bucket: "orders", Key: "k" }),
    call("dynamodb:GetItem", "dynamodb", "get_item", { TableName: "orders", Key: { id: { S: "1" } } }),
    call("dynamodb:Query", "dynamodb", "query", { TableName: "orders", KeyConditionExpression: "id = :i" }),
    call("dynamodb:Scan", "dynamodb", "scan", { TableName: "orders" }),
    call("kinesis:GetRecords", "kinesis", "get_records", { ShardIterator: "s" }),
    call("sqs:ReceiveMessage", "sqs", "receive_message", {
      QueueUrl: "https://sqs.eu-west-1.amazonaws.com/111111111111/q",
    }),
    call("lambda:GetFunction", "lambda", "get_function", { FunctionName: "f" }),
    call("lambda:ListFunctions", "lambda", "list_functions"),
    call("ec2:GetPasswordData", "ec2", "get_password_data", { InstanceId: "i-0123456789abcdef0" }),
    call("ec2:GetConsoleOutput", "ec2", "get_console_output", { InstanceId: "i-0123456789abcdef0" }),
    call("ec2:DescribeInstanceAttribute", "ec2", "describe_instance_attribute", {
      InstanceId: "i-0123456789abcdef0",
      Attribute: "userData",
    }),
    call("ec2:DescribeLaunchTemplateVersions", "ec2", "describe_launch_template_versions"),
    call("ec2:DescribeVpnConnections", "ec2", "describe_vpn_connections"),
    call("ecr:GetAuthorizationToken", "ecr", "get_authorization_token"),
    call("ecr:BatchGetImage", "ecr", "batch_get_image", { repositoryName: "r", imageIds: [{ imageTag: "t" }] }),
    call("ebs:GetSnapshotBlock", "ebs", "get_snapshot_block", {
      SnapshotId: "snap-0123456789abcdef0",
      BlockIndex: 0,
      BlockToken: "AAAA",
    }),
    call("ecs:DescribeTaskDefinition", "ecs", "describe_task_definition", { taskDefinition: "web" }),
    call("cloudformation:GetTemplate", "cloudformation", "get_template", { StackName: "s" }),
    call("athena:GetQueryResults", "athena", "get_query_results", { QueryExecutionId: "0" }),
    call("states:GetExecutionHistory", "stepfunctions", "get_execution_history", {
      executionArn: "arn:aws:states:eu-west-1:111111111111:execution:s:e",
    }),
    call("appconfig:GetLatestConfiguration", "appconfigdata", "get_latest_configuration", { ConfigurationToken: "t" }),
    call("wafv2:GetSampledRequests", "wafv2", "get_sampled_requests", {
      WebAclArn: "arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/a/b",
      RuleMetricName: "r",
      Scope: "REGIONAL",
      TimeWindow: span,
      MaxItems: 1,
    }),
    {
      ...call("apigateway:GET", "apigateway", "get_api_keys", { includeValues: true }),
      resource: "arn:aws:apigateway:eu-west-1::/apikeys",
    },
  ],
};

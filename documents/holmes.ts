/** HolmesGPT configuration: the `mcp_servers` entry, and the values of the two Helm charts. */
import { stringify } from "yaml";
import { endpoint, tokenSecrets } from "../config/names.js";
import { defaultProfileOf, type Profile } from "../config/profiles.js";
import { type Settings, usesLegacyImage } from "../config/settings.js";

/** YAML texts for one cluster. */
export interface HolmesConfig {
  /** For `~/.holmes/config.yaml`. Undefined if Holmes' chart runs the server. */
  readonly mcpServers: string | undefined;
  /** Values of the Holmes chart (`robusta/holmes`). */
  readonly helmValues: string;
  /** Values of the Robusta chart (`robusta/robusta`), which includes Holmes. */
  readonly robustaValues: string;
}

const yaml = (value: unknown) => stringify(value, { lineWidth: 0 });

/** Holmes' configuration for the server of one cluster, or for the chart's server if `mcp.enabled` is false. */
export function holmesConfig(settings: Settings, profiles: readonly Profile[]): HolmesConfig {
  const { mcp, holmes } = settings;
  const servers = { mcp_servers: mcp.enabled ? mcpServers(settings, profiles) : hostedServers(settings, profiles) };
  const values = mcp.enabled
    ? { ...servers, ...tokenEnvironment(mcp) }
    : { mcpAddons: { aws: addon(settings, profiles) } };
  return {
    mcpServers: mcp.enabled || holmes.hosted ? yaml(servers) : undefined,
    helmValues: yaml(values),
    robustaValues: yaml({ holmes: values }),
  };
}

/** Environment variable of Holmes that contains the bearer token. */
const tokenVariable = "HOLMES_AWS_MCP_TOKEN";

/** Values of Holmes' chart that read the token from the Secret in Holmes' namespace. */
function tokenEnvironment(mcp: Settings["mcp"]) {
  if (mcp.authentication.type === "none") return {};
  const secretKeyRef = { name: tokenSecrets(mcp.serviceName).holmes, key: "token" };
  return { additionalEnvVars: [{ name: tokenVariable, valueFrom: { secretKeyRef } }] };
}

function mcpServers(settings: Settings, profiles: readonly Profile[]) {
  return {
    [settings.holmes.serverName]: {
      description:
        "Read-only AWS APIs of several accounts: CloudWatch, CloudTrail, EC2, EKS, RDS, ELB, IAM, cost and more",
      config: {
        mode: settings.mcp.transport,
        url: endpoint(settings.mcp, settings.kubernetes.namespace),
        ...(settings.mcp.authentication.type === "bearer"
          ? { extra_headers: { Authorization: `Bearer {{ env.${tokenVariable} }}` } }
          : {}),
      },
      llm_instructions: instructions(settings, profiles),
    },
  };
}

/** Region of the hosted server's endpoint and of request signatures. The config rejects regions without an endpoint. */
const hostedRegion = ({ holmes }: Settings, { region }: Profile) => holmes.hostedRegion ?? region;

/** One entry per account for the Holmes CLI: the hosted server accepts one identity per connection. */
function hostedServers(settings: Settings, profiles: readonly Profile[]) {
  return Object.fromEntries(
    profiles.map((profile) => [
      `aws_${profile.name}`,
      {
        description: `${oneLine(profile.description) || `AWS account ${profile.name}`}: account ${profile.accountId}, default region ${profile.region}`,
        config: { mode: "aws", region: hostedRegion(settings, profile), profile: profile.name },
        llm_instructions: [
          `aws___run_script calls the AWS APIs of account ${profile.accountId}. Use region ${profile.region} unless the question names another one.`,
          "A call takes 10 to 20 seconds: combine the API calls of a question in one script, and return only the fields that you need.",
          notAllowed,
        ].join("\n"),
      },
    ]),
  );
}

/** `mcpAddons.aws` of Holmes' chart: a pod of the chart, or the hosted AWS MCP server. */
function addon(settings: Settings, profiles: readonly Profile[]) {
  const { holmes, kubernetes } = settings;
  const first = defaultProfileOf(settings, profiles);
  const region = holmes.hosted ? hostedRegion(settings, first) : first.region;
  return {
    enabled: true,
    ...(holmes.hosted
      ? { hosted: { enabled: true }, config: { region } }
      : { config: { region, readOnlyMode: true }, serviceAccount: { create: true, name: kubernetes.serviceAccount } }),
    multiAccount: {
      enabled: true,
      profiles: Object.fromEntries(
        profiles.map(({ name, accountId, roleArn, region: own, description }) => [
          name,
          { account_id: accountId, role_arn: roleArn, region: own, description },
        ]),
      ),
      llm_account_descriptions: accountLines(profiles).join("\n"),
    },
  };
}

const oneLine = (text: string) => text.replace(/\s+/g, " ").trim();

const accountLines = (profiles: readonly Profile[]) =>
  profiles.map(
    ({ name, accountId, region, description }) =>
      `- --profile ${name}: account ${accountId}, default region ${region}${description === "" ? "" : ` (${oneLine(description)})`}`,
  );

const notAllowed =
  "Access is read-only. Not allowed is not the same as not found: after AccessDenied or a refusal, report which action is not allowed in which account, and do not repeat the call.";

/**
 * Instructions for the model in addition to the description of `call_aws`, which lists accounts, limits and rejections.
 * The description of the legacy image lists none.
 */
function instructions(settings: Settings, profiles: readonly Profile[]): string {
  const legacy = "Every command of call_aws needs --profile. A result with an `error` field is a failure. Accounts:";
  return [
    ...(usesLegacyImage(settings) ? [legacy, ...accountLines(profiles)] : []),
    `If the question names no account, begin with --profile ${defaultProfileOf(settings, profiles).name}. Before you report that a resource does not exist, run the command for every account, as a list in one call, and with --region where it can be in another region. Report each account that fails by its profile.`,
    notAllowed,
    "Alternatives to what is denied by default:",
    "- Lambda function: `aws logs filter-log-events --log-group-name /aws/lambda/NAME --filter-pattern ERROR --start-time EPOCH_MS`; metrics in AWS/Lambda: `aws cloudwatch get-metric-statistics --namespace AWS/Lambda --metric-name Throttles --dimensions Name=FunctionName,Value=NAME --start-time START --end-time END --period 300 --statistics Sum`",
    "- ECS task definition: `aws ecs describe-services --cluster CLUSTER --services NAME` and `aws ecs describe-tasks --cluster CLUSTER --tasks TASK`",
    "Costs: `aws ce get-cost-and-usage --time-period Start=DATE,End=DATE --granularity DAILY --metrics UnblendedCost --group-by Type=DIMENSION,Key=SERVICE`. Do not use --filter: its inline JSON fails.",
    "What changed: `aws cloudtrail lookup-events --start-time START --max-items 20`, for one resource with `--lookup-attributes AttributeKey=ResourceName,AttributeValue=NAME`",
    "Pods that were killed or restarted (CloudWatch Container Insights):",
    "1. Log groups: `aws logs describe-log-groups --log-group-name-prefix /aws/containerinsights/`",
    "2. Records of the containers around the incident: `aws logs start-query --log-group-name /aws/containerinsights/CLUSTER/performance --start-time EPOCH --end-time EPOCH --query-string 'filter Type=\"Container\"'`, then `aws logs get-query-results --query-id QUERY`",
    "3. OOM kill: container_last_termination_reason is OOMKilled, exit code 137, and container_memory_working_set is near container_memory_limit. Exit code 137 without memory pressure: a failed liveness probe or an eviction.",
    "4. Restarts: number_of_container_restarts",
  ].join("\n");
}

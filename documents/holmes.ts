/** What HolmesGPT is given: its `mcp_servers` entry, and the values of its two Helm charts. */
import { stringify } from "yaml";
import type { Settings } from "../config/settings.js";
import type { Profile } from "./awsConfigFile.js";
import { endpoint } from "./names.js";
import { hasTokens, tokenSecrets } from "./workload.js";

/** YAML texts for one cluster. */
export interface HolmesConfig {
  /** For `~/.holmes/config.yaml`; undefined where Holmes' chart runs the server or the hosted one is used. */
  readonly mcpServers: string | undefined;
  /** Values of Holmes' own chart (`robusta/holmes`). */
  readonly helmValues: string;
  /** Values of the Robusta chart (`robusta/robusta`), which brings Holmes along. */
  readonly robustaValues: string;
}

const yaml = (value: unknown) => stringify(value, { lineWidth: 0 });

/** Holmes' configuration for the server of one cluster, or for the chart's own server when ours is switched off. */
export function holmesConfig(settings: Settings, profiles: readonly Profile[]): HolmesConfig {
  const servers = { mcp_servers: mcpServers(settings, profiles) };
  const values = settings.mcp.enabled
    ? { ...servers, ...tokenEnvironment(settings.mcp) }
    : { mcpAddons: { aws: addon(settings, profiles) } };
  return {
    mcpServers: settings.mcp.enabled
      ? yaml(servers)
      : settings.holmes.hosted
        ? yaml({ mcp_servers: hostedServers(profiles) })
        : undefined,
    helmValues: yaml(values),
    robustaValues: yaml({ holmes: values }),
  };
}

/** Variable of Holmes' environment with the bearer token. */
const tokenVariable = "HOLMES_AWS_MCP_TOKEN";

/** Values of Holmes' chart that read the token from the Secret in Holmes' namespace. */
function tokenEnvironment(mcp: Settings["mcp"]) {
  if (!hasTokens(mcp)) return {};
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
        ...(hasTokens(settings.mcp) ? { extra_headers: { Authorization: `Bearer {{ env.${tokenVariable} }}` } } : {}),
      },
      llm_instructions: instructions(settings.defaultProfile, profiles),
    },
  };
}

/** One entry per account for someone at a terminal: the hosted server takes one identity per connection. */
function hostedServers(profiles: readonly Profile[]) {
  return Object.fromEntries(
    profiles.map(({ name, region, description }) => [
      `aws_${name}`,
      {
        description: description === "" ? `AWS account ${name}` : description,
        config: { mode: "aws", region, profile: name },
      },
    ]),
  );
}

/** `mcpAddons.aws` of Holmes' chart: its own pod, or the hosted AWS MCP server. */
function addon({ holmes, kubernetes, defaultProfile }: Settings, profiles: readonly Profile[]) {
  const region = profiles.find(({ name }) => name === defaultProfile)?.region;
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

const accountLines = (profiles: readonly Profile[]) =>
  profiles.map(
    ({ name, accountId, region, description }) =>
      `- --profile ${name}: account ${accountId}, default region ${region}${description === "" ? "" : ` (${description.replace(/\s+/g, " ").trim()})`}`,
  );

/** What the model has to know: which profile is which account, how failures look, and the Container Insights recipe. */
export function instructions(defaultProfile: string, profiles: readonly Profile[]): string {
  return [
    "Use call_aws with AWS CLI commands to investigate AWS. Access is read-only: never try to change anything.",
    "",
    "Accounts. Every command must carry --profile; without it there are no credentials:",
    ...accountLines(profiles),
    `When the question does not tell the account, begin with --profile ${defaultProfile} and try the others before you report that something does not exist.`,
    "Add --region when the resource is in another region than the profile's default.",
    "",
    "Answers. A tool result with an `error` field is a failure, even though the call itself succeeded: say what failed and for which profile, and never present it as an empty result. AccessDenied means that the policy does not allow the call: do not repeat it.",
    "Ask for little: use --query, filters, --max-items and time ranges.",
    "",
    "What changed: aws cloudtrail lookup-events with --start-time and --lookup-attributes shows who changed what.",
    "",
    "Pods that were killed or restarted (CloudWatch Container Insights):",
    "1. Find the log groups: aws logs describe-log-groups --log-group-name-prefix /aws/containerinsights/ --profile PROFILE",
    "2. /aws/containerinsights/CLUSTER/performance has Type=Pod and Type=Container records. Query them with aws logs start-query and aws logs get-query-results around the time of the incident.",
    "3. OOM kill: the container's last termination reason is OOMKilled with exit code 137 (SIGKILL). Compare container_memory_working_set with container_memory_limit (pod_memory_utilization_over_pod_limit near 100 %) just before it.",
    "4. Restarts: number_of_container_restarts, or pod_number_of_container_restarts in the metrics namespace ContainerInsights (aws cloudwatch get-metric-data with the dimensions ClusterName, Namespace, PodName).",
    "5. Exit code 137 without memory pressure points to a failed liveness probe or an eviction: look at /aws/containerinsights/CLUSTER/dataplane and at the node's metrics.",
  ].join("\n");
}

/** Names that the manifests use, and that the config rejects for the user's own volumes, labels and variables. */
import manifest from "../package.json" with { type: "json" };

/** Port of the container and the Service. Compatible with the legacy resources. */
export const port = 8000;

/** Name of the container in every pod. The annotation that excludes it from the EKS webhook uses this name. */
export const container = "mcp";

/** Paths inside the image (image/Dockerfile) and inside the pods. */
export const paths = {
  server: "/opt/venv/bin/holmes-aws-mcp",
  python: "/opt/venv/bin/python3",
  gateway: "/opt/gateway/node_modules/.bin/supergateway",
  home: "/home/mcp",
  tmp: "/tmp",
  awsConfig: "/etc/holmes-aws-mcp/aws",
  tokens: "/etc/holmes-aws-mcp/tokens",
  /** The verification script and its list of accounts. */
  verification: "/etc/holmes-aws-mcp/verify",
  /** Directory of the projected service account token. The EKS webhook uses the same path. */
  token: "/var/run/secrets/eks.amazonaws.com/serviceaccount",
} as const;

/** Volumes of the pods. */
export const volumes = ["home", "home-aws", "logs", "tmp", "aws-config", "aws-token", "tokens", "verify"] as const;
export type VolumeName = (typeof volumes)[number];

/** Variables with the same value in every environment of the server. */
export const guards = {
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  // Without it, the SDK uses the node's role when a profile is missing.
  AWS_EC2_METADATA_DISABLED: "true",
  READ_OPERATIONS_ONLY: "true",
  AWS_API_MCP_TELEMETRY: "false",
  AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS: "no-access",
  // Without it, every tool description contains a notice that the model repeats.
  AWS_API_MCP_SUPPRESS_DEPRECATION_WARNING: "true",
  FASTMCP_LOG_LEVEL: "WARNING",
};

/** Further variables of the containers. */
const otherVariables = [
  "HOME",
  "TMPDIR",
  "AWS_CONFIG_FILE",
  "HOLMES_AWS_MCP_CONFIG",
  "HOLMES_AWS_MCP_TOKENS_FILE",
  "AWS_API_MCP_TRANSPORT",
  "AWS_API_MCP_HOST",
  "AWS_API_MCP_PORT",
  "AWS_API_MCP_ALLOWED_HOSTS",
  "AWS_API_MCP_ALLOWED_ORIGINS",
  "AUTH_TYPE",
  "ENDPOINT_SUGGEST_AWS_COMMANDS",
] as const;
export type EnvironmentName = keyof typeof guards | (typeof otherVariables)[number];
export const environmentNames: readonly string[] = [...Object.keys(guards), ...otherVariables];

/** Annotations of the pods. */
export const annotations = {
  skipContainers: "eks.amazonaws.com/skip-containers",
  configHash: "holmes-aws-mcp/config-hash",
  envHash: "holmes-aws-mcp/env-hash",
  verifies: "holmes-aws-mcp/verifies",
} as const;

/** Annotations of the pods with metrics, for Prometheus to discover them. */
export const metricsAnnotations = (metricsPort: number) => ({
  "prometheus.io/scrape": "true",
  "prometheus.io/port": String(metricsPort),
  "prometheus.io/path": "/metrics",
});

/** Key of the ConfigMap and file name in the pod: settings of the launcher. */
export const launcherFile = "launcher.json";

/** Key in the server's Secret and file name in the pod. One accepted token per line, the current one first. */
export const tokensFile = "tokens";

/** Names of the Secrets with the server's tokens and with Holmes' token. */
export const tokenSecrets = (serviceName: string) => ({
  server: `${serviceName}-tokens`,
  holmes: `${serviceName}-token`,
});

/** Name of the Secret with secret environment variables. */
export const envSecret = (serviceName: string) => `${serviceName}-env`;

/** Path of the server's endpoint by transport. */
const endpointPaths = { sse: "/sse", "streamable-http": "/mcp" } as const;

/** Label selectors of the pods. `app` is compatible with the legacy resources. */
export function selectors(serviceName: string) {
  const instance = { "app.kubernetes.io/instance": serviceName };
  return {
    /** The server's pods and those that verify it. */
    instance,
    server: { app: "aws-api-mcp-server", ...instance },
    verification: { app: "aws-api-mcp-verification", ...instance },
  };
}

/** Labels of every object. */
export function labels(serviceName: string, app: "server" | "verification" = "server"): Record<string, string> {
  return {
    ...selectors(serviceName)[app],
    "app.kubernetes.io/name": "aws-api-mcp-server",
    "app.kubernetes.io/version": manifest.version,
    "app.kubernetes.io/component": app,
    "app.kubernetes.io/part-of": "holmes",
    "app.kubernetes.io/managed-by": "pulumi",
  };
}

/** DNS names of the Service inside the cluster, shortest first. */
export function serviceHosts(serviceName: string, namespace: string): string[] {
  const base = `${serviceName}.${namespace}`;
  return [serviceName, base, `${base}.svc`, `${base}.svc.cluster.local`];
}

/** Address of the server for Holmes, in the same cluster. */
export function endpoint(
  { serviceName, transport }: { readonly serviceName: string; readonly transport: keyof typeof endpointPaths },
  namespace: string,
): string {
  return `http://${serviceHosts(serviceName, namespace).at(-1)}:${port}${endpointPaths[transport]}`;
}

/** Names that several documents share. */
import type { Settings } from "../config/settings.js";
import manifest from "../package.json" with { type: "json" };

/** Port of the container and the Service. Compatible with the legacy resources. */
export const port = 8000;

/** Name of the container in every pod. The annotation that excludes it from the EKS webhook uses this name. */
export const container = "mcp";

/** Path of the server's endpoint by transport. */
const paths = { sse: "/sse", "streamable-http": "/mcp" } as const;

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
  { serviceName, transport }: Pick<Settings["mcp"], "serviceName" | "transport">,
  namespace: string,
): string {
  return `http://${serviceHosts(serviceName, namespace).at(-1)}:${port}${paths[transport]}`;
}

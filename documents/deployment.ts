/** The Deployment and the Service of the MCP server. */
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { annotations, container, labels, metricsAnnotations, paths, port, selectors } from "../config/names.js";
import { containerSecurity, environment, filled, mounts, podAnnotations, podBase, withStorage } from "./pod.js";
import { configData, hashOf, type Workload } from "./workload.js";

/** Command of the container. Empty for the legacy image, which uses its own entry point. */
function command({ transport, listenAddress, legacyImage }: Workload) {
  if (legacyImage) return {};
  if (transport === "streamable-http") return { command: [paths.server] };
  return {
    command: [paths.gateway],
    args: [
      ...["--stdio", `exec ${paths.server}`],
      ...["--outputTransport", "sse", "--host", listenAddress, "--port", String(port)],
      ...["--ssePath", "/sse", "--messagePath", "/message", "--healthEndpoint", "/healthz"],
      // The level info logs every response, including AWS data.
      ...["--logLevel", "none"],
    ],
  };
}

/**
 * `/healthz` succeeds while the server responds to requests: a hung process restarts within 2 minutes, a busy process
 * does not. The legacy image's health endpoint always succeeds or does not exist.
 */
function probes({ legacyImage }: Workload) {
  const check = legacyImage ? { tcpSocket: { port: "http" } } : { httpGet: { path: "/healthz", port: "http" } };
  return {
    startupProbe: { ...check, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60 },
    readinessProbe: { ...check, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    livenessProbe: { ...check, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
  };
}

export function deploymentSpec(
  workload: Workload,
  configMap: pulumi.Input<string>,
): types.input.apps.v1.DeploymentSpec {
  const { serviceName, transport, replicas, image, resources, metrics } = workload;
  const { volumes, volumeMounts } = mounts(workload, configMap);
  const matchLabels = selectors(serviceName).server;
  const overNodes = {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels },
  };
  return {
    replicas,
    // An SSE session exists in one process. Two concurrent pods would split Holmes' calls.
    strategy:
      transport === "sse"
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    selector: { matchLabels },
    template: {
      metadata: {
        labels: { ...workload.podLabels, ...labels(serviceName) },
        annotations: {
          ...workload.podAnnotations,
          ...(metrics.enabled && metricsAnnotations(metrics.port)),
          ...podAnnotations(workload),
          [annotations.configHash]: hashOf(JSON.stringify(configData(workload))),
        },
      },
      spec: {
        ...podBase(workload),
        terminationGracePeriodSeconds: 30,
        topologySpreadConstraints: filled(workload.topologySpreadConstraints ?? (replicas > 1 ? [overNodes] : [])),
        volumes,
        containers: [
          {
            name: container,
            image,
            ...command(workload),
            ports: [
              { name: "http", containerPort: port },
              ...(metrics.enabled ? [{ name: "metrics", containerPort: metrics.port }] : []),
            ],
            env: environment(workload),
            resources: withStorage(resources),
            ...probes(workload),
            securityContext: containerSecurity,
            volumeMounts,
          },
        ],
      },
    },
  };
}

export function serviceSpec({ serviceName, replicas }: Workload): types.input.core.v1.ServiceSpec {
  return {
    type: "ClusterIP",
    selector: selectors(serviceName).server,
    ports: [{ name: "http", port, targetPort: "http", protocol: "TCP" }],
    // A streamable HTTP session exists in one pod.
    sessionAffinity: replicas > 1 ? "ClientIP" : undefined,
  };
}

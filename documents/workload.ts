/** The Kubernetes objects of one cluster's MCP server, as documents. components/mcpDeployment.ts creates them. */
import { createHash, scryptSync } from "node:crypto";
import type { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { legacyImage } from "../config/sections/image.js";
import type { Settings } from "../config/settings.js";
import { AUDIENCE } from "../policies/trust.js";
import { awsConfigFile, type Profile } from "./awsConfigFile.js";
import {
  annotations,
  container,
  type EnvironmentName,
  labels,
  metricsAnnotations,
  paths,
  port,
  selectors,
  serviceHosts,
  type VolumeName,
} from "./names.js";
import { defaultProfileOf } from "./profiles.js";

type PodSpec = types.input.core.v1.PodSpec;
type Container = types.input.core.v1.Container;
type EnvVar = types.input.core.v1.EnvVar;
type Volume = types.input.core.v1.Volume & { readonly name: VolumeName };
type VolumeMount = types.input.core.v1.VolumeMount & { readonly name: VolumeName };

/** The MCP server of one cluster, and the configuration of its pods. */
export interface Workload {
  /** Name of the cluster. Part of the role session name in CloudTrail. */
  readonly cluster: string;
  /** At least one account, each with the role that trusts this cluster. */
  readonly profiles: readonly Profile[];
  /** Profile whose region applies to commands without a profile, and whose role annotates the service account. */
  readonly defaultProfile: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly image: pulumi.Input<string>;
  /** Whether the image is the legacy image, which uses different paths. */
  readonly legacyImage: boolean;
  /** Whether the image was built elsewhere, so that its content is checked before it is deployed. */
  readonly prebuilt: boolean;
  /** Architecture of the nodes, `amd64` or `arm64`. Default: any. */
  readonly architecture?: string | undefined;
  /** Options of the server, as in docs/config.md. */
  readonly mcp: Settings["mcp"];
  /** Whether the values of `mcp.env` are secret. They then reach the pods through a Secret. */
  readonly secretEnv: boolean;
  /** Pods that call the server. */
  readonly holmes: Pick<Settings["holmes"], "namespace" | "podLabels">;
  /** Options of the verification, as in docs/config.md. */
  readonly verify: Settings["verify"];
}

/** The server of a cluster as a stack configures it. */
export function workloadOf(
  settings: Settings,
  cluster: string,
  profiles: readonly Profile[],
  image: pulumi.Input<string>,
): Workload {
  const { kubernetes, image: source, mcp, holmes, verify, secretKeys } = settings;
  return {
    cluster,
    profiles,
    image,
    namespace: kubernetes.namespace,
    serviceAccount: kubernetes.serviceAccount,
    legacyImage: usesLegacyImage(settings),
    prebuilt: source.kind === "prebuilt",
    architecture: source.kind === "build" ? source.build.platform.split("/")[1] : undefined,
    defaultProfile: defaultProfileOf(settings, profiles),
    mcp,
    secretEnv: secretKeys.has("mcp") && Object.keys(mcp.env).length > 0,
    holmes,
    verify,
  };
}

/** Whether the image is the legacy image, which has different paths and a different gateway. */
export function usesLegacyImage({ image }: Pick<Settings, "image">): boolean {
  return image.kind === "prebuilt" && legacyImage.test(image.reference);
}

/** Key in the server's Secret and file name in the pod. One accepted token per line, the current one first. */
export const tokensFile = "tokens";

/** Whether clients must send a bearer token. */
export const hasTokens = ({ authentication }: Pick<Settings["mcp"], "authentication">) =>
  authentication.type === "bearer";

/** Names of the Secrets with the server's tokens and with Holmes' token. */
export const tokenSecrets = (serviceName: string) => ({
  server: `${serviceName}-tokens`,
  holmes: `${serviceName}-token`,
});

/** Name of the Secret with the values of `mcp.env`. */
export const envSecret = (serviceName: string) => `${serviceName}-env`;

const user = 10001;
const launcherFile = "launcher.json";

/** A short hash of the texts. */
export const hashOf = (...texts: string[]) => createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16);

/** A hash of secrets for a readable annotation. scrypt is slow, which protects weak passwords against guessing. */
export const secretHash = (secrets: Readonly<Record<string, string>>) =>
  scryptSync(JSON.stringify(Object.entries(secrets).sort()), "holmes-aws-mcp", 16).toString("hex");

/** ConfigMap data: the AWS config file, and the settings of the launcher (image/launcher). */
export function configData({ mcp, cluster, profiles, defaultProfile }: Workload): Record<string, string> {
  const { concurrency, callTimeoutSeconds, maxAnswerBytes, allowedEndpoints, suggestCommands, denyList, metrics } = mcp;
  const launcher = {
    concurrency,
    callTimeoutSeconds,
    maxAnswerBytes,
    allowedEndpoints,
    suggestCommands,
    denyList,
    defaultProfile,
    metricsPort: metrics.enabled ? metrics.port : null,
    accounts: profiles.map(({ name, accountId, region, description }) => ({
      profile: name,
      accountId,
      region,
      description,
    })),
  };
  return {
    config: awsConfigFile(cluster, profiles, defaultProfile),
    [launcherFile]: `${JSON.stringify(launcher, null, 2)}\n`,
  };
}

/** Environment of the server: read-only guards, no default identity, one profile for each account. */
function environment({ mcp, namespace, secretEnv }: Workload): EnvVar[] {
  const hosts = serviceHosts(mcp.serviceName, namespace);
  const transport: Partial<Record<EnvironmentName, string>> =
    mcp.transport === "sse"
      ? { AWS_API_MCP_TRANSPORT: "stdio" }
      : {
          AWS_API_MCP_TRANSPORT: "streamable-http",
          AWS_API_MCP_HOST: mcp.listenAddress,
          AWS_API_MCP_PORT: String(port),
          AUTH_TYPE: "no-auth",
          // Without it, requests with the Service's host name return 421. localhost is for kubectl port-forward.
          AWS_API_MCP_ALLOWED_HOSTS: [...hosts, "localhost", "127.0.0.1"].join(","),
          AWS_API_MCP_ALLOWED_ORIGINS: [...hosts, "localhost", "127.0.0.1"].join(","),
        };
  const own: Partial<Record<EnvironmentName, string>> = {
    HOME: paths.home,
    TMPDIR: paths.tmp,
    AWS_CONFIG_FILE: `${paths.awsConfig}/config`,
    HOLMES_AWS_MCP_CONFIG: `${paths.awsConfig}/${launcherFile}`,
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    // Without it, the SDK uses the node's role when a profile is missing.
    AWS_EC2_METADATA_DISABLED: "true",
    READ_OPERATIONS_ONLY: "true",
    AWS_API_MCP_TELEMETRY: "false",
    AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS: "no-access",
    // Without it, every tool description contains a notice that the model repeats.
    AWS_API_MCP_SUPPRESS_DEPRECATION_WARNING: "true",
    FASTMCP_LOG_LEVEL: "WARNING",
    ...(hasTokens(mcp) ? { HOLMES_AWS_MCP_TOKENS_FILE: `${paths.tokens}/${tokensFile}` } : {}),
    ...transport,
    // A closed port, because the tool sends user input out of the cluster.
    ...(mcp.suggestCommands ? {} : { ENDPOINT_SUGGEST_AWS_COMMANDS: "http://127.0.0.1:9/" }),
  };
  const plain = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => ({ name, value }));
  if (!secretEnv) return plain({ ...own, ...mcp.env });
  const references = Object.keys(mcp.env).map((name) => ({
    name,
    valueFrom: { secretKeyRef: { name: envSecret(mcp.serviceName), key: name } },
  }));
  return [...plain(own), ...references];
}

/** Command of the container. Empty for the legacy image, which uses its own entry point. */
function command({ mcp, legacyImage }: Workload): { command?: string[]; args?: string[] } {
  if (legacyImage) return {};
  if (mcp.transport === "streamable-http") return { command: [paths.server] };
  return {
    command: [paths.gateway],
    args: [
      ...["--stdio", `exec ${paths.server}`],
      ...["--outputTransport", "sse", "--host", mcp.listenAddress, "--port", String(port)],
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
function probes({ legacyImage }: Workload): Pick<Container, "startupProbe" | "readinessProbe" | "livenessProbe"> {
  const check = legacyImage ? { tcpSocket: { port: "http" } } : { httpGet: { path: "/healthz", port: "http" } };
  return {
    startupProbe: { ...check, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60 },
    readinessProbe: { ...check, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    livenessProbe: { ...check, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
  };
}

/** Pod Security `restricted`, and a read-only root file system. */
const containerSecurity: types.input.core.v1.SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

interface Mounted {
  readonly volumes: readonly Volume[];
  readonly volumeMounts: readonly VolumeMount[];
}

const none: Mounted = { volumes: [], volumeMounts: [] };

/** Writable volumes, the token and the AWS config file, for the server's pods and the verification pods. */
function mounts({ mcp }: Workload, configMap: pulumi.Input<string>, more: Mounted = none) {
  const emptyDir = (name: VolumeName, sizeLimit: string, medium?: string): Volume => ({
    name,
    emptyDir: { sizeLimit, ...(medium === undefined ? {} : { medium }) },
  });
  const base: Mounted = {
    volumes: [
      // In memory, because the AWS CLI can cache session credentials there.
      emptyDir("home", "64Mi", "Memory"),
      // A separate volume, because the mount point of the logs would otherwise create this directory as root.
      emptyDir("home-aws", "64Mi", "Memory"),
      emptyDir("logs", "64Mi"),
      emptyDir("tmp", "256Mi"),
      { name: "aws-config", configMap: { name: configMap } },
      {
        name: "aws-token",
        projected: {
          sources: [{ serviceAccountToken: { audience: AUDIENCE, expirationSeconds: 3600, path: "token" } }],
        },
      },
    ],
    volumeMounts: [
      { name: "home", mountPath: paths.home },
      { name: "home-aws", mountPath: `${paths.home}/.aws` },
      { name: "logs", mountPath: `${paths.home}/.aws/aws-api-mcp` },
      { name: "tmp", mountPath: paths.tmp },
      { name: "aws-config", mountPath: paths.awsConfig, readOnly: true },
      { name: "aws-token", mountPath: paths.token, readOnly: true },
    ],
  };
  const tokens: Mounted = hasTokens(mcp)
    ? {
        volumes: [{ name: "tokens", secret: { secretName: tokenSecrets(mcp.serviceName).server } }],
        volumeMounts: [{ name: "tokens", mountPath: paths.tokens, readOnly: true }],
      }
    : none;
  const own = [base, tokens, more];
  return {
    volumes: [...own.flatMap(({ volumes }) => volumes), ...mcp.extraVolumes] as types.input.core.v1.Volume[],
    volumeMounts: [
      ...own.flatMap(({ volumeMounts }) => volumeMounts),
      ...mcp.extraVolumeMounts,
    ] as types.input.core.v1.VolumeMount[],
  };
}

/** Omits an empty field. The API server drops empty fields, so that a refresh would show a difference. */
const filled = <K extends keyof PodSpec>(key: K, value: object): Pick<PodSpec, K> | object =>
  Object.keys(value).length === 0 ? {} : { [key]: value };

/** Identity, security and placement of the server's pods and the verification pods. */
function podBase({ mcp, serviceAccount, architecture }: Workload): PodSpec {
  const platform: Record<string, string> = architecture === undefined ? {} : { "kubernetes.io/arch": architecture };
  const optional = <K extends keyof PodSpec>(key: K, value: PodSpec[K] | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
    ...filled("nodeSelector", { ...platform, ...mcp.nodeSelector }),
    ...filled("tolerations", mcp.tolerations),
    ...optional("affinity", mcp.affinity as PodSpec["affinity"]),
    ...optional("priorityClassName", mcp.priorityClassName),
    ...filled(
      "imagePullSecrets",
      mcp.imagePullSecrets.map((name) => ({ name })),
    ),
    containers: [],
  };
}

/** Annotations of every pod. */
const podAnnotations = ({ mcp, secretEnv }: Workload) => ({
  // Prevents the EKS webhook from injecting AWS_REGION and other variables into the container.
  [annotations.skipContainers]: container,
  // A container reads the Secret only when it starts, so a changed value must replace the pod.
  ...(secretEnv ? { [annotations.envHash]: pulumi.secret(secretHash(mcp.env)) } : {}),
});

/** Ephemeral storage for the volumes `tmp` and `logs`, and for the container log. */
const withStorage = ({ requests, limits }: { requests: object; limits: object }) => ({
  requests: { ...requests, "ephemeral-storage": "64Mi" },
  limits: { ...limits, "ephemeral-storage": "512Mi" },
});

/** Labels of the namespace: Pod Security `restricted`. */
export function namespaceLabels({ mcp }: Workload): Record<string, string> {
  return {
    ...labels(mcp.serviceName),
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
  };
}

/** Annotations of the service account: the role of the default profile, for operators. */
export function serviceAccountAnnotations({ profiles, defaultProfile }: Workload): Record<string, string> {
  const profile = profiles.find(({ name }) => name === defaultProfile) ?? profiles[0]!;
  return { "eks.amazonaws.com/role-arn": profile.roleArn };
}

export function deploymentSpec(
  workload: Workload,
  configMap: pulumi.Input<string>,
): types.input.apps.v1.DeploymentSpec {
  const { mcp, image } = workload;
  const base = mounts(workload, configMap);
  const { server } = selectors(mcp.serviceName);
  const spread =
    mcp.topologySpreadConstraints ??
    (mcp.replicas > 1
      ? [
          {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: server },
          },
        ]
      : []);
  return {
    replicas: mcp.replicas,
    // An SSE session exists in one process. Two concurrent pods would split Holmes' calls.
    strategy:
      mcp.transport === "sse"
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    selector: { matchLabels: server },
    template: {
      metadata: {
        labels: { ...mcp.podLabels, ...labels(mcp.serviceName) },
        annotations: {
          ...mcp.podAnnotations,
          ...(mcp.metrics.enabled ? metricsAnnotations(mcp.metrics.port) : {}),
          ...podAnnotations(workload),
          [annotations.configHash]: hashOf(JSON.stringify(configData(workload))),
        },
      },
      spec: {
        ...podBase(workload),
        terminationGracePeriodSeconds: 30,
        ...filled("topologySpreadConstraints", spread),
        volumes: base.volumes,
        containers: [
          {
            name: container,
            image,
            ...command(workload),
            ports: [
              { name: "http", containerPort: port },
              ...(mcp.metrics.enabled ? [{ name: "metrics", containerPort: mcp.metrics.port }] : []),
            ],
            env: environment(workload),
            resources: withStorage(mcp.resources),
            ...probes(workload),
            securityContext: containerSecurity,
            volumeMounts: base.volumeMounts,
          },
        ],
      },
    },
  };
}

export function serviceSpec({ mcp }: Workload): types.input.core.v1.ServiceSpec {
  return {
    type: "ClusterIP",
    selector: selectors(mcp.serviceName).server,
    ports: [{ name: "http", port, targetPort: "http", protocol: "TCP" }],
    // A streamable HTTP session exists in one pod.
    ...(mcp.replicas > 1 ? { sessionAffinity: "ClientIP" } : {}),
  };
}

/** The Job that verifies every account from inside the cluster, with the server's config and through the server. */
export function verificationJobSpec(
  workload: Workload,
  configMap: pulumi.Input<string>,
  verificationMap: pulumi.Input<string>,
  changes: pulumi.Input<string>,
): types.input.batch.v1.JobSpec {
  const { mcp, verify, image } = workload;
  const mounted = mounts(workload, configMap, {
    volumes: [{ name: "verify", configMap: { name: verificationMap } }],
    volumeMounts: [{ name: "verify", mountPath: paths.verification, readOnly: true }],
  });
  return {
    backoffLimit: 0,
    activeDeadlineSeconds: verify.timeoutSeconds,
    template: {
      metadata: {
        labels: labels(mcp.serviceName, "verification"),
        annotations: { ...podAnnotations(workload), [annotations.verifies]: changes },
      },
      spec: {
        ...podBase(workload),
        restartPolicy: "Never",
        volumes: mounted.volumes,
        containers: [
          {
            name: container,
            image,
            command: [paths.python, `${paths.verification}/verify.py`, `${paths.verification}/accounts.json`],
            env: environment(workload),
            resources: withStorage({ requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } }),
            terminationMessagePolicy: "FallbackToLogsOnError",
            securityContext: containerSecurity,
            volumeMounts: mounted.volumeMounts,
          },
        ],
      },
    },
  };
}

/**
 * The Job that tries to reach the server from a pod that the NetworkPolicy does not admit: without Holmes' labels and
 * without the labels of the server's own pods. It has no AWS access. With `verify.requireNetworkPolicy` it fails when
 * the attempt succeeds. Without, it succeeds, with the attempt in `status.failedIndexes`.
 */
export function probeJobSpec(workload: Workload, script: string): types.input.batch.v1.JobSpec {
  const { mcp, namespace, verify, image } = workload;
  const { serviceAccountName: _, ...base } = podBase(workload);
  // One index after the other: 0 connects, 1 succeeds and with it the Job, whose status then names index 0 if it failed.
  // Index 2 never runs: a Job whose indexes are all finished fails if one failed. Kubernetes 1.31 and later.
  const attempts: Partial<types.input.batch.v1.JobSpec> = verify.requireNetworkPolicy
    ? { backoffLimit: 0 }
    : {
        completionMode: "Indexed",
        completions: 3,
        parallelism: 1,
        backoffLimitPerIndex: 0,
        successPolicy: { rules: [{ succeededIndexes: "1" }] },
      };
  return {
    ...attempts,
    activeDeadlineSeconds: verify.timeoutSeconds,
    template: {
      metadata: { labels: { app: "aws-api-mcp-probe" } },
      spec: {
        ...base,
        restartPolicy: "Never",
        containers: [
          {
            name: container,
            image,
            command: [paths.python, "-c", script, serviceHosts(mcp.serviceName, namespace).at(-1)!, String(port)],
            resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
            terminationMessagePolicy: "FallbackToLogsOnError",
            securityContext: containerSecurity,
          },
        ],
      },
    },
  };
}

/** The Job that checks a given image before the Deployment runs it: images of earlier releases have no launcher. */
export function imageCheckJobSpec(workload: Workload): types.input.batch.v1.JobSpec {
  const missing = `the image has no ${paths.server}. Build it again with this release (docs/image.md).`;
  return {
    backoffLimit: 0,
    activeDeadlineSeconds: 300,
    template: {
      metadata: { labels: { app: "aws-api-mcp-image-check" } },
      spec: {
        ...podBase(workload),
        restartPolicy: "Never",
        containers: [
          {
            name: container,
            image: workload.image,
            command: [
              "/bin/sh",
              "-c",
              `[ -x ${paths.server} ] || { echo "image.prebuilt: ${missing}"; exit 1; }; exec ${paths.server} --check`,
            ],
            env: [
              { name: "HOME", value: paths.tmp },
              { name: "TMPDIR", value: paths.tmp },
            ],
            resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
            terminationMessagePolicy: "FallbackToLogsOnError",
            securityContext: containerSecurity,
            volumeMounts: [{ name: "tmp", mountPath: paths.tmp }],
          },
        ],
        volumes: [{ name: "tmp", emptyDir: { sizeLimit: "64Mi" } }],
      },
    },
  };
}

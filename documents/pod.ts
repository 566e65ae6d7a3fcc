/** What the server's pods and the verification pods have in common. */
import type { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { AUDIENCE } from "../policies/trust.js";
import {
  annotations,
  container,
  type EnvironmentName,
  envSecret,
  guards,
  launcherFile,
  paths,
  port,
  serviceHosts,
  tokenSecrets,
  tokensFile,
  type VolumeName,
} from "./names.js";
import { secretHash, type Workload } from "./workload.js";

type PodSpec = types.input.core.v1.PodSpec;
type EnvVar = types.input.core.v1.EnvVar;
type Volume = types.input.core.v1.Volume & { readonly name: VolumeName };
type VolumeMount = types.input.core.v1.VolumeMount & { readonly name: VolumeName };

const user = 10001;

/** Environment of the server: read-only guards, no default identity, one profile for each account. */
export function environment(workload: Workload): EnvVar[] {
  const { serviceName, namespace, transport, listenAddress } = workload;
  const { authentication, suggestCommands, env, secretEnv = {} } = workload;
  // Without them, requests with the Service's host name return 421. localhost is for kubectl port-forward.
  const hosts = [...serviceHosts(serviceName, namespace), "localhost", "127.0.0.1"].join(",");
  const transportEnv: Partial<Record<EnvironmentName, string>> =
    transport === "sse"
      ? { AWS_API_MCP_TRANSPORT: "stdio" }
      : {
          AWS_API_MCP_TRANSPORT: "streamable-http",
          AWS_API_MCP_HOST: listenAddress,
          AWS_API_MCP_PORT: String(port),
          AUTH_TYPE: "no-auth",
          AWS_API_MCP_ALLOWED_HOSTS: hosts,
          AWS_API_MCP_ALLOWED_ORIGINS: hosts,
        };
  const own: Partial<Record<EnvironmentName, string>> = {
    HOME: paths.home,
    TMPDIR: paths.tmp,
    AWS_CONFIG_FILE: `${paths.awsConfig}/config`,
    HOLMES_AWS_MCP_CONFIG: `${paths.awsConfig}/${launcherFile}`,
    ...guards,
    ...(authentication ? { HOLMES_AWS_MCP_TOKENS_FILE: `${paths.tokens}/${tokensFile}` } : {}),
    ...transportEnv,
    // A closed port, because the tool sends user input out of the cluster.
    ...(suggestCommands ? {} : { ENDPOINT_SUGGEST_AWS_COMMANDS: "http://127.0.0.1:9/" }),
  };
  return [
    ...Object.entries({ ...own, ...env }).map(([name, value]) => ({ name, value })),
    ...Object.keys(secretEnv).map((name) => ({
      name,
      valueFrom: { secretKeyRef: { name: envSecret(serviceName), key: name } },
    })),
  ];
}

/** Pod Security `restricted`, and a read-only root file system. */
export const containerSecurity: types.input.core.v1.SecurityContext = {
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
export function mounts(workload: Workload, configMap: pulumi.Input<string>, more: Mounted = none) {
  const { serviceName, authentication, extraVolumes = [], extraVolumeMounts = [] } = workload;
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
  const tokens: Mounted = authentication
    ? {
        volumes: [{ name: "tokens", secret: { secretName: tokenSecrets(serviceName).server } }],
        volumeMounts: [{ name: "tokens", mountPath: paths.tokens, readOnly: true }],
      }
    : none;
  const own = [base, tokens, more];
  return {
    volumes: [...own.flatMap(({ volumes }) => volumes), ...extraVolumes],
    volumeMounts: [...own.flatMap(({ volumeMounts }) => volumeMounts), ...extraVolumeMounts],
  };
}

/** Omits an empty field. The API server drops empty fields, so that a refresh would show a difference. */
export const filled = <K extends keyof PodSpec>(key: K, value: object): Pick<PodSpec, K> | object =>
  Object.keys(value).length === 0 ? {} : { [key]: value };

/** Identity, security and placement of the server's pods and the verification pods. */
export function podBase(workload: Workload): PodSpec {
  const { serviceAccount, architecture, affinity, priorityClassName } = workload;
  const { nodeSelector, tolerations = [], imagePullSecrets = [] } = workload;
  const platform: Record<string, string> = architecture === undefined ? {} : { "kubernetes.io/arch": architecture };
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
    ...filled("nodeSelector", { ...platform, ...nodeSelector }),
    ...filled("tolerations", tolerations),
    affinity,
    priorityClassName,
    ...filled(
      "imagePullSecrets",
      imagePullSecrets.map((name) => ({ name })),
    ),
    containers: [],
  };
}

/** Annotations of every pod. */
export const podAnnotations = ({ secretEnv }: Workload) => ({
  // Prevents the EKS webhook from injecting AWS_REGION and other variables into the container.
  [annotations.skipContainers]: container,
  // A container reads the Secret only when it starts, so a changed value must replace the pod.
  ...(secretEnv ? { [annotations.envHash]: pulumi.secret(secretHash(secretEnv)) } : {}),
});

/** Ephemeral storage for the volumes `tmp` and `logs`, and for the container log. */
export const withStorage = ({ requests, limits }: { requests: object; limits: object }) => ({
  requests: { ...requests, "ephemeral-storage": "64Mi" },
  limits: { ...limits, "ephemeral-storage": "512Mi" },
});

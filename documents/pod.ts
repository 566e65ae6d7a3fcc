/** What the server's pods and the verification pods have in common. */
import type { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
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
} from "../config/names.js";
import { AUDIENCE } from "../policies/trust.js";
import { secretHash, type Workload } from "./workload.js";

const identity = { runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001 };

/** Environment of the server: read-only guards, no default identity, one profile for each account. */
export function environment(workload: Workload): types.input.core.v1.EnvVar[] {
  const { serviceName, namespace, transport, listenAddress, authentication, suggestCommands, env, secretEnv } =
    workload;
  // Without them, requests with the Service's host name return 421. localhost is for kubectl port-forward.
  const hosts = [...serviceHosts(serviceName, namespace), "localhost", "127.0.0.1"].join(",");
  const own: Partial<Record<EnvironmentName, string>> = {
    HOME: paths.home,
    TMPDIR: paths.tmp,
    AWS_CONFIG_FILE: `${paths.awsConfig}/config`,
    HOLMES_AWS_MCP_CONFIG: `${paths.awsConfig}/${launcherFile}`,
    ...guards,
    ...(authentication.type === "bearer" && { HOLMES_AWS_MCP_TOKENS_FILE: `${paths.tokens}/${tokensFile}` }),
    ...(transport === "sse"
      ? { AWS_API_MCP_TRANSPORT: "stdio" }
      : {
          AWS_API_MCP_TRANSPORT: "streamable-http",
          AWS_API_MCP_HOST: listenAddress,
          AWS_API_MCP_PORT: String(port),
          AUTH_TYPE: "no-auth",
          AWS_API_MCP_ALLOWED_HOSTS: hosts,
          AWS_API_MCP_ALLOWED_ORIGINS: hosts,
        }),
    // A closed port, because the tool sends user input out of the cluster.
    ...(suggestCommands ? {} : { ENDPOINT_SUGGEST_AWS_COMMANDS: "http://127.0.0.1:9/" }),
  };
  const secretKeyRef = (key: string) => ({ secretKeyRef: { name: envSecret(serviceName), key } });
  return [
    ...Object.entries(own).map(([name, value]) => ({ name, value })),
    ...Object.entries(env).map(([name, value]) =>
      secretEnv ? { name, valueFrom: secretKeyRef(name) } : { name, value },
    ),
  ];
}

/** Pod Security `restricted`, and a read-only root file system. */
export const containerSecurity: types.input.core.v1.SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  ...identity,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

/** A volume, and where the container mounts it. */
type Mounted = types.input.core.v1.Volume &
  Pick<types.input.core.v1.VolumeMount, "mountPath" | "readOnly"> & { readonly name: VolumeName };

/** Writable volumes, the token and the AWS config file, for the server's pods and the verification pods. */
export function mounts(workload: Workload, configMap: pulumi.Input<string>, more: readonly Mounted[] = []) {
  const { serviceName, authentication, extraVolumes, extraVolumeMounts } = workload;
  const memory = { sizeLimit: "64Mi", medium: "Memory" };
  const serviceAccountToken = { audience: AUDIENCE, expirationSeconds: 3600, path: "token" };
  const tokens = { secretName: tokenSecrets(serviceName).server };
  const own: Mounted[] = [
    // In memory, because the AWS CLI can cache session credentials there.
    { name: "home", mountPath: paths.home, emptyDir: memory },
    // A separate volume, because the mount point of the logs would otherwise create this directory as root.
    { name: "home-aws", mountPath: `${paths.home}/.aws`, emptyDir: memory },
    { name: "logs", mountPath: `${paths.home}/.aws/aws-api-mcp`, emptyDir: { sizeLimit: "64Mi" } },
    { name: "tmp", mountPath: paths.tmp, emptyDir: { sizeLimit: "256Mi" } },
    { name: "aws-config", mountPath: paths.awsConfig, readOnly: true, configMap: { name: configMap } },
    { name: "aws-token", mountPath: paths.token, readOnly: true, projected: { sources: [{ serviceAccountToken }] } },
  ];
  if (authentication.type === "bearer")
    own.push({ name: "tokens", mountPath: paths.tokens, readOnly: true, secret: tokens });
  own.push(...more);
  return {
    volumes: [...own.map(({ mountPath: _, readOnly: __, ...volume }) => volume), ...extraVolumes],
    volumeMounts: [
      ...own.map(({ name, mountPath, readOnly }) => ({ name, mountPath, readOnly })),
      ...extraVolumeMounts,
    ],
  };
}

/** Omits an empty field. The API server drops empty fields, so that a refresh would show a difference. */
export const filled = <T extends object>(value: T) => (Object.keys(value).length === 0 ? undefined : value);

/** Identity, security and placement of the server's pods and the verification pods. */
export function podBase(workload: Workload): types.input.core.v1.PodSpec {
  const { serviceAccount, architecture, nodeSelector, tolerations, affinity, priorityClassName } = workload;
  return {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { ...identity, fsGroup: identity.runAsGroup, seccompProfile: { type: "RuntimeDefault" } },
    nodeSelector: filled({ ...(architecture && { "kubernetes.io/arch": architecture }), ...nodeSelector }),
    tolerations: filled(tolerations),
    affinity,
    priorityClassName,
    imagePullSecrets: filled(workload.imagePullSecrets.map((name) => ({ name }))),
    containers: [],
  };
}

/** Annotations of every pod. */
export const podAnnotations = ({ env, secretEnv }: Workload) => ({
  // Prevents the EKS webhook from injecting AWS_REGION and other variables into the container.
  [annotations.skipContainers]: container,
  // A container reads the Secret only when it starts, so a changed value must replace the pod.
  ...(secretEnv && { [annotations.envHash]: pulumi.secret(secretHash(env)) }),
});

/** Ephemeral storage for the volumes `tmp` and `logs`, and for the container log. */
export const withStorage = ({ requests, limits }: { requests: object; limits: object }) => ({
  requests: { ...requests, "ephemeral-storage": "64Mi" },
  limits: { ...limits, "ephemeral-storage": "512Mi" },
});

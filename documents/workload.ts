/** The MCP server of one cluster. documents/deployment.ts and documents/jobs.ts make its Kubernetes objects. */
import { createHash, scryptSync } from "node:crypto";
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { awsConfigFile, type Profile } from "./awsConfigFile.js";
import { labels, launcherFile } from "./names.js";

/** The MCP server of one cluster, and the configuration of its pods. */
export interface Workload extends CallOptions, PodOptions {
  /** Name of the cluster. Part of the role session name in CloudTrail. */
  readonly cluster: string;
  /** At least one account, each with the role that trusts this cluster. */
  readonly profiles: readonly Profile[];
  /** Profile whose region applies to commands without a profile, and whose role annotates the service account. */
  readonly defaultProfile: string;
  /** Namespace of the server. */
  readonly namespace: string;
  /** Service account that the roles trust. */
  readonly serviceAccount: string;
  /** Name of the Deployment and the Service. */
  readonly serviceName: string;
  /** Reference of the image. */
  readonly image: pulumi.Input<string>;
  /** Whether the image is the legacy image, which uses different paths. */
  readonly legacyImage: boolean;
  /** Whether the image was built elsewhere, so that its content is checked before it is deployed. */
  readonly prebuilt: boolean;
  /** `sse` through Supergateway, or the server's native streamable HTTP. */
  readonly transport: "sse" | "streamable-http";
  /** Address that the pod listens on: `0.0.0.0`, or `::` in IPv6 clusters. */
  readonly listenAddress: string;
  /** Number of pods. 1 with `sse`, because a session exists in one process. */
  readonly replicas: number;
  /** Bearer tokens that clients must send. Default: the server requires no token. */
  readonly authentication?: BearerAuthentication | undefined;
  /** Ingress and egress of the pods. Default: no NetworkPolicy is created. */
  readonly networkPolicy?: NetworkPolicyOptions | undefined;
  /** Prometheus metrics. Default: none. */
  readonly metrics?: MetricsOptions | undefined;
  /** Pods that call the server. */
  readonly holmes: CallerPods;
}

/** Limits of the calls that the server runs. */
export interface CallOptions {
  /** Number of calls that one pod runs concurrently. */
  readonly concurrency: number;
  /** Timeout of one call, in seconds. HolmesGPT waits 120 s. */
  readonly callTimeoutSeconds: number;
  /** Maximum size of the result of one call, in bytes. */
  readonly maxAnswerBytes: number;
  /** Host names that the server can call in addition to the AWS endpoints. */
  readonly allowedEndpoints: readonly string[];
  /** AWS CLI commands that the server rejects, such as `aws logs start-query`. */
  readonly denyList: readonly string[];
  /** Whether `suggest_aws_commands` can send user input to an AWS endpoint. */
  readonly suggestCommands: boolean;
}

/** Resources, environment and placement of the pods. */
export interface PodOptions {
  /** CPU and memory of the server's container, as Kubernetes quantities. */
  readonly resources: Readonly<Record<"requests" | "limits", { readonly cpu?: string; readonly memory?: string }>>;
  /** Environment variables in addition to the server's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment variables that reach the pods through a Secret. Default: none. */
  readonly secretEnv?: Readonly<Record<string, string>> | undefined;
  /** Architecture of the nodes, `amd64` or `arm64`. Default: any. */
  readonly architecture?: string | undefined;
  /** Labels that the nodes must have. Default: none. */
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  /** Tolerations of the pods. Default: none. */
  readonly tolerations?: readonly types.input.core.v1.Toleration[] | undefined;
  /** Affinity of the pods. Default: none. */
  readonly affinity?: types.input.core.v1.Affinity | undefined;
  /** How pods are spread. Default with several replicas: over nodes, where possible. */
  readonly topologySpreadConstraints?: readonly types.input.core.v1.TopologySpreadConstraint[] | undefined;
  /** Priority class of the pods. Default: the cluster's. */
  readonly priorityClassName?: string | undefined;
  /** Names of Secrets for the image's registry. Default: none. */
  readonly imagePullSecrets?: readonly string[] | undefined;
  /** Labels of the server's pods in addition to the program's. */
  readonly podLabels?: Readonly<Record<string, string>> | undefined;
  /** Annotations of the server's pods in addition to the program's. */
  readonly podAnnotations?: Readonly<Record<string, string>> | undefined;
  /** Volumes in addition to the program's, such as a CA bundle. */
  readonly extraVolumes?: readonly types.input.core.v1.Volume[] | undefined;
  /** Mounts of `extraVolumes` in the container. */
  readonly extraVolumeMounts?: readonly types.input.core.v1.VolumeMount[] | undefined;
}

/** Bearer tokens that the server accepts. */
export interface BearerAuthentication {
  /** Version of the generated token. A higher version rotates it. */
  readonly tokenVersion: number;
  /** Tokens to use instead of generated ones. Holmes uses the first, the server accepts all. */
  readonly tokens?: readonly string[] | undefined;
}

/** Ingress in addition to Holmes, and egress. */
export interface NetworkPolicyOptions {
  /** Peers that can call the server in addition to Holmes and the verification pods. */
  readonly additionalPeers: readonly types.input.networking.v1.NetworkPolicyPeer[];
  /** TCP ports that the pods can reach at every address except metadata addresses. Empty: none. */
  readonly egressPorts: readonly number[];
  /** Egress rules in addition to DNS, `egressPorts` and the server. */
  readonly additionalEgress: readonly types.input.networking.v1.NetworkPolicyEgressRule[];
  /** Namespace of the cluster's DNS pods. */
  readonly dnsNamespace: string;
  /** DNS destinations that replace `dnsNamespace`, if any. */
  readonly dns: {
    readonly peers: readonly types.input.networking.v1.NetworkPolicyPeer[];
    readonly cidrs: readonly string[];
  };
}

/** Prometheus metrics of the calls. */
export interface MetricsOptions {
  /** Port of the metrics in the pods. */
  readonly port: number;
  /** Peers that can read the metrics. Empty: none. */
  readonly peers: readonly types.input.networking.v1.NetworkPolicyPeer[];
}

/** Pods that have all labels, in one namespace. */
export interface CallerPods {
  /** Name of the namespace. */
  readonly namespace: string;
  /** At least one label. */
  readonly podLabels: Readonly<Record<string, string>>;
}

/** A short hash of the texts. */
export const hashOf = (...texts: string[]) => createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16);

/** A hash of secrets for a readable annotation. scrypt is slow, which protects weak passwords against guessing. */
export const secretHash = (secrets: Readonly<Record<string, string>>) =>
  scryptSync(JSON.stringify(Object.entries(secrets).sort()), "holmes-aws-mcp", 16).toString("hex");

/** ConfigMap data: the AWS config file, and the settings of the launcher (image/launcher). */
export function configData(workload: Workload): Record<string, string> {
  const { cluster, profiles, defaultProfile, metrics } = workload;
  const { concurrency, callTimeoutSeconds, maxAnswerBytes, allowedEndpoints, suggestCommands, denyList } = workload;
  const launcher = {
    concurrency,
    callTimeoutSeconds,
    maxAnswerBytes,
    allowedEndpoints,
    suggestCommands,
    denyList,
    defaultProfile,
    metricsPort: metrics?.port ?? null,
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

/** Labels of the namespace: Pod Security `restricted`. */
export function namespaceLabels({ serviceName }: Workload): Record<string, string> {
  return {
    ...labels(serviceName),
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

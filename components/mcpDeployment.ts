import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings.js";
import type { Profile } from "../documents/awsConfigFile.js";
import { endpoint, labels, selectors } from "../documents/names.js";
import { networkPolicySpec } from "../documents/networkPolicy.js";
import { configData, deploymentSpec, serviceSpec, usesReadmeImage, type Workload } from "../documents/workload.js";
import type { SourceCluster } from "./sourceCluster.js";
import { Verification } from "./verification.js";

export interface McpDeploymentArgs {
  readonly settings: Settings;
  readonly cluster: SourceCluster;
  /** The accounts as this cluster's server sees them. */
  readonly profiles: readonly Profile[];
  /** Reference of the image; the reader has made sure that there is one wherever the server is deployed. */
  readonly image: pulumi.Output<string | undefined>;
  /** What has to be there before the accounts can answer. */
  readonly accounts: readonly pulumi.Resource[];
}

/** The MCP server in one cluster, guarded and verified. */
export class McpDeployment extends pulumi.ComponentResource {
  /** Address for Holmes, inside the cluster. */
  readonly endpoint: string;

  constructor({ settings, cluster, profiles, image, accounts }: McpDeploymentArgs) {
    super("holmes-aws-mcp:index:McpDeployment", `${cluster.name}/mcp`, {});
    const workload: Workload = {
      settings,
      cluster: cluster.name,
      profiles,
      image: image.apply((reference) => reference!),
    };
    const options = { parent: this, ...(cluster.provider === undefined ? {} : { provider: cluster.provider }) };
    const place = (name: string) => ({
      name,
      namespace: settings.kubernetes.namespace,
      labels: labels(settings.mcp.serviceName),
    });
    const name = settings.mcp.serviceName;
    const child = (kind: string) => `${cluster.name}/${kind}`;

    const namespace = settings.kubernetes.createNamespace
      ? [new k8s.core.v1.Namespace(child("namespace"), { metadata: namespaceMetadata(settings) }, options)]
      : [];
    const inside = { ...options, dependsOn: namespace };
    const serviceAccount = settings.kubernetes.createServiceAccount
      ? [new k8s.core.v1.ServiceAccount(child("service-account"), serviceAccountArgs(workload), inside)]
      : [];
    const config = new k8s.core.v1.ConfigMap(
      child("config"),
      { metadata: place(name), data: configData(workload) },
      inside,
    );
    const networkPolicy = settings.mcp.networkPolicy.enabled
      ? [
          new k8s.networking.v1.NetworkPolicy(
            child("network-policy"),
            { metadata: place(name), spec: networkPolicySpec(settings) },
            inside,
          ),
        ]
      : [];
    const service = new k8s.core.v1.Service(
      child("service"),
      { metadata: place(name), spec: serviceSpec(settings) },
      inside,
    );
    // The guard stands before the server does.
    const deployment = new k8s.apps.v1.Deployment(
      child("deployment"),
      { metadata: place(name), spec: deploymentSpec(workload, config.metadata.name) },
      { ...options, dependsOn: [...serviceAccount, ...networkPolicy, service] },
    );
    if (settings.mcp.replicas > 1) {
      new k8s.policy.v1.PodDisruptionBudget(
        child("disruption-budget"),
        { metadata: place(name), spec: { maxUnavailable: 1, selector: { matchLabels: selectors(name).server } } },
        inside,
      );
    }
    // The readme's image has no place where the verification's script could run.
    if (settings.verify.enabled && !usesReadmeImage(settings)) {
      new Verification({ workload, config: config.metadata.name, deployment, accounts }, options);
    }
    this.endpoint = endpoint(settings);
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

function namespaceMetadata({ kubernetes, mcp }: Settings) {
  return {
    name: kubernetes.namespace,
    labels: {
      ...labels(mcp.serviceName),
      "pod-security.kubernetes.io/enforce": "restricted",
      "pod-security.kubernetes.io/audit": "restricted",
      "pod-security.kubernetes.io/warn": "restricted",
    },
  };
}

function serviceAccountArgs({ settings, profiles }: Workload): k8s.core.v1.ServiceAccountArgs {
  const { kubernetes, mcp, defaultProfile } = settings;
  const role = profiles.find(({ name }) => name === defaultProfile)?.roleArn ?? profiles[0]!.roleArn;
  return {
    metadata: {
      name: kubernetes.serviceAccount,
      namespace: kubernetes.namespace,
      labels: labels(mcp.serviceName),
      annotations: { "eks.amazonaws.com/role-arn": role },
    },
    automountServiceAccountToken: false,
  };
}

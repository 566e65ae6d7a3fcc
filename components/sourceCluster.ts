import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterSettings } from "../config/settings.js";
import { eksKubeconfig } from "../documents/kubeconfig.js";
import type { TrustedCluster } from "../documents/profiles.js";
import { eksProvider } from "./providers.js";

/** What EKS tells about a cluster. */
export interface EksDescription {
  readonly issuerUrl: string;
  readonly endpoint: string;
  readonly certificateAuthority: string;
}

export interface SourceClusterArgs {
  readonly settings: ClusterSettings;
  /** Needed when the settings have no issuer, or when the kubeconfig is made from EKS. */
  readonly description: EksDescription | undefined;
}

/** A cluster whose service account the roles trust, and where the server may run. */
export class SourceCluster extends pulumi.ComponentResource implements TrustedCluster {
  readonly name: string;
  /** `https://…` of the OIDC issuer, given or looked up. */
  readonly issuerUrl: string;
  readonly previousIssuers: readonly string[];
  readonly roleNumber: number | undefined;
  /** Provider for the cluster's API server; undefined when nothing is deployed there. */
  readonly provider: k8s.Provider | undefined;

  constructor({ settings, description }: SourceClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("holmes-aws-mcp:index:SourceCluster", settings.name, {}, opts);
    this.name = settings.name;
    this.previousIssuers = settings.previousIssuers;
    this.roleNumber = settings.roleNumber;
    const issuerUrl = settings.issuerUrl ?? description?.issuerUrl;
    if (issuerUrl === undefined)
      throw new pulumi.ResourceError(`cluster ${settings.name}: EKS names no OIDC issuer`, this);
    this.issuerUrl = issuerUrl;
    this.provider = settings.deploy
      ? new k8s.Provider(
          `${settings.name}/kubernetes`,
          {
            ...access(settings, description),
            enableServerSideApply: true,
            // Otherwise a changed ConfigMap is replaced, and the Deployment that reads it with it: an outage for each account
            // that is added. The hash in the pod template rolls the pods.
            enableConfigMapMutable: true,
            // A re-created cluster is the same one to the provider: replacing the provider would delete through the old
            // one, whose context may name the new cluster by now. `pulumi up --refresh` makes what is missing.
            clusterIdentifier: settings.name,
          },
          { parent: this },
        )
      : undefined;
    this.registerOutputs({ issuerUrl });
  }

  /**
   * All clusters of the stack. What the config leaves out is asked from EKS first, side by side: how many roles an
   * account needs and what its providers are called depends on the issuers, so they have to be known.
   */
  static async all(clusters: readonly ClusterSettings[]): Promise<SourceCluster[]> {
    const descriptions = await Promise.all(clusters.map(describe));
    return clusters.map((settings, index) => new SourceCluster({ settings, description: descriptions[index] }));
  }
}

async function describe(cluster: ClusterSettings): Promise<EksDescription | undefined> {
  const provider = eksProvider(cluster);
  if (provider === undefined) return undefined;
  const found = await aws.eks.getCluster({ name: cluster.eksName }, { provider });
  const issuerUrl = found.identities[0]?.oidcs[0]?.issuer;
  if (issuerUrl === undefined) {
    throw new pulumi.RunError(
      `clusters: EKS cluster ${cluster.eksName} in ${cluster.region} (account ${cluster.accountId}) has no OIDC issuer; expected one, as every EKS cluster has.`,
    );
  }
  return { issuerUrl, endpoint: found.endpoint, certificateAuthority: found.certificateAuthorities[0]?.data ?? "" };
}

/** Kubeconfig by file, content or context; else made from EKS. */
function access(settings: ClusterSettings, description: EksDescription | undefined): k8s.ProviderArgs {
  const { kubeconfig, context, name, eksName, region, profile } = settings;
  if (kubeconfig !== undefined || context !== undefined) {
    return {
      ...(kubeconfig === undefined
        ? {}
        : { kubeconfig: kubeconfig.includes("\n") ? pulumi.secret(kubeconfig) : file(kubeconfig, name) }),
      ...(context === undefined ? {} : { context }),
    };
  }
  if (description === undefined || profile === undefined) {
    throw new pulumi.RunError(
      `clusters: ${name} needs kubeconfig, context or profile, because the server is deployed there.`,
    );
  }
  return { kubeconfig: eksKubeconfig({ name: eksName, region, profile, ...description }) };
}

function file(path: string, cluster: string): string {
  const full = path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
  if (!existsSync(full)) {
    throw new pulumi.RunError(
      `clusters: kubeconfig of ${cluster}: found no file at ${path}; expected the path of a kubeconfig, or its content.`,
    );
  }
  return full;
}

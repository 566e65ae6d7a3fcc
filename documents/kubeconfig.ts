/** Access to a cluster's API server, with the configured kubeconfig or one created from the EKS description. */
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { type ClusterSettings, kubeconfigPath } from "../config/settings.js";

/** A cluster as described by EKS. */
export interface EksDescription {
  /** `https://…` of the OIDC issuer. */
  readonly issuerUrl: string;
  /** `https://…` of the cluster's API server. */
  readonly endpoint: string;
  /** Certificate authority, PEM in base64. */
  readonly certificateAuthority: string;
}

/** A cluster with its issuer. `description` is set if the config omits values that EKS returns. */
export interface DescribedCluster extends ClusterSettings {
  readonly issuerUrl: string;
  readonly description: EksDescription | undefined;
}

/** Whether the issuer, or the endpoint for a kubeconfig, must be looked up in EKS. */
export function needsEks({ issuerUrl, deploy, kubeconfig, context }: ClusterSettings): boolean {
  return issuerUrl === undefined || (deploy && kubeconfig === undefined && context === undefined);
}

/** Kubeconfig and context of a cluster. Undefined when nothing is deployed there. */
export function kubernetesAccess(cluster: DescribedCluster) {
  const { deploy, kubeconfig, context, eksName, region, profile, description } = cluster;
  if (!deploy) return undefined;
  if (kubeconfig === undefined && context === undefined)
    return { kubeconfig: eksKubeconfig({ name: eksName, region, profile: profile! }, description!) };
  // A multi-line text is the content of a kubeconfig.
  return {
    kubeconfig: kubeconfig?.includes("\n") ? pulumi.secret(kubeconfig) : kubeconfig && kubeconfigPath(kubeconfig),
    context,
  };
}

/**
 * A kubeconfig with one context, as YAML. It contains no credential: kubectl gets a token from the AWS CLI.
 *
 * @param profile AWS profile with access to the cluster
 */
export function eksKubeconfig(
  { name, region, profile }: Readonly<Record<"name" | "region" | "profile", string>>,
  { endpoint, certificateAuthority }: Omit<EksDescription, "issuerUrl">,
): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: endpoint, "certificate-authority-data": certificateAuthority } }],
    users: [
      {
        name,
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1beta1",
            command: "aws",
            args: ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"],
            env: [{ name: "AWS_PROFILE", value: profile }],
            interactiveMode: "Never",
            installHint: "The AWS CLI (aws) is needed to log in to the cluster.",
          },
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}

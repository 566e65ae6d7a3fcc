/** A kubeconfig for an EKS cluster whose credentials come from `aws eks get-token`. */
import { stringify } from "yaml";

export interface EksEndpoint {
  readonly name: string;
  readonly region: string;
  /** `https://…` of the cluster's API server. */
  readonly endpoint: string;
  /** Certificate authority, PEM in base64. */
  readonly certificateAuthority: string;
  /** AWS profile that may call the cluster. */
  readonly profile: string;
}

/** The kubeconfig as YAML, with one context. It holds no credential: the AWS CLI gets a token when one is needed. */
export function eksKubeconfig({ name, region, endpoint, certificateAuthority, profile }: EksEndpoint): string {
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

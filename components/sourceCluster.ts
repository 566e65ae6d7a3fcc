import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { kubernetesProvider } from "./providers.js";

export interface SourceClusterArgs {
  /** OIDC issuer of the cluster's service account tokens, `https://…`. */
  readonly issuerUrl: string;
  /** Access to the API server. Default: nothing is deployed to the cluster. */
  readonly access?: Pick<k8s.ProviderArgs, "kubeconfig" | "context"> | undefined;
}

/** A cluster whose service account the roles trust, and where the server can run. */
export class SourceCluster extends pulumi.ComponentResource {
  /** Provider of the cluster's API server. Undefined when nothing is deployed there. */
  readonly provider: k8s.Provider | undefined;

  constructor(name: string, args: SourceClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    // A kubeconfig is long and can contain a credential. Only the provider's state contains it.
    super("holmes-aws-mcp:index:SourceCluster", name, { issuerUrl: args.issuerUrl }, opts);
    this.provider = args.access && kubernetesProvider(name, args.access, { parent: this });
    this.registerOutputs({ issuerUrl: args.issuerUrl });
  }
}

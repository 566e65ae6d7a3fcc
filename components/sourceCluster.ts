import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type DescribedCluster, kubernetesAccess } from "../documents/kubeconfig.js";
import { kubernetesProvider } from "./providers.js";

/** A cluster whose service account the roles trust, and where the server can run. */
export class SourceCluster extends pulumi.ComponentResource {
  /** Provider of the cluster's API server. Undefined when nothing is deployed there. */
  readonly provider: k8s.Provider | undefined;

  constructor(name: string, cluster: DescribedCluster, opts?: pulumi.ComponentResourceOptions) {
    const { issuerUrl } = cluster;
    // A kubeconfig is long and can contain a credential. Only the provider's state contains it.
    super("holmes-aws-mcp:index:SourceCluster", name, { issuerUrl }, opts);
    const access = kubernetesAccess(cluster);
    this.provider = access && kubernetesProvider(name, access, { parent: this });
    this.registerOutputs({ issuerUrl });
  }
}

/** The clusters that `npm run verify` checks, and the kubectl flags for each. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type ClusterSettings, kubeconfigPath, type Settings } from "../../config/settings.js";
import { selectClusters } from "../common/clusters.js";
import { UserError } from "../common/errors.js";
import type { Processes } from "../common/processes.js";

/** Options of the command line. */
export interface Given {
  readonly cluster?: string | undefined;
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
}

/**
 * The clusters to verify: the one in --cluster, or every cluster that the server is deployed to.
 *
 * @throws UserError if there is none, or if --context or --kubeconfig applies to several clusters
 */
export function clustersToVerify(
  { clusters, stack }: Pick<Settings, "clusters" | "stack">,
  { cluster, context, kubeconfig }: Given,
): ClusterSettings[] {
  const deployed = clusters.filter(({ deploy }) => deploy);
  const wanted = selectClusters(stack, deployed, cluster);
  if (wanted.length > 1 && (context !== undefined || kubeconfig !== undefined)) {
    throw new UserError(
      `--context, --kubeconfig: these options apply to one cluster. Add --cluster with one of: ${wanted.map(({ name }) => name).join(", ")}.`,
    );
  }
  return wanted;
}

/**
 * kubectl flags that select a cluster: the options of the command line, else the config. Writes a kubeconfig that the
 * config contains to a temporary file, which is deleted when `processes` stop.
 *
 * @throws UserError if the config has no kubeconfig and no context, or if the kubeconfig is a secret
 */
export function accessFlags(cluster: ClusterSettings, given: Given, processes: Processes): string[] {
  const { name, eksName, region, profile } = cluster;
  const context = given.context ?? cluster.context;
  // The kubeconfig of the config does not apply to another context.
  const kubeconfig = given.kubeconfig ?? (given.context === undefined ? cluster.kubeconfig : undefined);
  if (kubeconfig === undefined && context === undefined) {
    const account = profile === undefined ? "" : ` --profile ${profile}`;
    throw new UserError(
      `cluster ${name}: the config has no kubeconfig and no context. Run aws eks update-kubeconfig --name ${eksName} --region ${region}${account} and pass --context NAME.`,
    );
  }
  const file = kubeconfig?.includes("\n") ? writeKubeconfig(name, kubeconfig, processes) : kubeconfig;
  return [
    ...(file === undefined ? [] : [`--kubeconfig=${kubeconfigPath(file)}`]),
    ...(context === undefined ? [] : [`--context=${context}`]),
  ];
}

function writeKubeconfig(cluster: string, content: string, processes: Processes): string {
  // A secret that was not decrypted is not a kubeconfig.
  if (!parse(content)?.clusters) {
    throw new UserError(
      `cluster ${cluster}: the kubeconfig is a secret, which only Pulumi can read. Pass --context NAME or --kubeconfig FILE.`,
    );
  }
  const file = join(processes.temporaryFolder(), "kubeconfig");
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

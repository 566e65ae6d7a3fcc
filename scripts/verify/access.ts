/** Which clusters are verified on demand, and how kubectl finds each. */
import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { ClusterSettings, Settings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import type { Processes } from "../common/processes.js";

/** What was given on the command line. */
export interface Given {
  readonly cluster?: string | undefined;
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
}

/**
 * The clusters to ask: the named one, or all that the server is deployed to.
 *
 * @throws UserError when there is none, or when one context is given for several
 */
export function clustersToVerify(
  { settings, stack }: { settings: Pick<Settings, "clusters" | "mcp">; stack: string },
  { cluster, context, kubeconfig }: Given,
): ClusterSettings[] {
  const deployed = settings.mcp.enabled ? settings.clusters.filter(({ deploy }) => deploy) : [];
  if (deployed.length === 0) {
    throw new UserError(`stack ${stack} deploys no MCP server (mcp.enabled, clusters[].deploy): nothing to verify`);
  }
  const names = deployed.map(({ name }) => name).join(", ");
  const wanted = deployed.filter(({ name }) => cluster === undefined || name === cluster);
  if (wanted.length === 0) {
    throw new UserError(`stack ${stack} deploys to no cluster ${cluster}; --cluster takes one of: ${names}`);
  }
  if (wanted.length > 1 && (context !== undefined || kubeconfig !== undefined)) {
    throw new UserError(`--context and --kubeconfig are for one cluster: add --cluster with one of: ${names}`);
  }
  return wanted;
}

/**
 * Flags by which kubectl finds a cluster: what was given, else what the config says. A kubeconfig that stands in the
 * config becomes a file until `processes` stop.
 *
 * @throws UserError when only Pulumi can reach the cluster
 */
export function accessFlags(cluster: ClusterSettings, given: Given, processes: Processes): string[] {
  const { name, region, profile, context, kubeconfig } = cluster;
  if (given.kubeconfig !== undefined) return flags({ context, ...given });
  if (given.context !== undefined) return flags(given);
  if (kubeconfig === undefined && context === undefined) {
    const account = profile === undefined ? "" : ` --profile ${profile}`;
    throw new UserError(
      `cluster ${name}: the config names no kubeconfig or context, and the one from EKS is made by Pulumi alone: give --context NAME (aws eks update-kubeconfig --name ${name} --region ${region}${account} makes one)`,
    );
  }
  if (kubeconfig?.includes("\n")) return flags({ context, kubeconfig: kubeconfigFile(name, kubeconfig, processes) });
  return flags({ context, kubeconfig: kubeconfig?.replace(/^~\//, `${homedir()}/`) });
}

function flags({ context, kubeconfig }: Given): string[] {
  return [
    ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ...(context === undefined ? [] : [`--context=${context}`]),
  ];
}

function kubeconfigFile(cluster: string, content: string, processes: Processes): string {
  // Only Pulumi can read a secret. Its placeholder is not a kubeconfig.
  if (!parse(content)?.clusters) {
    throw new UserError(
      `cluster ${cluster}: its kubeconfig is a secret that only Pulumi can read. Give --context NAME or --kubeconfig FILE`,
    );
  }
  const file = join(processes.temporaryFolder(), "kubeconfig");
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

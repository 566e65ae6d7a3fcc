/** Stack outputs that follow from the settings. */
import type { Settings } from "../config/settings.js";
import { type HolmesConfig, holmesConfig } from "./holmes.js";
import { endpoint } from "./names.js";
import { profilesOf, type TrustedCluster } from "./profiles.js";

export interface StackOutputs {
  /** Role ARN by profile, then by the cluster whose tokens it trusts. */
  readonly roleArns: Record<string, Record<string, string>>;
  /** Address of the server by cluster, for clients in that cluster. */
  readonly endpoints: Record<string, string>;
  /** Holmes' configuration by cluster, as YAML. */
  readonly holmes: Record<string, HolmesConfig>;
}

export function stackOutputs(settings: Settings, clusters: readonly TrustedCluster[]): StackOutputs {
  const deployed = settings.clusters.filter(({ deploy }) => deploy).map(({ name }) => name);
  // With the server switched off Holmes' own chart takes its place, in any of the clusters.
  const withHolmes = settings.mcp.enabled ? deployed : settings.clusters.map(({ name }) => name);
  const profiles = new Map(clusters.map(({ name }) => [name, profilesOf(settings, clusters, name)]));
  const roleArns = settings.targetAccounts.map(({ profile }) => [
    profile,
    Object.fromEntries(
      [...profiles].map(([cluster, all]) => [cluster, all.find(({ name }) => name === profile)!.roleArn]),
    ),
  ]);
  return {
    roleArns: Object.fromEntries(roleArns),
    endpoints: Object.fromEntries(deployed.map((name) => [name, endpoint(settings)])),
    holmes: Object.fromEntries(withHolmes.map((name) => [name, holmesConfig(settings, profiles.get(name)!)])),
  };
}

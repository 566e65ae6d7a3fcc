/** Stack outputs, derived from the settings. */
import { endpoint } from "../config/names.js";
import type { Profile } from "../config/profiles.js";
import type { Settings } from "../config/settings.js";
import { holmesConfig } from "./holmes.js";

export type StackOutputs = ReturnType<typeof stackOutputs>;

/** @param profiles of every cluster, by its name */
export function stackOutputs(settings: Settings, profiles: ReadonlyMap<string, readonly Profile[]>) {
  const deployed = settings.clusters.filter(({ deploy }) => deploy).map(({ name }) => name);
  // With `mcp.enabled: false`, Holmes' chart can run its server in any of the clusters.
  const withHolmes = settings.mcp.enabled ? deployed : settings.clusters.map(({ name }) => name);
  const roleArns: Record<string, Record<string, string>> = {};
  for (const [cluster, accounts] of profiles) {
    for (const { name, roleArn } of accounts) roleArns[name] = { ...roleArns[name], [cluster]: roleArn };
  }
  return {
    /** Role ARN by profile, then by the cluster whose tokens it trusts. */
    roleArns,
    /** Address of the server by cluster, for clients in that cluster. */
    endpoints: Object.fromEntries(
      deployed.map((name) => [name, endpoint(settings.mcp, settings.kubernetes.namespace)]),
    ),
    /** Holmes' configuration by cluster, as YAML. */
    holmes: Object.fromEntries(withHolmes.map((name) => [name, holmesConfig(settings, profiles.get(name)!)])),
  };
}

import { UserError } from "./errors.js";

/**
 * The deployed cluster with the name in --cluster, or all of them.
 *
 * @throws UserError if there is none
 */
export function selectClusters<T extends { name: string }>(stack: string, deployed: readonly T[], only?: string): T[] {
  const selected = deployed.filter(({ name }) => only === undefined || name === only);
  if (selected.length > 0) return selected;
  const names = deployed.map(({ name }) => name).join(", ") || "none";
  throw new UserError(
    `stack ${stack}: the MCP server is not deployed to ${only ?? "a cluster"} (mcp.enabled, clusters[].deploy). Expected one of: ${names}.`,
  );
}

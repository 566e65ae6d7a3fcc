import { UserError } from "./errors.js";

/**
 * The cluster with the name in --cluster, or all of them.
 *
 * @param candidates the clusters that the command applies to, such as those that the server is deployed to
 * @throws UserError if there is none
 */
export function selectClusters<T extends { name: string }>(stack: string, candidates: T[], only?: string): T[] {
  if (candidates.length === 0) {
    throw new UserError(
      `stack ${stack}: the MCP server is not deployed to any cluster. Expected mcp.enabled: true, and a cluster without deploy: false.`,
    );
  }
  if (only === undefined) return candidates;
  const selected = candidates.filter(({ name }) => name === only);
  if (selected.length > 0) return selected;
  const names = candidates.map(({ name }) => name).join(", ");
  throw new UserError(
    `--cluster ${only}: stack ${stack} has no such cluster, or does not deploy the MCP server to it. Expected one of: ${names}.`,
  );
}

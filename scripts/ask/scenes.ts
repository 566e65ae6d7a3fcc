/** The scenes of scenarios in an emulated AWS, behind the real MCP server of a stack. */
import { project } from "../../config/settings.js";
import type { HolmesConfig } from "../../documents/holmes.js";
import { selectClusters } from "../common/clusters.js";
import { evaluate } from "../common/evaluate.js";
import type { Processes } from "../common/processes.js";
import type { StackConfig } from "../common/stackFile.js";
import { startLocalStack } from "../emulation/localStack.js";
import { type AccountPlace, buildScenes, fill, places, type Scenario } from "./scenario.js";
import { startSceneFront } from "./sceneFront.js";

/** Added to each stack: an account without the OIDC provider and the role, as after a failed or an incomplete deployment. */
const unavailable: AccountPlace = { profile: "retired", id: "999999999999", region: "us-east-1" };

export type Scenes = Awaited<ReturnType<typeof startScenes>>;
export type Chain = Scenes["chain"];

/**
 * @throws UserError when something is missing on this machine, or the stack has fewer than two target accounts
 */
export async function startScenes(
  processes: Processes,
  stack: string,
  config: StackConfig,
  scenarios: readonly Scenario[],
) {
  // First without the additional account, so that an invalid config is reported as it is written.
  const { targetAccounts: available } = (await evaluate(stack, config)).settings;
  const accounts = { ...places(available), unavailable };
  const evaluation = await evaluate(stack, withAccount(config, unavailable));
  const deployed = evaluation.clusters.filter(({ deploy }) => deploy);
  const cluster = selectClusters(stack, deployed)[0]!.name;
  const { awsUrl, startServer } = await startLocalStack(processes, evaluation, available);
  const policies = available.map(
    ({ accountId, permissions }) => [accountId, permissions.policies.map(({ document }) => document)] as const,
  );
  const front = await startSceneFront(awsUrl, new Map(policies));
  processes.onStop(() => front.close());
  const chain = { ...(await startServer(cluster, front.url)), evaluation, cluster };
  const facts = await buildScenes(awsUrl, accounts, scenarios);
  for (const { name, recorded = [] } of scenarios) {
    for (const { account, action, answer } of recorded) {
      const filled = fill(JSON.stringify(answer), facts.get(name)!);
      front.recorded.set(`${accounts[account].id} ${action}`, JSON.parse(filled));
    }
  }
  return {
    /** The path from an MCP client to the emulated AWS, in the first cluster that the server is deployed to. */
    chain,
    front,
    /** What the scenes created, by scenario. */
    facts,
  };
}

function withAccount(config: StackConfig, { profile, id, region }: AccountPlace): StackConfig {
  const key = `${project}:targetAccounts`;
  const account = { profile, accountId: id, region, description: "Retired account" };
  const all = [...(JSON.parse(config.values[key] ?? "[]") as object[]), account];
  return { ...config, values: { ...config.values, [key]: JSON.stringify(all) } };
}

/** A text of the stack's outputs with the server's address in the cluster replaced by the address on this machine. */
export const withLocalAddress = (text: string, { endpoint }: Pick<Chain, "endpoint">): string =>
  text.replace(/http:\/\/[\w.-]+:8000(?=\/(?:sse|mcp))/, new URL(endpoint.url).origin);

/** The stack's outputs for Holmes. */
export const holmesOutputs = ({ evaluation, cluster }: Pick<Chain, "evaluation" | "cluster">) =>
  (evaluation.outputs.holmes as Record<string, Record<keyof HolmesConfig, string>>)[cluster]!;

/** `toolsets.yaml` of Holmes' own evaluations: the stack's output for the CLI, with the address and the token of this run. */
export const evaluationToolsets = (chain: Chain): string =>
  withLocalAddress(holmesOutputs(chain).mcpServers, chain).replace(/\{\{ env\.\w+ \}\}/, chain.endpoint.token ?? "");

/** Runs HolmesGPT's config loader, toolsets and tool-calling loop (replay.py), with a stand-in for the model. */
import { join } from "node:path";
import type { Chain } from "../../scripts/ask/scenes.js";
import { projectFolder } from "../../scripts/common/command.js";
import { type Processes, tail } from "../../scripts/common/processes.js";
import { ensureHolmes } from "../../scripts/emulation/python.js";
import { stockServerBin } from "../stockServer.js";
import type { ModelStandIn } from "./model.js";

export interface ReplayJob {
  /** Config files of the CLI. */
  readonly configs: readonly string[];
  /** A `toolsets.yaml`, which HolmesGPT's evaluations load. */
  readonly evaluation: string;
  /** The file of `configs` that is used for the questions. */
  readonly ask: string;
  readonly questions: readonly string[];
}

export interface Toolset {
  readonly status: string;
  readonly error: string | null;
  readonly tools: readonly string[];
  readonly schema: string;
}

export interface Replay {
  /** By file of `configs` and by name. */
  readonly toolsets: Readonly<Record<string, Readonly<Record<string, Toolset>>>>;
  /** As loaded by HolmesGPT's evaluations, by name. */
  readonly evaluation: Readonly<Record<string, Toolset>>;
  readonly questions: Readonly<
    Record<string, { readonly seconds: number; readonly calls: readonly { status: string; error: string | null }[] }>
  >;
}

export async function replay(
  processes: Processes,
  { endpoint }: Chain,
  model: ModelStandIn,
  job: ReplayJob,
): Promise<Replay> {
  const { holmesPython } = await ensureHolmes();
  const child = processes.start("HolmesGPT", holmesPython, [join(projectFolder, "test/holmes/replay.py")], {
    env: {
      PATH: process.env.PATH,
      HOME: processes.temporaryFolder(),
      OPENAI_API_BASE: model.url,
      OPENAI_API_KEY: "none",
      HOLMES_AWS_MCP_TOKEN: endpoint.token ?? "none",
      NO_PROXY: "127.0.0.1",
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
    },
    stdin: "pipe",
    outputLimit: 10_000_000,
  });
  child.stdin!.end(JSON.stringify(job));
  if ((await child.exited) !== 0) throw new Error(`HolmesGPT ended early${tail(child, 40)}`);
  return JSON.parse(child.output().trim().split("\n").at(-1)!);
}

/** A config of the CLI for the MCP server without the launcher. */
export const stockServer = (serverPython: string, { pod }: Chain) => {
  const env = { ...pod.environment, AWS_API_MCP_TRANSPORT: "stdio" };
  const config = { mode: "stdio", command: stockServerBin(serverPython), args: [], env };
  return { mcp_servers: { stock: { description: "The MCP server without the launcher", config } } };
};

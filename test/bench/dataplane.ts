/**
 * `npm run bench:dataplane`: the MCP server through our gateway (SSE), by itself (streamable HTTP) and over stdio with
 * nothing around it, side by side in one run. Every call is one AssumeRoleWithWebIdentity and one GetCallerIdentity
 * against an emulated AWS. Times depend on the machine; the ratios are what to read.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import Table from "cli-table3";
import { toStderr } from "../../scripts/common/progress.js";
import type { McpEndpoint } from "../../scripts/emulation/mcpClient.js";
import { type Lab, memory, startLab } from "../dataplane/lab.js";

const CLIENTS = [1, 10, 50];
/** Each round has every way once, so that a slow moment of the machine hits all of them. */
const ROUNDS = 3;
/** Calls of a client that is alone, one after the other. */
const ALONE = 20;
const PINGS = 200;
const TIMEOUT = { timeout: 600_000 };
const MEGABYTE = 1_048_576;

/** One way to the server. */
interface Way {
  name: string;
  pid: number;
  /** A client with a connection of its own; over stdio there is one connection, which all share. */
  open(): Promise<Client>;
  close(client: Client): Promise<void>;
}

interface Sample {
  /** Milliseconds of each call, with its connection where each has one. */
  calls: number[];
  /** Of all clients together, from the first call's start to the last one's end. */
  seconds: number;
  /** Bytes of all processes of this way. */
  memory: number;
}

const connected = async (transport: StdioClientTransport | SSEClientTransport | StreamableHTTPClientTransport) => {
  const client = new Client({ name: "bench", version: "1.0.0" });
  await client.connect(transport, TIMEOUT);
  return client;
};

async function startWays(lab: Lab): Promise<Way[]> {
  const served = async (name: string, transport: McpEndpoint["transport"]): Promise<Way> => {
    const { endpoint, child } = await lab.start(transport);
    const url = new URL(endpoint.url);
    const open = () =>
      connected(transport === "sse" ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url));
    return { name, pid: child.pid, open, close: (client) => client.close() };
  };
  const pipe = new StdioClientTransport({ ...(await lab.stdio()), stderr: "ignore" });
  const shared = await connected(pipe);
  return [
    { name: "stdio, server alone", pid: pipe.pid!, open: async () => shared, close: async () => {} },
    await served("HTTP, native", "streamable-http"),
    await served("SSE, our gateway", "sse"),
  ];
}

/** All clients at once, each as Holmes: it connects, initializes, makes one call and leaves. One client does so many times. */
async function measure(lab: Lab, way: Way, clients: number): Promise<Sample> {
  const calls: number[] = [];
  let bytes = 0;
  const visit = async (mark: number) => {
    const { command, arn } = lab.marked(mark);
    const began = performance.now();
    const session = await way.open();
    const answer = await session.callTool(
      { name: "call_aws", arguments: { cli_command: command } },
      undefined,
      TIMEOUT,
    );
    calls.push(performance.now() - began);
    // While the last connections are still open.
    if (calls.length === clients) bytes = memory(way.pid);
    await way.close(session);
    // A fast wrong answer is worth nothing.
    const text = (answer.content as { text: string }[])[0]!.text.replaceAll('\\"', '"');
    if (!text.includes(arn)) throw new Error(`${way.name}: a wrong answer to ${command}: ${text.slice(0, 200)}`);
  };
  const start = performance.now();
  if (clients === 1) for (let mark = 0; mark < ALONE; mark += 1) await visit(mark);
  else await Promise.all(Array.from({ length: clients }, (_, mark) => visit(mark)));
  return { calls, seconds: (performance.now() - start) / 1000, memory: bytes };
}

/** Median milliseconds of a round trip that costs the server next to nothing, all ways by turns. */
async function pings(ways: Way[]): Promise<number[]> {
  const sessions = await Promise.all(ways.map((way) => way.open()));
  const times: number[][] = ways.map(() => []);
  for (let turn = 0; turn < PINGS; turn += 1) {
    for (const [index, session] of sessions.entries()) {
      const began = performance.now();
      await session.ping(TIMEOUT);
      times[index]!.push(performance.now() - began);
    }
  }
  await Promise.all(ways.map((way, index) => way.close(sessions[index]!)));
  return times.map(median);
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

const median = (values: number[]) => quantile(values, 0.5);

/** Each figure's median over the rounds; of memory the highest. */
const summary = (samples: Sample[]) => ({
  p50: median(samples.map(({ calls }) => quantile(calls, 0.5))),
  p95: median(samples.map(({ calls }) => quantile(calls, 0.95))),
  perSecond: median(samples.map(({ calls, seconds }) => calls.length / seconds)),
  memory: Math.max(...samples.map((sample) => sample.memory)),
});

/** How many times as long as the other way: round by round, and then the median, so that a slow round weighs nothing. */
const ratio = (share: number, samples: Sample[], others: Sample[]) =>
  median(samples.map(({ calls }, round) => quantile(calls, share) / quantile(others[round]!.calls, share)));

const lab = await startLab({ marks: Math.max(...CLIENTS) });
try {
  const ways = await startWays(lab);
  toStderr("Warming up");
  for (const way of ways) await measure(lab, way, 4);

  const samples = new Map<string, Sample[]>();
  for (const clients of CLIENTS) {
    for (let round = 0; round < ROUNDS; round += 1) {
      // Each way is first, second and last once.
      for (const way of [...ways.slice(round), ...ways.slice(0, round)]) {
        toStderr(`${clients} clients, round ${round + 1} of ${ROUNDS}: ${way.name}`);
        const key = `${way.name} ${clients}`;
        samples.set(key, [...(samples.get(key) ?? []), await measure(lab, way, clients)]);
      }
    }
  }
  const of = (way: number, clients: number) => samples.get(`${ways[way]!.name} ${clients}`)!;

  const style = { head: [], border: [] };
  const table = new Table({
    head: ["clients", "way", "p50 ms", "p95 ms", "calls/s", "memory MB", "p50 : stdio", "p95 : stdio", "p95 : HTTP"],
    colAligns: ["right", "left", "right", "right", "right", "right", "right", "right", "right"],
    style,
  });
  for (const clients of CLIENTS) {
    const [stdio, http] = [of(0, clients), of(1, clients)];
    for (const [index, { name }] of ways.entries()) {
      const own = of(index, clients);
      const { p50, p95, perSecond, memory: bytes } = summary(own);
      const ratios = [ratio(0.5, own, stdio), ratio(0.95, own, stdio), ratio(0.95, own, http)].map((times) =>
        times.toFixed(2),
      );
      const figures = [p50.toFixed(0), p95.toFixed(0), perSecond.toFixed(1), (bytes / MEGABYTE).toFixed(0)];
      table.push([clients, name, ...figures, ...ratios]);
    }
  }
  const [stdio, http, sse] = (await pings(ways)) as [number, number, number];
  const last = CLIENTS.at(-1)!;
  const times = ratio(0.95, of(2, last), of(1, last));
  const verdict = (reached: boolean) => (reached ? "reached" : "NOT REACHED");
  process.stdout.write(
    [
      table.toString(),
      `An empty round trip (ping), median of ${PINGS}: stdio ${stdio.toFixed(1)} ms, HTTP ${http.toFixed(1)} ms, SSE ${sse.toFixed(1)} ms`,
      `The gateway's cost per call at one client, to be at most 5 ms over stdio: ${(sse - stdio).toFixed(1)} ms, ${verdict(sse - stdio <= 5)}`,
      `p95 of SSE at ${last} clients, to be no worse than native HTTP's: ${times.toFixed(2)} of it, ${verdict(times <= 1)}`,
      "",
    ].join("\n"),
  );
  await ways[0]!.open().then((client) => client.close());
} finally {
  await lab.close();
}

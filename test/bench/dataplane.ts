/**
 * `npm run bench:dataplane`: the stock server and the launcher, each by itself (streamable HTTP) and behind the gateway
 * (SSE), side by side in one run, with an AWS that responds immediately and one that takes 1 s. Times depend on the
 * machine. Compare the ratios.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import Table from "cli-table3";
import { toStderr } from "../../scripts/common/progress.js";
import type { McpEndpoint } from "../../scripts/emulation/mcpClient.js";
import { type Lab, memory, startLab } from "../dataplane/lab.js";

const ACCOUNTS = 20;
const CLIENTS = [1, 50];
/** Latency of AWS in milliseconds, and the number of rounds. Each round measures every way once, in another order. */
const LATENCIES = [
  { latency: 0, rounds: 3, targets: ["p50 : stock ≤ 0.2", "calls/s : stock ≥ 10, p95 ≤ 1500 ms, ≤ 512 MB"] },
  { latency: 1000, rounds: 1, targets: ["", "calls/s : stock ≥ 12, ≤ 512 MB"] },
];
/** Calls of a single client, in sequence. */
const ALONE = 5;
const TIMEOUT = { timeout: 600_000 };
const MEGABYTE = 1_048_576;

/** One way to the server. */
interface Way {
  readonly name: string;
  readonly endpoint: McpEndpoint;
  readonly pid: number;
}

interface Sample {
  /** Milliseconds of each call, without its connection. */
  readonly calls: readonly number[];
  /** Of all clients together, from the first connection to the last response. */
  readonly seconds: number;
  /** Bytes of all processes of this way. */
  readonly memory: number;
}

async function startWays(lab: Lab): Promise<Way[]> {
  const ways: Way[] = [];
  for (const transport of ["streamable-http", "sse"] as const) {
    for (const stock of [true, false]) {
      const { endpoint, child } = await lab.start(transport, { stock });
      ways.push({ name: `${transport}, ${stock ? "stock" : "launcher"}`, endpoint, pid: child.pid });
    }
  }
  return ways;
}

async function connect({ endpoint }: Way): Promise<Client> {
  const url = new URL(endpoint.url);
  const client = new Client({ name: "bench", version: "1.0.0" });
  const sse = endpoint.transport === "sse";
  await client.connect(sse ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url), TIMEOUT);
  return client;
}

/** Clients run in parallel. Each connects, makes one call and disconnects, as Holmes does; a single client five times. */
async function measure(lab: Lab, way: Way, clients: number, latency: number): Promise<Sample> {
  const calls: number[] = [];
  let bytes = 0;
  const visit = async (number: number) => {
    const mark = number % ACCOUNTS;
    const name = `/slow/${latency}/${number}`;
    const marked = lab.marked(mark);
    const [command, expected] =
      latency === 0
        ? [marked.command, marked.arn]
        : [`aws ssm get-parameter --name ${name} --profile mark-${mark}`, `value of ${name}`];
    const session = await connect(way);
    const began = performance.now();
    const params = { name: "call_aws", arguments: { cli_command: command } };
    const answer = await session.callTool(params, undefined, TIMEOUT);
    calls.push(performance.now() - began);
    // While the last connections are still open.
    if (calls.length === clients) bytes = memory(way.pid);
    await session.close();
    // The response must be right, not only fast.
    const text = (answer.content as { text: string }[])[0]!.text.replaceAll('\\"', '"');
    if (!text.includes(expected)) throw new Error(`${way.name}: a wrong answer to ${command}: ${text.slice(0, 200)}`);
  };
  const start = performance.now();
  if (clients === 1) for (let number = 0; number < ALONE; number += 1) await visit(number);
  else await Promise.all(Array.from({ length: clients }, (_, number) => visit(number)));
  return { calls, seconds: (performance.now() - start) / 1000, memory: bytes };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

const median = (values: readonly number[]) => quantile(values, 0.5);

/** The median of each figure over the rounds, and the maximum of the memory. */
const summary = (samples: readonly Sample[]) => ({
  p50: median(samples.map(({ calls }) => quantile(calls, 0.5))),
  p95: median(samples.map(({ calls }) => quantile(calls, 0.95))),
  perSecond: median(samples.map(({ calls, seconds }) => calls.length / seconds)),
  memory: Math.max(...samples.map((sample) => sample.memory)),
});

const lab = await startLab({ marks: ACCOUNTS });
try {
  const ways = await startWays(lab);
  toStderr("Warming up");
  for (const way of ways) await measure(lab, way, ACCOUNTS, 0);

  for (const { latency, rounds, targets } of LATENCIES) {
    for (const [index, clients] of CLIENTS.entries()) {
      if (targets[index]) process.stdout.write(`Target of the launcher: ${targets[index]}\n`);
      const table = new Table({
        head: ["AWS s", "clients", "way", "p50 ms", "p95 ms", "calls/s", "memory MB", "p50 : stock", "calls/s : stock"],
        colAligns: ["right", "right", "left", "right", "right", "right", "right", "right", "right"],
        style: { head: [], border: [] },
      });
      const samples = new Map<Way, Sample[]>(ways.map((way) => [way, []]));
      for (let round = 0; round < rounds; round += 1) {
        for (const way of [...ways.slice(round), ...ways.slice(0, round)]) {
          toStderr(`${latency / 1000} s, ${clients} clients, round ${round + 1} of ${rounds}: ${way.name}`);
          samples.get(way)!.push(await measure(lab, way, clients, latency));
        }
      }
      const figures = ways.map((way) => summary(samples.get(way)!));
      for (const [number, { name }] of ways.entries()) {
        const own = figures[number]!;
        // The stock server is the first of each pair.
        const stock = figures[number - (number % 2)]!;
        table.push([
          latency / 1000,
          clients,
          name,
          ...[own.p50.toFixed(0), own.p95.toFixed(0), own.perSecond.toFixed(1), (own.memory / MEGABYTE).toFixed(0)],
          ...(own === stock
            ? ["", ""]
            : [(own.p50 / stock.p50).toFixed(2), (own.perSecond / stock.perSecond).toFixed(1)]),
        ]);
      }
      process.stdout.write(`${table.toString()}\n`);
    }
  }
} finally {
  await lab.close();
}

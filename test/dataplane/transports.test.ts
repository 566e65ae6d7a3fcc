import { existsSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callTool, type McpEndpoint, withMcp } from "../../scripts/emulation/mcpClient.js";
import { descriptors, family, type Lab, memory, ParameterStore, type Running, startLab } from "./lab.js";
import { RawSession } from "./rawSession.js";

const MEGABYTE = 1_048_576;
/** Time after which a call counts as lost, in milliseconds. */
const patience = 290_000;
const onLinux = existsSync("/proc/self/smaps_rollup");

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab?.close());

/** The text of a tool's result. */
const textOf = (result: unknown) =>
  (result as { content: { text: string }[] }).content.map(({ text }) => text.replaceAll('\\"', '"')).join("");
const callAws = (command: string) => ({ name: "call_aws", arguments: { cli_command: command } });
async function connect(endpoint: McpEndpoint): Promise<Client> {
  const url = new URL(endpoint.url);
  const client = new Client({ name: "test", version: "1" });
  const transport = endpoint.transport === "sse" ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
  await client.connect(transport, { timeout: patience });
  return client;
}
/** One call over a separate connection. */
const ask = (endpoint: McpEndpoint, command: string) =>
  withMcp(endpoint, async (client) =>
    textOf(await client.callTool(callAws(command), undefined, { timeout: patience })),
  );
const parameter = (name: string) => `aws ssm get-parameter --name ${name} --profile mark-0`;

describe.each(["sse", "streamable-http"] as const)("%s", (transport) => {
  let running: Running;
  beforeAll(async () => {
    running = await lab.start(transport);
  });
  afterAll(() => running?.stop());
  afterEach(async () => {
    // After each test the process still runs, and the next caller receives its own response.
    expect(running.child.exitCode).toBeUndefined();
    const { command, arn } = lab.marked(500);
    expect(await ask(running.endpoint, command)).toContain(arn);
  });

  test.each([1, 2, 10, 50])(
    "%i concurrent clients: every call returns the response of its account",
    async (clients) => {
      const calls = 2;
      const lost: number[] = [];
      const wrong: number[] = [];
      // All sessions are open before the first call, so that a response can reach any wrong session.
      const sessions = await Promise.all(Array.from({ length: clients }, () => connect(running.endpoint)));
      const call = async (session: Client, mark: number) => {
        const { command, arn } = lab.marked(mark);
        try {
          const answer = await session.callTool(callAws(command), undefined, { timeout: patience });
          if (!textOf(answer).includes(arn)) wrong.push(mark);
        } catch {
          lost.push(mark);
        }
      };
      await Promise.all(
        sessions.flatMap((session, index) =>
          Array.from({ length: calls }, (_, number) => call(session, index * calls + number)),
        ),
      );
      await Promise.all(sessions.map((session) => session.close()));
      expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
    },
    900_000,
  );

  test("a disconnect during a call does not affect other clients, and its late response is dropped", async () => {
    const name = `/hold/left-${transport}`;
    const leaving = await RawSession.open(running.endpoint);
    void leaving.request("tools/call", callAws(parameter(name)));
    await lab.parameters.asked(name);
    leaving.close();
    const next = RawSession.open(running.endpoint);
    lab.parameters.release(name);
    const session = await next;
    // Clients use the same IDs: this call has the ID of the abandoned call.
    const { command, arn } = lab.marked(1);
    expect(textOf((await session.request("tools/call", callAws(command), 1)).result)).toContain(arn);
    await sleep(200);
    expect(JSON.stringify(session.received)).not.toContain(name);
    session.close();
  });

  test("a cancellation during a call ends only that call", async () => {
    const name = `/hold/cancelled-${transport}`;
    await withMcp(running.endpoint, async (client) => {
      const abort = new AbortController();
      const cancelled = client.callTool(callAws(parameter(name)), undefined, {
        signal: abort.signal,
      });
      const { command, arn } = lab.marked(2);
      await lab.parameters.asked(name);
      const other = ask(running.endpoint, command);
      abort.abort("changed my mind");
      await expect(cancelled).rejects.toThrow("changed my mind");
      lab.parameters.release(name);
      expect(await other).toContain(arn);
      const again = await client.callTool(callAws(lab.marked(3).command));
      expect(textOf(again)).toContain(lab.marked(3).arn);
    });
  });

  test("invalid JSON, JSON-RPC or MCP messages affect only their sender", async () => {
    const bad = await RawSession.open(running.endpoint);
    const good = await RawSession.open(running.endpoint);
    const bodies = [
      "",
      "{",
      "nonsense",
      "[]",
      "null",
      "7",
      '{"jsonrpc":"1.0","id":1,"method":"ping"}',
      '{"jsonrpc":"2.0","id":{},"method":"ping"}',
      '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
      '{"jsonrpc":"2.0","id":null,"method":"ping"}',
      '{"jsonrpc":"2.0","id":3,"result":{}}',
      '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":7}}',
      '{"jsonrpc":"2.0","id":5,"method":"no/such"}',
      '{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"call_aws","arguments":{"cli_command":"\\ud800"}}}',
      '{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":7}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled"}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}',
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}',
      '{"jsonrpc":"2.0","method":"notifications/nonsense","params":{"x":1}}',
      `{"jsonrpc":"2.0","id":8,"method":"ping","params":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
    ];
    for (const body of bodies) await bad.post(body);
    await bad.post('{"jsonrpc":"2.0","id":9,"method":"ping"}', { "content-type": "text/plain" });
    await bad.post('{"jsonrpc":"2.0","id":9,"method":"ping"}', { host: "[" });
    const { command, arn } = lab.marked(4);
    expect(textOf((await good.request("tools/call", callAws(command))).result)).toContain(arn);
    bad.close();
    good.close();
  });

  test("a response just below the limit is complete, and one above it is an error with a fix", async () => {
    const tooLarge = await callTool(running.endpoint, "call_aws", {
      cli_command: parameter(`/size/${2 * MEGABYTE}/${transport}`),
    });
    expect(tooLarge).toEqual({ isError: true, text: expect.stringMatching(/exceeds 1000000 bytes.*--query/) });
    const name = `/size/${900_000}/${transport}`;
    const [large, ...small] = await Promise.all([
      ask(running.endpoint, parameter(name)),
      ...[5, 6].map((mark) => ask(running.endpoint, lab.marked(mark).command)),
    ]);
    expect(large.includes(ParameterStore.value(name))).toBe(true);
    for (const [index, text] of small.entries()) expect(text).toContain(lab.marked(5 + index).arn);
  });

  test("a write is denied, and an unknown profile and a missing one are errors", async () => {
    expect(
      await ask(running.endpoint, "aws ec2 run-instances --image-id ami-00000000000000000 --profile mark-0"),
    ).toContain("denied by security policy");
    expect(await ask(running.endpoint, "aws sts get-caller-identity --profile unknown-profile")).toMatch(
      /unknown-profile.*not be found/,
    );
    expect(await ask(running.endpoint, "aws sts get-caller-identity")).toMatch(/No AWS credentials found.*mark-0/);
  });

  test.skipIf(!onLinux)(
    "6,400 clients that come and go leave no memory and no descriptor behind",
    async () => {
      const { pid } = running.child;
      const visits = async (count: number) => {
        const lists = 10;
        for (let done = 0; done < count; done += lists) {
          await Promise.all(
            Array.from({ length: lists }, () => withMcp(running.endpoint, (client) => client.listTools())),
          );
        }
      };
      // First let the heaps grow to their working size: the minimum before the first collection is below all later minima.
      await visits(800);
      // Node.js collects garbage at least every six rounds. Each half must include a collection.
      const half = 8;
      const open = descriptors(pid);
      const after: number[] = [];
      for (let round = 0; round < 2 * half; round += 1) {
        await visits(400);
        after.push(memory(pid));
      }
      // Sockets close shortly after the clients disconnect.
      for (let wait = 0; wait < 50 && descriptors(pid) > open; wait += 1) await sleep(100);
      expect(descriptors(pid)).toBeLessThanOrEqual(open);
      // The runtimes collect garbage at any time, so only the minima are compared.
      const grown = Math.min(...after.slice(half)) - Math.min(...after.slice(0, half));
      const figures = after.map((bytes) => (bytes / MEGABYTE).toFixed(0)).join(", ");
      process.stderr.write(`${transport}: memory after each 400 reconnects: ${figures} MB\n`);
      // 10 KB a client: what a session leaves behind is far more (its transport alone holds some 50 KB until collected).
      expect(grown).toBeLessThan(half * 400 * 10_000);
    },
    900_000,
  );

  test("the output of the process contains no response", () => {
    const log = running.log();
    for (const text of ["arn:aws", "assumed-role", "value of", `<${transport}>`]) {
      expect(log.includes(text), `"${text}" in the log`).toBe(false);
    }
  });
});

/** Of the liveness probe (documents/deployment.ts), which the kubelet sends 6 times before it restarts the container. */
const PROBE_TIMEOUT_MS = 10_000;

describe.skipIf(!onLinux).each(["sse", "streamable-http"] as const)("the health of the %s process", (transport) => {
  test("ends within 45 s when the server does not respond, and returns with its responses", async () => {
    const running = await lab.start(transport);
    const url = new URL("/healthz", running.endpoint.url);
    const isHealthy = () =>
      fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
        ({ ok }) => ok,
        () => false,
      );
    const server = family(running.child.pid).at(-1)!;
    expect(await isHealthy()).toBe(true);
    process.kill(server, "SIGSTOP");
    await expect.poll(isHealthy, { timeout: 45_000, interval: 1000 }).toBe(false);
    process.kill(server, "SIGCONT");
    await expect.poll(isHealthy, { timeout: 15_000, interval: 1000 }).toBe(true);
    await running.stop();
  });
});

describe.each(["sse", "streamable-http"] as const)("the end of the %s process", (transport) => {
  const within = async (milliseconds: number, child: Running["child"]) => {
    const start = performance.now();
    const code = await Promise.race([child.exited, sleep(10_000, "still running", { ref: false })]);
    const took = performance.now() - start;
    return { code, inTime: took < milliseconds };
  };

  test("follows SIGTERM within 1 s, idle or with an open session", async () => {
    for (const busy of [false, true]) {
      const running = await lab.start(transport);
      const session = busy ? await RawSession.open(running.endpoint) : undefined;
      process.kill(running.child.pid, "SIGTERM");
      // The server closes open connections and then ends by the signal, as uvicorn does.
      const code = transport === "sse" ? 0 : 128 + constants.signals.SIGTERM;
      expect(await within(1000, running.child), busy ? "with a session" : "idle").toEqual({ code, inTime: true });
      session?.close();
    }
  });

  test("follows the end of the server within 1 s, with an error code", async () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const running = await lab.start(transport);
      const session = await RawSession.open(running.endpoint);
      const server = onLinux ? family(running.child.pid).at(-1)! : running.child.pid;
      // Over HTTP the process is the server, so only a termination by a signal is an error.
      if (transport === "streamable-http" && signal === "SIGTERM") {
        await running.stop();
        continue;
      }
      process.kill(server, signal);
      const end = await within(1000, running.child);
      expect(end.inTime).toBe(true);
      expect(end.code).not.toBe(0);
      session.close();
    }
  });
});

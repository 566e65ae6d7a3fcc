import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Child, freePort, Processes, waitForHttp } from "../../scripts/common/processes.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";
import { RawSession } from "../dataplane/rawSession.js";

/** A stdio server that fails on request. */
const SERVER = `
const { closeSync, writeSync } = require("node:fs");
process.stderr.write("starting\\n");
if (process.argv[2] === "broken") process.exit(0);
process.on("SIGTERM", () => process.argv[2] === "stubborn" || process.exit(0));
const print = (text) => { for (let rest = Buffer.from(text + "\\n"); rest.length > 0; ) { try { rest = rest.subarray(writeSync(1, rest)); } catch (error) { if (error.code !== "EAGAIN") throw error; } } };
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const answer = (result) => print(JSON.stringify({ jsonrpc: "2.0", id, result }));
  if (method === "garbage") ["not json", "{broken", "null", "7", "[]", "", "{}", '{"id":99999,"result":1}', '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"SECRET"}}'].forEach(print);
  if (method === "large") return answer("x".repeat(params.size));
  if (method === "slow") return setTimeout(() => answer({ slow: params.mark }), 300);
  if (method === "exit") process.exit(params.code);
  if (method === "mute") return closeSync(1);
  if (method === "ping" && process.argv[2] === "wedged") return;
  answer({ echo: params ?? {}, SECRET: "SECRET" });
});
setInterval(() => {}, 1000);
`;

let gateway: string;
let folder: string;
let server: string;
/** Processes of one test. */
const processes = new Processes();
/** Processes that several tests use. */
const shared = new Processes();
beforeAll(async () => {
  gateway = await ensureGateway();
  folder = await mkdtemp(path.join(tmpdir(), "gateway-"));
  server = path.join(folder, "server.cjs");
  await writeFile(server, SERVER);
}, 300_000);
afterEach(() => processes.stopAll());
afterAll(async () => {
  await shared.stopAll();
  await rm(folder, { recursive: true, force: true });
});

async function start(mood = "", env: NodeJS.ProcessEnv = {}, owner = processes) {
  const port = await freePort();
  const args = ["--stdio", `exec ${process.execPath} ${server} ${mood}`, "--outputTransport", "sse"];
  const rest = ["--host", "127.0.0.1", "--port", String(port), "--healthEndpoint", "/healthz", "--logLevel", "none"];
  const child = owner.start("gateway", process.execPath, [gateway, ...args, ...rest], {
    env: { ...process.env, ...env },
  });
  const url = `http://127.0.0.1:${port}/sse`;
  return { child, port, endpoint: { transport: "sse", url } as const };
}
async function ready(mood?: string, env?: NodeJS.ProcessEnv, owner?: Processes) {
  const running = await start(mood, env, owner);
  await waitForHttp(`http://127.0.0.1:${running.port}/healthz`, { child: running.child });
  return running;
}
/** The exit code, or a text with the time after which the kubelet would have restarted the container. */
const ended = (child: Child) => Promise.race([child.exited, sleep(3000, "still running after 3 s", { ref: false })]);

describe("the gateway's process", () => {
  describe("with a healthy server", () => {
    let running: Awaited<ReturnType<typeof ready>>;
    beforeAll(async () => {
      running = await ready("", {}, shared);
    });

    test("keeps sessions apart, with invalid lines from the server in between", async () => {
      const { endpoint, child } = running;
      const [first, second] = await Promise.all([RawSession.open(endpoint), RawSession.open(endpoint)]);
      const answers = await Promise.all([
        first.request("slow", { mark: "first" }, 1),
        second.request("garbage", { mark: "second" }, 1),
        second.request("slow", { mark: "third" }, "1"),
      ]);
      expect(answers).toMatchObject([
        { id: 1, result: { slow: "first" } },
        { id: 1, result: { echo: { mark: "second" } } },
        { id: "1", result: { slow: "third" } },
      ]);
      // One response to initialize and one to each request: no notification, no response of another client.
      expect([first.received.length, second.received.length]).toEqual([2, 3]);
      // Only the stderr of the server.
      expect(child.output()).toBe("starting\n");
    });

    test("forwards a response of 5 MB", async () => {
      const { endpoint } = running;
      const session = await RawSession.open(endpoint);
      const { result } = await session.request("large", { size: 5 * 1_048_576 });
      expect(result).toBe("x".repeat(5 * 1_048_576));
    });

    test("rejects invalid messages with 400 and keeps running", async () => {
      const { endpoint, port, child } = running;
      const session = await RawSession.open(endpoint);
      for (const body of ["", "{", "[]", "7", '{"jsonrpc":"2.0","id":{},"method":"x"}']) {
        expect(await session.post(body), body).toBe(400);
      }
      const ping = '{"jsonrpc":"2.0","id":"p","method":"ping"}';
      expect(await session.post(ping, { host: "[" })).toBe(400);
      expect(await session.post(ping, { "content-type": "text/plain" })).toBe(400);
      const status = (query: string) =>
        new Promise((resolve) => {
          const options = { port, method: "POST", path: `/message${query}`, agent: false };
          request(options, (response) => resolve(response.resume().statusCode)).end(ping);
        });
      expect([
        await status(""),
        await status("?sessionId=unknown-session"),
        await status("?sessionId=__proto__"),
      ]).toEqual([400, 503, 503]);
      expect(await session.request("echo", { still: "here" })).toMatchObject({ result: { echo: { still: "here" } } });
      expect(child.exitCode).toBeUndefined();
    });

    // Only Linux assigns all addresses of 127.0.0.0/8 to the loopback interface.
    test.skipIf(process.platform !== "linux")("listens only on the configured address", async () => {
      const { port } = running;
      await expect(fetch(`http://127.0.0.2:${port}/healthz`)).rejects.toThrow("fetch failed");
    });
  });

  test.each([
    [0, 1],
    [7, 7],
  ])("ends with an error when the server ends with code %i", async (code, expected) => {
    const { endpoint, child } = await ready();
    const session = await RawSession.open(endpoint);
    void session.request("exit", { code });
    expect(await ended(child)).toBe(expected);
    expect(child.output()).toBe(`starting\n[supergateway] The stdio server ended: code=${code}, signal=null\n`);
    session.close();
  });

  test("ends with an error when the server runs but has closed its output", async () => {
    const { endpoint, child } = await ready("stubborn");
    const session = await RawSession.open(endpoint);
    void session.request("mute", {});
    expect(await ended(child)).toBe(1);
    session.close();
  });

  test("prints what the server wrote to stderr before it failed to start", async () => {
    const { child } = await start("broken");
    expect(await child.exited).toBe(1);
    expect(child.output()).toBe("starting\n[supergateway] The stdio server ended: code=0, signal=null\n");
  });

  test.each(["", "stubborn"])("ends well on SIGTERM, with a session open (server %j)", async (mood) => {
    const { endpoint, child } = await ready(mood);
    const session = await RawSession.open(endpoint);
    process.kill(child.pid, "SIGTERM");
    expect(await ended(child)).toBe(0);
    // Only the stderr of the server.
    expect(child.output()).toBe("starting\n");
    session.close();
  });

  test("is healthy only while the server responds to pings", async () => {
    const wedged = await start("wedged");
    const status = async ({ port }: { port: number }) => (await fetch(`http://127.0.0.1:${port}/healthz`)).status;
    await expect.poll(() => status(wedged).catch(() => 0), { timeout: 10_000 }).toBe(503);
    expect(await status(await ready())).toBe(200);
  });

  describe("with a tokens file", () => {
    const current = "c".repeat(32);
    const previous = "p".repeat(32);
    let file: string;
    let port: number;
    let child: Child;
    beforeAll(async () => {
      file = path.join(await mkdtemp(path.join(folder, "tokens-")), "tokens");
      await writeFile(file, `${current}\n${previous}\n`);
      ({ port, child } = await ready("", { HOLMES_AWS_MCP_TOKENS_FILE: file }, shared));
    });
    const call = (authorization?: string, at = "/sse", method = "GET") =>
      new Promise<{ status: number | undefined; challenge: string | undefined }>((resolve, reject) => {
        const headers = authorization === undefined ? {} : { authorization };
        const sent = request({ port, path: at, method, headers, agent: false }, (response) => {
          resolve({ status: response.statusCode, challenge: response.headers["www-authenticate"] });
          response.destroy();
        });
        sent.on("error", reject);
        sent.end();
      });

    test.each([
      ["no token", undefined, "Bearer"],
      ["an unknown token", `Bearer ${"x".repeat(32)}`, 'Bearer error="invalid_token"'],
      ["a prefix of a token", `Bearer ${"c".repeat(31)}`, 'Bearer error="invalid_token"'],
      ["another scheme", `Basic ${current}`, "Bearer"],
      ["an empty token", "Bearer ", "Bearer"],
      ["two tokens in one header", `Bearer ${current} ${previous}`, "Bearer"],
    ])("rejects %s with 401, on every path but /healthz", async (_, authorization, challenge) => {
      expect(await call(authorization)).toEqual({ status: 401, challenge });
      expect(await call(authorization, "/SSE/")).toEqual({ status: 401, challenge });
      expect(await call(authorization, "/message?sessionId=x", "POST")).toEqual({ status: 401, challenge });
      expect((await call(authorization, "/healthz")).status).toBe(200);
    });

    test("accepts the current and the previous token", async () => {
      for (const token of [current, previous]) expect((await call(`Bearer ${token}`)).status).toBe(200);
      expect((await call(`bearer ${current}`, "/message?sessionId=x", "POST")).status).toBe(503);
    });

    test("follows a rotation without a restart, and rejects every token when the file is gone", async () => {
      const next = "n".repeat(32);
      // The kubelet replaces the file.
      await writeFile(`${file}.new`, `${next}\n${current}\n`);
      await rename(`${file}.new`, file);
      expect(await Promise.all([next, current, previous].map((token) => call(`Bearer ${token}`)))).toMatchObject([
        { status: 200 },
        { status: 200 },
        { status: 401 },
      ]);
      await rm(file);
      expect((await call(`Bearer ${next}`)).status).toBe(401);
      expect(child.exitCode).toBeUndefined();
    });
  });
});

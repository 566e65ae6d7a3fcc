import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";

type Message = Record<string, unknown>;
interface SessionRouting {
  readonly size: number;
  open(sessionId: string, send: (message: Message) => void): void;
  close(sessionId: string): void;
  fromClient(sessionId: string, message: unknown): void;
  fromServer(message: unknown): void;
}
interface Module {
  SessionRouting: new (toServer: (message: Message) => void) => SessionRouting;
  lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void;
}

let gatewayDir: string;
let module: Module;
// The installed module of the patched Supergateway, not a copy that could differ.
beforeAll(async () => {
  gatewayDir = path.resolve(await realpath(path.dirname(path.dirname(path.dirname(await ensureGateway())))));
  const file = path.join(gatewayDir, "node_modules/supergateway/dist/lib/sessionRouting.js");
  module = (await import(pathToFileURL(file).href)) as Module;
}, 300_000);

let routing: SessionRouting;
let toServer: Message[];
let got: Record<string, Message[]>;
beforeEach(() => {
  toServer = [];
  got = {};
  routing = new module.SessionRouting((message) => toServer.push(message));
  for (const name of ["a", "b"]) open(name);
});

function open(name: string) {
  const messages: Message[] = [];
  got[name] = messages;
  routing.open(name, (message) => messages.push(message));
}
const request = (id: unknown, params?: Message, method = "tools/call") => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params && { params }),
});
/** Sends a request of a session and returns the ID that the server receives. */
function ask(session: string, id: unknown, params?: Message): number {
  routing.fromClient(session, request(id, params));
  return toServer.at(-1)!.id as number;
}
const cancelled = (requestId: unknown) => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId },
});
const answer = (id: unknown, result: unknown = {}) => ({ jsonrpc: "2.0", id, result });

describe("responses", () => {
  test("go to the session of the request, with its ID, even if both sessions use the same ID", () => {
    const [first, second] = [ask("a", 1), ask("b", 1)];
    expect(first).not.toBe(second);
    routing.fromServer(answer(second, "for b"));
    routing.fromServer(answer(first, "for a"));
    expect(got).toEqual({ a: [answer(1, "for a")], b: [answer(1, "for b")] });
  });

  test.each([0, 7, -3, "7", "", "call-1"])("keep the id %j and its type", (id) => {
    routing.fromServer(answer(ask("a", id)));
    expect(got.a).toEqual([answer(id)]);
  });

  test("distinguish the IDs 7 and '7' of one session", () => {
    const [number, text] = [ask("a", 7), ask("a", "7")];
    routing.fromServer(answer(text, "text"));
    routing.fromServer(answer(number, "number"));
    expect(got.a).toEqual([answer("7", "text"), answer(7, "number")]);
  });

  test("can be errors", () => {
    const error = { code: -32602, message: "Invalid request parameters" };
    routing.fromServer({ jsonrpc: "2.0", id: ask("b", "x"), error });
    expect(got).toEqual({ a: [], b: [{ jsonrpc: "2.0", id: "x", error }] });
  });

  test("are sent once: a second response to the same request is dropped", () => {
    const id = ask("a", 1);
    routing.fromServer(answer(id, 1));
    routing.fromServer(answer(id, 2));
    expect(got.a).toEqual([answer(1, 1)]);
  });

  test("can be a batch", () => {
    const ids = [ask("a", 1), ask("b", 1)];
    routing.fromServer(ids.map((id) => answer(id, id)));
    expect([got.a, got.b]).toEqual([[answer(1, ids[0])], [answer(1, ids[1])]]);
  });

  test("reach only the requesting session, in any order of requests, responses and disconnects", () => {
    const session = fc.constantFrom("s0", "s1", "s2", "s3");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("ask" as const), session, id: fc.oneof(fc.nat(3), fc.constantFrom("0", "1")) }),
      fc.record({ kind: fc.constant("answer" as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant("leave" as const), session }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sent: Message[] = [];
        const local = new module.SessionRouting((message) => {
          if (message.method === "tools/call") sent.push(message);
        });
        const inbox: Message[] = [];
        const join = (name: string) => local.open(name, (message) => inbox.push({ ...message, session: name }));
        for (const name of ["s0", "s1", "s2", "s3"]) join(name);
        // The model: pending requests, in the order in which they were sent.
        const open = new Map<number, { session: string; id: unknown }>();
        let asked = 0;
        for (const one of steps) {
          if (one.kind === "ask") {
            asked += 1;
            local.fromClient(one.session, request(one.id, { mark: asked }));
            open.set(asked, one);
          } else if (one.kind === "leave") {
            local.close(one.session);
            for (const [mark, asker] of open) if (asker.session === one.session) open.delete(mark);
            join(one.session);
          } else if (sent.length > 0) {
            const message = sent[one.pick % sent.length]!;
            const mark = (message.params as { mark: number }).mark;
            const before = inbox.length;
            local.fromServer(answer(message.id, mark));
            const asker = open.get(mark);
            const expected = asker ? [{ ...answer(asker.id, mark), session: asker.session }] : [];
            expect(inbox.slice(before)).toEqual(expected);
            open.delete(mark);
          }
          expect(local.size).toBe(open.size);
        }
        expect(new Set(sent.map(({ id }) => id)).size).toBe(sent.length);
      }),
    );
  });
});

describe("requests", () => {
  test("reach the server unchanged except for the ID", () => {
    ask("a", 9, { name: "call_aws", arguments: { cli_command: "aws sts get-caller-identity" }, _meta: { x: 1 } });
    expect(toServer).toEqual([{ ...request(9, toServer[0]!.params as Message), id: toServer[0]!.id }]);
    expect(toServer[0]!.params).toEqual({
      name: "call_aws",
      arguments: { cli_command: "aws sts get-caller-identity" },
      _meta: { x: 1 },
    });
  });

  test("of a session that is not open are dropped", () => {
    routing.fromClient("unknown-session", request(1));
    expect(toServer).toEqual([]);
    expect(routing.size).toBe(0);
  });
});

describe("progress", () => {
  const progress = (progressToken: unknown) => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken, progress: 1, total: 2 },
  });
  const token = (index: number) => ((toServer[index]!.params as Message)._meta as Message).progressToken;

  test.each([1, "1", 0, ""])("is sent to the session that requested it with the token %j", (own) => {
    ask("a", 1, { _meta: { progressToken: own, other: true } });
    ask("b", 1, { _meta: { progressToken: own } });
    expect(token(0)).not.toBe(token(1));
    expect((toServer[0]!.params as Message)._meta).toEqual({ progressToken: token(0), other: true });
    routing.fromServer(progress(token(1)));
    expect(got).toEqual({ a: [], b: [progress(own)] });
  });

  test("is dropped after the response, and without a request", () => {
    ask("a", 1, { _meta: { progressToken: 5 } });
    const quiet = ask("b", 2);
    routing.fromServer(answer(toServer[0]!.id));
    for (const any of [token(0), quiet, 5, undefined, null, {}]) routing.fromServer(progress(any));
    expect(got).toEqual({ a: [answer(1)], b: [] });
  });
});

describe("cancellation", () => {
  const cancel = (requestId: unknown) => ({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId, reason: "timeout" },
  });

  test("reaches the server with its own ID, and the late response is dropped", () => {
    const [mine, other] = [ask("a", 1), ask("b", 1)];
    routing.fromClient("a", cancel(1));
    expect(toServer.slice(2)).toEqual([cancelled(mine)]);
    expect(routing.size).toBe(1);
    routing.fromServer(answer(mine));
    routing.fromServer(answer(other));
    expect(got).toEqual({ a: [], b: [answer(1)] });
  });

  test.each([[2], ["1"], [undefined], [null], [{}]])("of %j, which is not pending, changes nothing", (id) => {
    const mine = ask("a", 1);
    routing.fromClient("a", cancel(id));
    routing.fromClient("b", cancel(1));
    routing.fromClient("a", { jsonrpc: "2.0", method: "notifications/cancelled" });
    routing.fromServer(answer(mine));
    routing.fromClient("a", cancel(1));
    expect(got.a).toEqual([answer(1)]);
    expect(toServer).toHaveLength(1);
  });
});

describe("the server's own messages", () => {
  test.each([3, "3", 0])("the gateway responds to a ping with the ID %j", (id) => {
    routing.fromServer(request(id, undefined, "ping"));
    expect(toServer).toEqual([{ jsonrpc: "2.0", id, result: {} }]);
  });

  test.each(["sampling/createMessage", "elicitation/create", "roots/list", "x"])("rejects %s", (method) => {
    routing.fromServer(request(4, {}, method));
    expect(toServer).toMatchObject([{ jsonrpc: "2.0", id: 4, error: { code: -32601 } }]);
    expect(got).toEqual({ a: [], b: [] });
  });

  test("with the ID of a pending request do not affect that request", () => {
    const id = ask("a", 1);
    routing.fromServer(request(id, {}, "roots/list"));
    routing.fromServer(answer(id));
    expect(got.a).toEqual([answer(1)]);
  });

  test.each([
    { method: "notifications/message", params: { level: "error", data: "arn:aws:iam::111111111111:role/x" } },
    { method: "notifications/tools/list_changed" },
    { method: "notifications/resources/updated", params: { uri: "x" } },
    { method: "notifications/cancelled", params: { requestId: 1 } },
  ])("$method belongs to no session and is dropped", (notification) => {
    ask("a", 1);
    routing.fromServer({ jsonrpc: "2.0", ...notification });
    expect(got).toEqual({ a: [], b: [] });
    expect(routing.size).toBe(1);
  });

  test.each([[null], [7], ["text"], [[]], [[null]], [{}], [{ id: null, error: {} }], [{ id: 99, result: {} }]])(
    "drops %j without effect",
    (message) => {
      const id = ask("a", 1);
      routing.fromServer(message);
      routing.fromServer(answer(id));
      expect(got).toEqual({ a: [answer(1)], b: [] });
    },
  );
});

describe("other messages of clients", () => {
  test("notifications reach the server", () => {
    routing.fromClient("a", { jsonrpc: "2.0", method: "notifications/initialized" });
    expect(toServer).toEqual([{ jsonrpc: "2.0", method: "notifications/initialized" }]);
  });

  test.each([
    [answer(1)],
    [{ jsonrpc: "2.0", id: 1, error: { code: 1, message: "x" } }],
    [null],
    [[]],
    ["x"],
    [{}],
    [{ method: 5, id: 1 }],
  ])("drops %j: only the gateway responds to the server", (message) => {
    routing.fromClient("a", message);
    expect(toServer).toEqual([]);
    expect(routing.size).toBe(0);
  });
});

describe("a session that ends", () => {
  test("cancels only its requests, and drops later responses", () => {
    const [mine, other] = [ask("a", 1), ask("b", 1)];
    const second = ask("a", 2, { _meta: { progressToken: 1 } });
    expect(routing.size).toBe(3);
    routing.close("a");
    expect(routing.size).toBe(1);
    expect(toServer.slice(3)).toEqual([cancelled(mine), cancelled(second)]);
    routing.fromServer(answer(mine));
    routing.fromServer(answer(other));
    expect(got).toEqual({ a: [], b: [answer(1)] });
    expect(routing.size).toBe(0);
  });

  test("leaves no state for a later session, even with the same ID", () => {
    const old = ask("a", 1);
    routing.close("a");
    open("a");
    const fresh = ask("a", 1);
    routing.fromServer(answer(old, "old"));
    routing.fromServer(answer(fresh, "fresh"));
    expect(got.a).toEqual([answer(1, "fresh")]);
  });

  test("can end twice, or without a start", () => {
    routing.close("a");
    routing.close("a");
    routing.close("unknown-session");
    routing.fromServer(answer(ask("b", 1)));
    expect(got.b).toEqual([answer(1)]);
  });
});

describe("lines of the server", () => {
  test("are complete, regardless of the boundaries of the chunks", () => {
    const text = '{"a":"é€😀"}\r\n\n{"b":2}\n{"c":"x';
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(text)), { maxLength: 8 }), (cuts) => {
        const bytes = Buffer.from(text);
        const lines: string[] = [];
        const write = module.lineSplitter((line) => lines.push(line));
        const edges = [0, ...cuts.sort((x, y) => x - y), bytes.length];
        for (let i = 1; i < edges.length; i += 1) write(bytes.subarray(edges[i - 1]!, edges[i]!));
        // A carriage return at the end of a chunk remains, because it is white space in JSON.
        expect(lines.map((line) => line.trimEnd())).toEqual(['{"a":"é€😀"}', "", '{"b":2}']);
      }),
    );
  });
});

describe("the patch", () => {
  const patchPackage = (folder: string) =>
    spawnSync(
      process.execPath,
      [path.join(gatewayDir, "node_modules/patch-package/index.js"), "--error-on-fail", "--error-on-warn"],
      { cwd: folder, encoding: "utf8", env: { ...process.env, CI: "" } },
    );

  test("is applied at every install, and every problem fails the install", async () => {
    const { scripts } = JSON.parse(await readFile(path.join(projectFolder, "image/package.json"), "utf8"));
    expect(scripts.postinstall).toBe("patch-package --error-on-fail --error-on-warn");
  });

  test.each([
    ["another version", "package.json", (text: string) => text.replace('"4.0.0"', '"4.0.1"')],
    ["another text", "dist/index.js", (text: string) => text.replace("host: argv.host,", "host: argv.hostname,")],
  ])("rejects %s of Supergateway", async (_, file, change) => {
    const folder = await mkdtemp(path.join(tmpdir(), "gateway-patch-"));
    try {
      const target = path.join(folder, "node_modules/supergateway");
      await mkdir(path.dirname(target));
      await cp(path.join(gatewayDir, "node_modules/supergateway"), target, { recursive: true });
      for (const name of ["package.json", "package-lock.json", "patches"]) {
        await cp(path.join(gatewayDir, name), path.join(folder, name), { recursive: true });
      }
      const good = patchPackage(folder);
      expect([good.status, good.stderr]).toEqual([0, ""]);
      const changed = path.join(target, file);
      const before = await readFile(changed, "utf8");
      await writeFile(changed, change(before));
      expect(await readFile(changed, "utf8")).not.toBe(before);
      expect(patchPackage(folder).status).not.toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

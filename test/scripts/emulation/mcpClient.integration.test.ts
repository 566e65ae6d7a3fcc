import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { callTool, listTools, type McpEndpoint } from "../../../scripts/emulation/mcpClient.js";

let server: Server;
let opened: number;
/** Sessions that are open now. */
let sessions: Map<string, SSEServerTransport | StreamableHTTPServerTransport>;

/** A tool that returns two blocks, and one that returns an MCP error. */
function tools(): McpServer {
  const mcp = new McpServer({ name: "test", version: "1" });
  const block = (text: string) => ({ type: "text" as const, text });
  mcp.registerTool("echo", { inputSchema: { word: z.string() } }, ({ word }) => ({
    content: [block(word), block("!")],
  }));
  mcp.registerTool("fail", {}, () => ({ content: [block("no")], isError: true }));
  mcp.registerTool("hang", {}, () => new Promise(() => {}));
  return mcp;
}

const handlers = {
  sse: async (request: IncomingMessage, response: import("node:http").ServerResponse) => {
    if (request.method === "GET") {
      const transport = new SSEServerTransport("/message", response);
      opened += 1;
      sessions.set(transport.sessionId, transport);
      response.on("close", () => sessions.delete(transport.sessionId));
      await tools().connect(transport);
    } else {
      const id = new URL(request.url!, "http://x").searchParams.get("sessionId")!;
      await (sessions.get(id) as SSEServerTransport).handlePostMessage(request, response);
    }
  },
  "streamable-http": async (request: IncomingMessage, response: import("node:http").ServerResponse) => {
    let transport = sessions.get(String(request.headers["mcp-session-id"])) as
      | StreamableHTTPServerTransport
      | undefined;
    if (transport === undefined) {
      const fresh = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => {
          opened += 1;
          sessions.set(id, fresh);
        },
        onsessionclosed: (id) => void sessions.delete(id),
      });
      transport = fresh;
      await tools().connect(transport);
    }
    await transport.handleRequest(request, response);
  },
};

describe.each(["sse", "streamable-http"] as const)("over %s", (transport) => {
  let endpoint: McpEndpoint;

  beforeEach(async () => {
    opened = 0;
    sessions = new Map();
    server = createServer((request, response) => void handlers[transport](request, response)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    endpoint = { transport, url: `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}` };
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  const noneLeft = () => expect.poll(() => sessions.size).toBe(0);

  test("opens a session for each call and leaves none", async () => {
    expect(await listTools(endpoint)).toEqual(["echo", "fail", "hang"]);
    expect(await callTool(endpoint, "echo", { word: "hello" })).toEqual({ text: "hello!", isError: false });
    expect(opened).toBe(2);
    await noneLeft();
  });

  test("distinguishes a tool error from a result", async () => {
    expect(await callTool(endpoint, "fail", {})).toEqual({ text: "no", isError: true });
  });

  test("leaves no session after a timeout", async () => {
    await expect(callTool(endpoint, "hang", {}, 200)).rejects.toThrow("timed out");
    await noneLeft();
  });

  test("fails without a listener", async () => {
    await expect(callTool({ ...endpoint, url: "http://127.0.0.1:9/sse" }, "echo", {})).rejects.toThrow();
  });
});

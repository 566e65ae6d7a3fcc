/** An MCP session without a client library: it can send invalid messages, and stores all messages that it receives. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { McpEndpoint } from "../../scripts/emulation/mcpClient.js";

type Message = Record<string, unknown>;

export class RawSession {
  /** Every message of the server to this session, in order. */
  readonly received: Message[] = [];
  private readonly waiting = new Map<unknown, (message: Message) => void>();
  private readonly streams = new Set<IncomingMessage>();
  private headers: Record<string, string> = {};
  private closed = false;
  private postUrl = "";
  private lastId = 0;

  private constructor(private readonly endpoint: McpEndpoint) {}

  /** Opens a connection and initializes it. The IDs of later requests start at 1. */
  static async open(endpoint: McpEndpoint): Promise<RawSession> {
    const session = new RawSession(endpoint);
    if (endpoint.transport === "sse") {
      await session.openStream();
    } else {
      session.postUrl = endpoint.url;
    }
    const clientInfo = { name: "raw", version: "1" };
    await session.request("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo }, 0);
    await session.notify("notifications/initialized");
    return session;
  }

  /** Sends a notification. */
  notify(method: string, params?: Message): Promise<number> {
    return this.post(JSON.stringify({ jsonrpc: "2.0", method, ...(params && { params }) }));
  }

  /** Sends a request and returns its response: a result or an error. */
  request(method: string, params: Message, id: number | string = ++this.lastId): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.waiting.set(id, resolve);
      this.post(JSON.stringify({ jsonrpc: "2.0", id, method, params })).catch(reject);
    });
  }

  /** Posts any text and returns the HTTP status. Over streamable HTTP, the body can contain a response, which is read. */
  post(body: string, headers: Record<string, string> = {}): Promise<number> {
    const url = new URL(this.postUrl);
    const all = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...this.headers,
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const options = { method: "POST", headers: all, agent: false, setHost: headers.host === undefined };
      const request = httpRequest(url, options, (response) => {
        const id = response.headers["mcp-session-id"];
        if (typeof id === "string") this.headers["mcp-session-id"] = id;
        this.read(response);
        resolve(response.statusCode ?? 0);
      });
      request.on("error", (error) => (this.closed ? resolve(0) : reject(error)));
      request.end(body);
    });
  }

  /** Closes all connections without a message. */
  close(): void {
    this.closed = true;
    for (const stream of this.streams) stream.destroy();
  }

  private openStream(): Promise<void> {
    return new Promise((resolve, reject) => {
      httpRequest(this.endpoint.url, { agent: false }, (response) =>
        this.read(response, (path) => {
          this.postUrl = new URL(path, this.endpoint.url).href;
          resolve();
        }),
      )
        .on("error", reject)
        .end();
    });
  }

  /** Reads server-sent events. Discards a body of another type. */
  private read(response: IncomingMessage, onEndpoint?: (path: string) => void): void {
    this.streams.add(response.once("close", () => this.streams.delete(response)).on("error", () => {}));
    let text = "";
    response.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      if (!response.headers["content-type"]?.startsWith("text/event-stream")) return;
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop()!;
      for (const event of events) {
        const type = /^event: (.*)$/m.exec(event)?.[1];
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (type === "endpoint") onEndpoint?.(data!);
        else if (data) this.take(JSON.parse(data));
      }
    });
  }

  private take(message: Message): void {
    this.received.push(message);
    if ("method" in message) return;
    this.waiting.get(message.id)?.(message);
    this.waiting.delete(message.id);
  }
}

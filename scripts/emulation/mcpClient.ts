import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Endpoint of an MCP server, as in Holmes' configuration. */
export interface McpEndpoint {
  transport: "sse" | "streamable-http";
  /** Ends in `/sse` or `/mcp`. */
  url: string;
  /** Bearer token, if the server requires one. */
  token?: string | undefined;
}

/**
 * Opens and initializes a connection, runs `work` and closes the connection, as Holmes does for every call.
 *
 * @throws Error when the server cannot be reached or returns a protocol error.
 */
export async function withMcp<T>(endpoint: McpEndpoint, work: (client: Client) => Promise<T>): Promise<T> {
  const url = new URL(endpoint.url);
  const client = new Client({ name: "holmes-aws-mcp", version: "1.0.0" });
  const requestInit = endpoint.token === undefined ? {} : { headers: { authorization: `Bearer ${endpoint.token}` } };
  const http = endpoint.transport === "sse" ? undefined : new StreamableHTTPClientTransport(url, { requestInit });
  try {
    await client.connect(http ?? new SSEClientTransport(url, { requestInit }));
    return await work(client);
  } finally {
    // Closing a streamable HTTP connection does not end the session, so terminate it explicitly.
    await http?.terminateSession().catch(() => {});
    await client.close();
  }
}

/**
 * Calls one tool over a separate connection.
 *
 * @param timeoutMs default 120,000, the read timeout of Holmes
 * @returns the text of all content blocks. The AWS server also returns errors there, with `isError` false.
 */
export function callTool(endpoint: McpEndpoint, name: string, args: Record<string, unknown>, timeoutMs = 120_000) {
  return withMcp(endpoint, async (client) => {
    const answer = await client.callTool({ name, arguments: args }, undefined, { timeout: timeoutMs });
    const content = answer.content as { type: string; text?: string }[];
    return { text: content.map((block) => block.text ?? "").join(""), isError: answer.isError === true };
  });
}

/** Lists the names of the server's tools over a separate connection. */
export function listTools(endpoint: McpEndpoint): Promise<string[]> {
  return withMcp(endpoint, async (client) => (await client.listTools()).tools.map(({ name }) => name));
}

/** HTTP servers on loopback, and requests that they forward. */
import { type Agent, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Loopback {
  readonly url: string;
  /** Ends all connections too. */
  close(): Promise<void>;
}

/** @param port default: a free port */
export async function listen(server: Server, port = 0): Promise<Loopback> {
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface ForwardOptions {
  /** Default: what has not been read of the request. */
  readonly body?: Buffer | undefined;
  readonly agent?: Agent;
  /** Called when the server cannot be reached. Default: ends the connection without a response. */
  readonly onError?: (error: Error) => void;
}

/** Forwards a request to a server and returns its response, both unchanged. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
  { body, agent, onError = () => response.destroy() }: ForwardOptions = {},
): void {
  // Node.js handles "Expect: 100-continue", and "connection" applies to a single hop.
  const { expect: _, connection: __, ...headers } = request.headers;
  const { hostname, port } = new URL(url);
  const onward = httpRequest(
    { agent, hostname, port, method: request.method, path: request.url, headers },
    (answer) => {
      const { connection: ___, "keep-alive": ____, ...answered } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, answered);
      answer.pipe(response);
    },
  );
  onward.on("error", onError);
  response.on("close", () => onward.destroy());
  if (body === undefined) request.pipe(onward);
  else onward.end(body);
}

/** HTTP servers on loopback, and requests that they forward. */
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Loopback {
  readonly url: string;
  /** Ends all connections too. */
  close(): Promise<void>;
}

/** Listens on a free port. */
export async function listen(server: Server): Promise<Loopback> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Forwards a request to a server and returns its response, both unchanged. 503 if the server cannot be reached.
 *
 * @param body default: what has not been read of the request
 */
export function forward(request: IncomingMessage, response: ServerResponse, url: string, body?: Buffer): void {
  // Node.js handles "Expect: 100-continue", and "connection" applies to a single hop.
  const { expect: _, connection: __, ...headers } = request.headers;
  const options = { agent: false, method: request.method, path: request.url, headers };
  const onward = httpRequest(url, options, (answer) => {
    const { connection: ___, "keep-alive": ____, ...answered } = answer.headers;
    response.writeHead(answer.statusCode!, answered);
    answer.pipe(response);
  });
  onward.on("error", ({ message }) => {
    if (response.headersSent) response.destroy();
    else response.writeHead(503).end(`${url}: ${message}`);
  });
  response.on("close", () => onward.destroy());
  if (body === undefined) request.pipe(onward);
  else onward.end(body);
}

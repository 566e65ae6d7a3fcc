import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { AwsError, sendError } from "./awsError.js";

/**
 * Forwards a request to an emulated AWS and returns its response, both unchanged. If it cannot be reached, the response
 * is an error that AWS clients can read.
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
    else sendError(response, new AwsError("ServiceUnavailable", `${url}: ${message}`, 503));
  });
  response.on("close", () => onward.destroy());
  if (body === undefined) request.pipe(onward);
  else onward.end(body);
}

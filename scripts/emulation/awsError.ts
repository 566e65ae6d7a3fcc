import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

/** An error response of the AWS query protocol. */
export class AwsError extends Error {
  override readonly name = "AwsError";

  constructor(
    readonly code: string,
    message: string,
    readonly status = 400,
  ) {
    super(message);
  }
}

/** Sends the error in the XML format of IAM and STS, without the namespace, which clients do not read. */
export function sendError(response: ServerResponse, { code, message, status }: AwsError): void {
  const type = status < 500 ? "Sender" : "Receiver";
  const error = `<Type>${type}</Type><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message>`;
  response
    .writeHead(status, { "content-type": "text/xml" })
    .end(`<ErrorResponse><Error>${error}</Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`);
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

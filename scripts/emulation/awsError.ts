import { randomUUID } from "node:crypto";

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

const NAMESPACES = {
  sts: "https://sts.amazonaws.com/doc/2011-06-15/",
  iam: "https://iam.amazonaws.com/doc/2010-05-08/",
};

/** The error in the XML format of IAM or STS. */
export function errorBody(service: keyof typeof NAMESPACES, { code, message, status }: AwsError): string {
  return [
    `<ErrorResponse xmlns="${NAMESPACES[service]}">`,
    "  <Error>",
    `    <Type>${status < 500 ? "Sender" : "Receiver"}</Type>`,
    `    <Code>${escapeXml(code)}</Code>`,
    `    <Message>${escapeXml(message)}</Message>`,
    "  </Error>",
    `  <RequestId>${randomUUID()}</RequestId>`,
    "</ErrorResponse>\n",
  ].join("\n");
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

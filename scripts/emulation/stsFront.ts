import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import type { JSONWebKeySet } from "jose";
import { type Loopback, listen } from "../common/loopback.js";
import { AwsError, sendError } from "./awsError.js";
import { EmulatedAws } from "./emulatedAws.js";
import { forward } from "./forward.js";
import { checkWebIdentity } from "./webIdentity.js";

const WEB_IDENTITY = "AssumeRoleWithWebIdentity";
/** STS actions that reach moto. It returns credentials for any SAML assertion, so AssumeRoleWithSAML is not listed. */
const stsActions: readonly string[] = [
  "AssumeRole",
  WEB_IDENTITY,
  "GetAccessKeyInfo",
  "GetCallerIdentity",
  "GetFederationToken",
  "GetSessionToken",
];
/** Strict, so that this front and moto read the same service. */
const SIGNATURE = /^AWS4-HMAC-SHA256 Credential=[^/,\s]+\/\d{8}\/[a-z0-9-]+\/([a-z0-9-]+)\/aws4_request,/;

/**
 * An HTTP server on loopback that adds the checks of STS to moto. For AssumeRoleWithWebIdentity, it verifies the
 * token's signature (with the issuer's key), times, issuer and audience (with the OIDC providers of the role's account)
 * and the role's trust policy, with the current data of moto. Errors have the codes and messages of STS.
 *
 * Only known forms of a request pass: a Signature Version 4 header for a service other than STS and IAM, or a form of
 * the query protocol for those two. An unsigned request can only be AssumeRoleWithWebIdentity. Everything else returns
 * 400, because moto accepts requests that AWS does not.
 *
 * AssumeRole is not checked, and moto must not enforce policies (`/moto-api/reset-auth`) while credentials are issued:
 * it cannot identify the sender of an unsigned request.
 *
 * @param keys key sets by issuer (with `https://`). The map can change while the server runs.
 * @returns its URL is AWS_ENDPOINT_URL of every client.
 */
export async function startStsFront(motoUrl: string, keys: ReadonlyMap<string, JSONWebKeySet>): Promise<Loopback> {
  const aws = new EmulatedAws(motoUrl);
  const server = createServer(async (request, response) => {
    try {
      const service = serviceOf(request);
      let body: Buffer | undefined;
      if (service === undefined || service === "iam" || service === "sts") {
        body = await readForm(request);
        const parameters = new URLSearchParams(body.toString("utf8"));
        const action = parameters.get("Action") ?? "";
        if (service !== "iam" && !(service === "sts" ? stsActions : [WEB_IDENTITY]).includes(action)) {
          throw new AwsError("InvalidAction", `Could not find operation "${action}" of STS for this caller`);
        }
        if (action === WEB_IDENTITY) await checkWebIdentity(parameters, aws, keys);
      }
      forward(request, response, motoUrl, body);
    } catch (thrown) {
      sendError(response, thrown instanceof AwsError ? thrown : new AwsError("InternalFailure", String(thrown), 500));
    }
  });
  return listen(server);
}

/**
 * The service that a request is signed for. Undefined for an unsigned request.
 *
 * @throws AwsError when the header is not a valid Signature Version 4 header.
 */
function serviceOf({ headers: { authorization } }: IncomingMessage): string | undefined {
  if (authorization === undefined) return undefined;
  const service = SIGNATURE.exec(authorization)?.[1];
  if (service !== undefined) return service;
  throw new AwsError("IncompleteSignature", "The Authorization header is not a Signature Version 4");
}

/**
 * The unchanged body of a query-protocol request, in the form that SDKs send.
 *
 * @throws AwsError for any form that moto could read differently from this front.
 */
async function readForm(request: IncomingMessage): Promise<Buffer> {
  const { method, url, headers } = request;
  const malformed = (why: string) => new AwsError("MalformedQueryString", why);
  if (method !== "POST" || url !== "/") throw malformed(`found ${method} ${url}. Expected POST /`);
  if (!/^application\/x-www-form-urlencoded(;\s*charset=utf-8)?$/i.test(headers["content-type"] ?? "")) {
    throw malformed("the content type is not application/x-www-form-urlencoded");
  }
  for (const name of ["content-encoding", "transfer-encoding", "x-amz-target"]) {
    if (headers[name] !== undefined) throw malformed(`the header ${name} is not accepted`);
  }
  const body = await buffer(request);
  const names = [...new URLSearchParams(body.toString("utf8")).keys()];
  // If a parameter has two values, moto could use the unchecked one.
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw malformed(`${twice} is given more than once`);
  return body;
}

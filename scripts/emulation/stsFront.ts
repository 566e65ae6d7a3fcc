import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { IAMClient } from "@aws-sdk/client-iam";
import type { JSONWebKeySet } from "jose";
import { TRUST_POLICY_LIMIT } from "../../policies/size.js";
import { forward, type Loopback, listen } from "../common/loopback.js";
import { AwsError, errorBody } from "./awsError.js";
import { EmulatedAws } from "./emulatedAws.js";
import { checkIamQuotas } from "./iamQuotas.js";
import { checkWebIdentity, type Decision } from "./webIdentity.js";

export interface StsFrontArgs {
  /** URL of moto. */
  motoUrl: string;
  /** Key sets by issuer (with `https://`). A map can change while the server runs. */
  keys: ReadonlyMap<string, JSONWebKeySet>;
  /** The accounts' quota for trust policies, in characters without white space. Default: 2048. */
  trustPolicyLimit?: number;
}

/** Its URL is AWS_ENDPOINT_URL of every client. */
export interface StsFront extends Loopback {
  /** Decisions on AssumeRoleWithWebIdentity, oldest first. */
  decisions: Decision[];
}

/** Limits the memory of this process. Larger than any form that AWS accepts. */
const FORM_LIMIT = 16_777_216;
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
/** Strict, so that this front and moto read the same service and region. */
const SIGNATURE = /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/\d{8}\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request,/;

/**
 * An HTTP server on loopback that adds checks of STS and IAM to moto. For AssumeRoleWithWebIdentity, it verifies the
 * token's signature (with the issuer's key), times, issuer and audience (with the OIDC providers of the role's account)
 * and the role's trust policy, with the current data of moto. Errors have the codes and messages of STS. It enforces
 * the IAM quotas for sizes and for the number of OIDC providers.
 *
 * Only known forms of a request pass: a Signature Version 4 header for a service other than STS and IAM, or a form of
 * the query protocol for those two. An unsigned request can only be AssumeRoleWithWebIdentity. Everything else returns
 * 400, because moto accepts requests that AWS does not.
 *
 * AssumeRole is not checked, and moto must not enforce policies (`/moto-api/reset-auth`) while credentials are issued:
 * it cannot identify the sender of an unsigned request.
 */
export async function startStsFront(args: StsFrontArgs): Promise<StsFront> {
  const { motoUrl, keys, trustPolicyLimit = TRUST_POLICY_LIMIT } = args;
  const aws = new EmulatedAws(motoUrl);
  const decisions: Decision[] = [];

  /** Checks a request to IAM or STS. Returns its body. */
  async function check(request: IncomingMessage, signer: ReturnType<typeof signerOf>): Promise<Buffer | undefined> {
    const { body, parameters } = await readForm(request);
    const action = parameters.get("Action") ?? "";
    const isIam = signer?.service === "iam";
    if (!isIam && !(signer === undefined ? [WEB_IDENTITY] : stsActions).includes(action)) {
      throw new AwsError("InvalidAction", `Could not find operation "${action}" of STS for this caller`);
    }
    if (action === WEB_IDENTITY) {
      await checkWebIdentity(parameters, aws, keys, (decision) => decisions.push(decision));
    } else if (isIam) {
      const { accessKeyId, region } = signer;
      // moto derives the account from the access key and does not verify the signature.
      const credentials = { accessKeyId, secretAccessKey: "local" };
      const caller = new IAMClient({ endpoint: motoUrl, region, credentials });
      await checkIamQuotas(parameters, caller, trustPolicyLimit).finally(() => caller.destroy());
    }
    return body;
  }

  const server = createServer(async (request, response) => {
    const refuse = (error: AwsError) => {
      if (response.headersSent) return void response.destroy();
      response.writeHead(error.status, { "content-type": "text/xml" }).end(errorBody(error));
    };
    try {
      const signer = signerOf(request);
      const isChecked = signer === undefined || ["iam", "sts"].includes(signer.service);
      const body = isChecked ? await check(request, signer) : undefined;
      forward(request, response, motoUrl, body, ({ message }) =>
        refuse(new AwsError("ServiceUnavailable", `moto at ${motoUrl}: ${message}`, 503)),
      );
    } catch (error) {
      refuse(error instanceof AwsError ? error : new AwsError("InternalFailure", (error as Error).message, 500));
    }
  });

  const { url, close } = await listen(server);
  return {
    url,
    decisions,
    close: async () => {
      aws.close();
      await close();
    },
  };
}

/**
 * The signer and service of a request. Undefined for an unsigned request.
 *
 * @throws AwsError when the header is not a valid Signature Version 4 header.
 */
function signerOf({ headers: { authorization } }: IncomingMessage) {
  if (authorization === undefined) return undefined;
  const [, accessKeyId, region, service] = SIGNATURE.exec(authorization) ?? [];
  if (accessKeyId === undefined || region === undefined || service === undefined) {
    throw new AwsError("IncompleteSignature", "The Authorization header is not a Signature Version 4");
  }
  return { accessKeyId, region, service };
}

/**
 * The parameters and unchanged body of a query-protocol request.
 *
 * @throws AwsError for any form that moto could read differently from this front.
 */
async function readForm(request: IncomingMessage): Promise<{ body: Buffer | undefined; parameters: URLSearchParams }> {
  const { method, url = "", headers } = request;
  const [path, query = ""] = url.split(/\?(.*)/s, 2);
  const isPost = method === "POST";
  const malformed = (why: string) => new AwsError("MalformedQueryString", why);
  if (!isPost && method !== "GET") throw malformed(`${method} is not a method of the query protocol`);
  if (path !== "/") throw malformed("the path is not /");
  for (const name of ["content-encoding", "transfer-encoding", "x-amz-target"]) {
    if (headers[name] !== undefined) throw malformed(`the header ${name} is not accepted`);
  }
  if (isPost && query !== "") throw malformed("parameters are in the URL and not in the body");
  if (!isPost && Number(headers["content-length"] ?? 0) > 0) throw malformed("a GET request has a body");
  if (isPost && !/^application\/x-www-form-urlencoded(;\s*charset=utf-8)?$/i.test(headers["content-type"] ?? "")) {
    throw malformed("the content type is not application/x-www-form-urlencoded");
  }
  // Without transfer-encoding, the body has exactly this length.
  if (Number(headers["content-length"] ?? 0) > FORM_LIMIT) {
    throw new AwsError("RequestEntityTooLarge", "Request body is too large", 413);
  }
  const body = isPost ? await buffer(request) : undefined;
  const parameters = new URLSearchParams(body?.toString("utf8") ?? query);
  const names = [...parameters.keys()];
  // If a parameter has two values, moto could use the unchecked one.
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw malformed(`${twice} is given more than once`);
  return { body, parameters };
}

import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { IAMClient } from "@aws-sdk/client-iam";
import type { JSONWebKeySet } from "jose";
import { TRUST_POLICY_LIMIT } from "../../policies/size.js";
import { AwsError, errorBody } from "./awsError.js";
import { BOUNDED_ACTIONS, checkIamQuotas } from "./iamQuotas.js";
import { type Decision, type KeyResolver, WebIdentityCheck } from "./webIdentity.js";

export type { Decision, KeyResolver } from "./webIdentity.js";

export interface StsFrontArgs {
  /** Where moto answers. */
  motoUrl: string;
  /** Key sets by issuer (with `https://`). A map may be changed while the front runs. */
  keys: ReadonlyMap<string, JSONWebKeySet> | KeyResolver;
  /** The accounts' quota for trust policies, in characters that are not white space; default 2048. */
  trustPolicyLimit?: number;
  /** Default: any free one. */
  port?: number;
}

export interface StsFront {
  /** AWS_ENDPOINT_URL for everybody. */
  url: string;
  /** Every AssumeRoleWithWebIdentity so far, oldest first. */
  decisions: Decision[];
  close(): Promise<void>;
}

/** More than AWS takes in any form: a bound for this process's memory. */
const FORM_LIMIT = 16_777_216;
const WEB_IDENTITY = "AssumeRoleWithWebIdentity";

/**
 * What moto leaves out, on loopback in front of it. AssumeRoleWithWebIdentity is decided for real: the token's
 * signature by its issuer's key, its times, its issuer and audience against the OIDC providers of the role's account,
 * and the role's trust policy, all as moto has them at that moment; a refusal looks as STS writes it. IAM's limits on
 * sizes and on OIDC providers are kept. Everything else goes to moto as it came.
 *
 * AssumeRole is not checked, and moto must not enforce policies (`/moto-api/reset-auth`) while sessions are taken: it
 * cannot tell who sends an unsigned request.
 */
export async function startStsFront(args: StsFrontArgs): Promise<StsFront> {
  const { motoUrl, keys, trustPolicyLimit = TRUST_POLICY_LIMIT, port = 0 } = args;
  const check = new WebIdentityCheck(motoUrl, typeof keys === "function" ? keys : (issuer) => keys.get(issuer));
  const decisions: Decision[] = [];
  const agent = new Agent();

  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => {
      const refusal = error instanceof AwsError ? error : new AwsError("InternalFailure", error.message, 500);
      refuse(response, "sts", refusal);
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url ?? "/", motoUrl).searchParams;
    const body = mayBeForm(request) ? await readAll(request) : undefined;
    const parameters = new URLSearchParams([...query, ...new URLSearchParams(body?.toString("utf8"))]);
    const actions = parameters.getAll("Action");
    refuseDisguises(request, body);
    if (actions.includes(WEB_IDENTITY)) {
      // What is checked must be what moto reads: of two values it might take the other.
      refuseDuplicates(parameters);
      const { decision, error } = await check.decide(parameters);
      decisions.push(decision);
      if (error !== undefined) return refuse(response, "sts", error);
    } else if (BOUNDED_ACTIONS.includes(actions[0] ?? "")) {
      const caller = callerOf(request, motoUrl);
      try {
        await checkIamQuotas(parameters, caller, trustPolicyLimit);
      } catch (error) {
        if (error instanceof AwsError) return refuse(response, "iam", error);
        throw error;
      } finally {
        caller.destroy();
      }
    }
    forward(request, body, response, motoUrl, agent);
  }

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    decisions,
    close: () =>
      new Promise((resolve) => {
        check.close();
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Requests of the query protocol, and all in which moto would look for an action whatever their type says: those that
 * nobody signed and those signed for STS or IAM.
 */
function mayBeForm({ method, headers }: IncomingMessage): boolean {
  if (method !== "POST") return false;
  const { authorization, "content-type": type = "" } = headers;
  return authorization === undefined || /x-www-form-urlencoded/i.test(type) || /\/(sts|iam)\//.test(authorization);
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > FORM_LIMIT) throw new AwsError("RequestEntityTooLarge", "Request body is too large", 413);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** STS speaks forms only; moto would take the action from a header or a body of another type too, past the check. */
function refuseDisguises({ headers }: IncomingMessage, body: Buffer | undefined): void {
  const type = headers["content-type"] ?? "application/x-www-form-urlencoded";
  const hidden = !/x-www-form-urlencoded/i.test(type) && body?.includes(WEB_IDENTITY);
  if (hidden || String(headers["x-amz-target"]).endsWith(WEB_IDENTITY)) {
    throw new AwsError("MalformedQueryString", `${WEB_IDENTITY} is sent as a form`);
  }
}

function refuseDuplicates(parameters: URLSearchParams): void {
  const names = [...parameters.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new AwsError("MalformedQueryString", `${twice} is given more than once`);
}

/** IAM as the one who sent the request: moto tells accounts by the access key and does not look at the signature. */
function callerOf({ headers }: IncomingMessage, motoUrl: string): IAMClient {
  const scope = /Credential=([^/,\s]+)\/\d+\/([a-z0-9-]+)\//.exec(headers.authorization ?? "");
  return new IAMClient({
    endpoint: motoUrl,
    region: scope?.[2] ?? "us-east-1",
    credentials: { accessKeyId: scope?.[1] ?? "unsigned", secretAccessKey: "local" },
  });
}

function refuse(response: ServerResponse, service: "iam" | "sts", error: AwsError): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(error.status, { "content-type": "text/xml" }).end(errorBody(service, error));
}

/** Sends a request to moto as it came, and moto's answer back as it comes. */
function forward(
  request: IncomingMessage,
  body: Buffer | undefined,
  response: ServerResponse,
  motoUrl: string,
  agent: Agent,
): void {
  // Node has answered "Expect: 100-continue" by itself, and each hop has its own connection.
  const { expect: _, connection: __, ...headers } = request.headers;
  const { hostname, port } = new URL(motoUrl);
  const onward = httpRequest(
    { agent, hostname, port, method: request.method, path: request.url, headers },
    (answer) => {
      const { connection: ___, "keep-alive": ____, ...answered } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, answered);
      answer.pipe(response);
    },
  );
  onward.on("error", (error) => {
    refuse(response, "sts", new AwsError("ServiceUnavailable", `moto at ${motoUrl}: ${error.message}`, 503));
  });
  response.on("close", () => onward.destroy());
  if (body === undefined) request.pipe(onward);
  else onward.end(body);
}

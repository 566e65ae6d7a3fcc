/** A proxy in front of moto: enforces the roles' policies, and returns the recorded answers of scenarios. */
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";
import { type Loopback, listen } from "../common/loopback.js";
import { forward } from "../emulation/forward.js";

export interface SceneFront extends Loopback {
  /** Recorded answers by account id and IAM action. Can change while the proxy runs. */
  readonly recorded: Map<string, unknown>;
  /** Every request so far: account id, action, and whether the role's policies allow it. */
  readonly requests: { accountId: string; action: string; allowed: boolean }[];
}

/** IAM prefixes that differ from the signing name. */
const prefixes: Readonly<Record<string, string>> = { monitoring: "cloudwatch" };

/** IAM actions of the REST operations that the scenarios use. Any other operation is denied. */
const rest: readonly (readonly [RegExp, string])[] = [
  [/^lambda GET \/2015-03-31\/functions\/$/, "lambda:ListFunctions"],
  [/^lambda GET \/2015-03-31\/functions\/[^/]+\/configuration$/, "lambda:GetFunctionConfiguration"],
  [/^lambda GET \/2015-03-31\/functions\/[^/]+$/, "lambda:GetFunction"],
  [/^eks GET \/clusters\/[^/]+\/node-groups\/[^/]+$/, "eks:DescribeNodegroup"],
  [/^eks GET \/clusters\/[^/]+\/node-groups$/, "eks:ListNodegroups"],
  [/^route53 GET \/2013-04-01\/hostedzone$/, "route53:ListHostedZones"],
  [/^route53 GET \/2013-04-01\/hostedzone\/[^/]+\/rrset$/, "route53:ListResourceRecordSets"],
  [/^s3 GET \/[^/?]+\?policy/, "s3:GetBucketPolicy"],
];

function actionOf({ method, url = "/", headers }: IncomingMessage, body: string): string {
  const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "")?.[1] ?? "unsigned";
  const prefix = prefixes[service] ?? service;
  const operation =
    /\.(\w+)$/.exec(String(headers["x-amz-target"]))?.[1] ??
    /\/operation\/(\w+)$/.exec(url)?.[1] ??
    new URLSearchParams(body).get("Action");
  if (operation) return `${prefix}:${operation}`;
  const path = service === "s3" ? url : url.split("?")[0];
  return rest.find(([pattern]) => pattern.test(`${service} ${method} ${path}`))?.[1] ?? `${prefix}:(${method} ${url})`;
}

/** @param policies of each account's role, by account id */
export async function startSceneFront(
  awsUrl: string,
  policies: ReadonlyMap<string, readonly PolicyDocument[]>,
): Promise<SceneFront> {
  const recorded = new Map<string, unknown>();
  const requests: SceneFront["requests"] = [];
  const callers = new Map<string, ReturnType<typeof lookUp>>();

  const server = createServer(async (request, response) => {
    const answer = (status: number, content: unknown, headers: object = {}) => {
      const type = typeof content === "string" ? "text/xml" : "application/x-amz-json-1.1";
      response.writeHead(status, { "content-type": type, ...headers });
      response.end(typeof content === "string" ? content : JSON.stringify(content));
    };
    try {
      const body = await buffer(request);
      const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1];
      const action = actionOf(request, body.toString("latin1"));
      if (key !== undefined && !action.startsWith("sts:")) {
        const caller = callers.get(key) ?? lookUp(awsUrl, key);
        callers.set(key, caller);
        const { Account, Arn } = await caller;
        const allowed = allowedActions([...(policies.get(Account!) ?? [])], [{ action }]).length > 0;
        requests.push({ accountId: Account!, action, allowed });
        if (!allowed) {
          const code = "AccessDeniedException";
          const message = `User: ${Arn} is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`;
          return answer(403, { __type: code, Message: message, message }, { "x-amzn-errortype": code });
        }
        const known = recorded.get(`${Account} ${action}`);
        if (known !== undefined) return answer(200, known);
      }
      forward(request, response, awsUrl, body);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  return { ...(await listen(server)), recorded, requests };
}

/** moto identifies the account by the access key alone. */
async function lookUp(endpoint: string, accessKeyId: string) {
  const sts = new STSClient({ endpoint, region: "us-east-1", credentials: { accessKeyId, secretAccessKey: "local" } });
  return sts.send(new GetCallerIdentityCommand({})).finally(() => sts.destroy());
}

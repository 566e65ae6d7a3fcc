/** A proxy in front of moto: enforces the roles' policies, and returns the recorded answers of scenarios. */
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";
import { forward, type Loopback, listen } from "../common/loopback.js";

export interface SceneFrontArgs {
  readonly awsUrl: string;
  /** Policies of each account's role. */
  readonly policies: ReadonlyMap<string, readonly PolicyDocument[]>;
}

export interface SceneFront extends Loopback {
  /** Recorded answers by account id and IAM action. Can change while the proxy runs. */
  readonly recorded: Map<string, unknown>;
  /** Every request so far: account id, action, and whether the role's policies allow it. */
  readonly requests: { accountId: string; action: string; allowed: boolean }[];
}

interface Caller {
  readonly accountId: string;
  readonly arn: string;
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

export async function startSceneFront({ awsUrl, policies }: SceneFrontArgs): Promise<SceneFront> {
  const recorded = new Map<string, unknown>();
  const requests: SceneFront["requests"] = [];
  const callers = new Map<string, Promise<Caller>>();
  const callerOf = (accessKeyId: string) => {
    const found = callers.get(accessKeyId) ?? lookUp(awsUrl, accessKeyId);
    callers.set(accessKeyId, found);
    return found;
  };

  const server = createServer(async (request, response) => {
    try {
      const body = await buffer(request);
      const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1];
      const action = actionOf(request, body.toString("latin1"));
      if (key !== undefined && !action.startsWith("sts:")) {
        const { accountId, arn } = await callerOf(key);
        const allowed = allowedActions([...(policies.get(accountId) ?? [])], [{ action }]).length > 0;
        requests.push({ accountId, action, allowed });
        if (!allowed) {
          const Message = `User: ${arn} is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`;
          response.writeHead(403, {
            "content-type": "application/x-amz-json-1.1",
            "x-amzn-errortype": "AccessDeniedException",
          });
          return void response.end(JSON.stringify({ __type: "AccessDeniedException", Message, message: Message }));
        }
        const answer = recorded.get(`${accountId} ${action}`);
        if (answer !== undefined) {
          const text = typeof answer === "string";
          response.writeHead(200, { "content-type": text ? "text/xml" : "application/x-amz-json-1.1" });
          return void response.end(text ? answer : JSON.stringify(answer));
        }
      }
      forward(request, response, awsUrl, body);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  return { ...(await listen(server)), recorded, requests };
}

/** moto identifies the account by the access key alone. */
async function lookUp(endpoint: string, accessKeyId: string): Promise<Caller> {
  const sts = new STSClient({ endpoint, region: "us-east-1", credentials: { accessKeyId, secretAccessKey: "local" } });
  try {
    const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
    return { accountId: Account!, arn: Arn! };
  } finally {
    sts.destroy();
  }
}

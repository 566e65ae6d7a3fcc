/**
 * The default policy in an AWS that enforces it: the calls of the five investigations against moto. moto uses
 * other names than IAM for some actions and does not enforce every service. Each call is therefore also made by a role
 * without a policy and by a role that allows each action by name. If both get the same verdict, moto does not enforce the
 * action, and only the catalogue decides (scenarios.test.ts).
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CreateRoleCommand, type IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { permissionPolicies } from "../../policies/permissions.js";
import type { PolicyDocument } from "../../policies/types.js";
import { Processes } from "../../scripts/common/processes.js";
import { accountClient, startMoto } from "../../scripts/emulation/moto.js";
import { ensureMoto } from "../../scripts/emulation/python.js";
import { type Call, investigations, refusals } from "./scenarios.js";

type Verdict = "denied" | "passed" | "unknown";
type Session = "policy" | "nothing" | "named";

const accountId = "111111111111";
const region = "eu-west-1";
const allowed = Object.values(investigations).flat();
const refused = Object.values(refusals).flat();
const named = [...allowed, ...refused].map(({ action }) => action);
const roles: Record<Session, PolicyDocument[]> = {
  policy: permissionPolicies({ policyName: "P", partition: "aws" }).policies.map(({ document }) => document),
  nothing: [],
  named: [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: named, Resource: "*" }] }],
};

const processes = new Processes();
let verdicts: Map<string, Record<Session, Verdict>>;

beforeAll(async () => {
  const { url } = await startMoto(processes);
  const account = accountClient(url, accountId);
  const sessions: Record<string, object> = {};
  for (const [name, documents] of Object.entries(roles)) sessions[name] = await session(account, name, documents);
  account.destroy();
  const enforced = await fetch(`${url}/moto-api/reset-auth`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: "0",
  });
  expect(enforced.status).toBe(200);
  const calls = [...allowed, ...refused];
  const answers = await decide({ endpoint: url, region, sessions, calls });
  verdicts = new Map(calls.map(({ action }, index) => [action, answers[index]!]));
}, 900_000);

afterAll(() => processes.stopAll());

test("allows the calls of investigations, and denies writes and sensitive reads", () => {
  const judged = (calls: Call[]) => {
    const known = calls.filter(({ action }) => {
      const { nothing, named: open } = verdicts.get(action)!;
      return nothing === "denied" && open === "passed";
    });
    return { known, rest: calls.filter((call) => !known.includes(call)) };
  };
  const verdictOf = ({ action }: Call) => `${action} ${verdicts.get(action)!.policy}`;
  const reads = judged(allowed);
  const others = judged(refused);
  console.log(
    `moto judged ${reads.known.length} of ${allowed.length} calls to allow and ${others.known.length} of ${refused.length} ` +
      "to refuse; by the catalogue only:\n" +
      [...reads.rest, ...others.rest].map(({ action }) => action).join(", "),
  );
  expect(reads.known.map(verdictOf)).toEqual(reads.known.map(({ action }) => `${action} passed`));
  expect(others.known.map(verdictOf)).toEqual(others.known.map(({ action }) => `${action} denied`));
  expect(reads.known.length).toBeGreaterThanOrEqual(60);
  expect(others.known.length).toBeGreaterThanOrEqual(60);
});

/** Keys of a role with inline policies. */
async function session(account: IAMClient, name: string, documents: PolicyDocument[]) {
  const trust = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }],
  };
  const { Role } = await account.send(
    new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) }),
  );
  for (const [index, document] of documents.entries()) {
    await account.send(
      new PutRolePolicyCommand({ RoleName: name, PolicyName: `p${index}`, PolicyDocument: JSON.stringify(document) }),
    );
  }
  const { endpoint, region, credentials } = account.config;
  const sts = new STSClient({ endpoint, region, credentials });
  const { Credentials: keys } = await sts.send(
    new AssumeRoleCommand({ RoleArn: Role!.Arn!, RoleSessionName: "investigation" }),
  );
  sts.destroy();
  return {
    accessKeyId: keys!.AccessKeyId!,
    secretAccessKey: keys!.SecretAccessKey!,
    sessionToken: keys!.SessionToken!,
  };
}

async function decide(request: object): Promise<Record<Session, Verdict>[]> {
  const { motoPython } = await ensureMoto();
  const child = spawn(motoPython, [fileURLToPath(new URL("enforced.py", import.meta.url))]);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => {
    output.stdout += data;
  });
  child.stderr.on("data", (data) => {
    output.stderr += data;
  });
  child.stdin.end(JSON.stringify(request));
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`enforced.py ended with ${code}: ${output.stderr}`);
  return JSON.parse(output.stdout);
}

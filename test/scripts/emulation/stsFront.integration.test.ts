import { gzipSync } from "node:zlib";
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  type IAMClient,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { decodeJwt, type JSONWebKeySet } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trustPolicy } from "../../../policies/trust.js";
import type { Loopback } from "../../../scripts/common/loopback.js";
import { Processes } from "../../../scripts/common/processes.js";
import { accountClient } from "../../../scripts/emulation/moto.js";
import { startStsFront } from "../../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../../scripts/emulation/tokens.js";
import { emptyMoto } from "../../moto.js";

const account = "111111111111";
const subject = { namespace: "default", serviceAccount: "multi-account-mcp-sa" };
const cluster = new ClusterIssuer(`https://oidc.eks.us-east-1.amazonaws.com/id/${"A".repeat(32)}`);
const keyless = new ClusterIssuer(`https://oidc.eks.us-east-1.amazonaws.com/id/${"B".repeat(32)}`);
const roleArn = `arn:aws:iam::${account}:role/team/Reader`;
const trust = (partition = "aws") =>
  JSON.stringify(
    trustPolicy({
      accountId: account,
      partition,
      issuers: [cluster.issuerUrl.replace("https://", "")],
      subjects: [subject],
    }),
  );

const processes = new Processes();
const keys = new Map<string, JSONWebKeySet>();
let motoUrl: string;
let front: Loopback;
let iam: IAMClient;
let sts: STSClient;

beforeAll(async () => {
  motoUrl = (await emptyMoto()).url;
  keys.set(cluster.issuerUrl, cluster.jwks());
  front = await startStsFront(motoUrl, keys);
  processes.onStop(front.close);
  iam = accountClient(front.url, account);
  for (const { issuerUrl: Url } of [cluster, keyless]) {
    await iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: ["sts.amazonaws.com"] }));
  }
  const role = { RoleName: "Reader", Path: "/team/", AssumeRolePolicyDocument: trust() };
  await iam.send(new CreateRoleCommand({ ...role, MaxSessionDuration: 7200 }));
  const credentials = { accessKeyId: "none", secretAccessKey: "none" };
  sts = new STSClient({ endpoint: front.url, region: "us-east-1", credentials });
}, 600_000);

afterAll(async () => {
  iam?.destroy();
  sts?.destroy();
  await processes.stopAll();
});

const assume = async (change: Partial<AssumeRoleWithWebIdentityCommandInput> = {}) =>
  sts.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn,
      RoleSessionName: "pod",
      WebIdentityToken: change.WebIdentityToken ?? (await cluster.token(subject)),
      ...change,
    }),
  );

const right = async () => decodeJwt(await cluster.token(subject));

describe("AssumeRoleWithWebIdentity", () => {
  test("returns credentials of the role", async () => {
    const { Credentials, AssumedRoleUser } = await assume();
    expect(AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${account}:assumed-role/Reader/pod`);
    expect(Credentials?.SessionToken).toBeTruthy();
  });

  test.each<[string, () => Promise<Partial<AssumeRoleWithWebIdentityCommandInput>>, object]>([
    [
      "no provider",
      async () => ({ RoleArn: roleArn.replace(account, "222222222222") }),
      {
        name: "InvalidIdentityTokenException",
        message: `No OpenIDConnect provider found in your account for ${cluster.issuerUrl}`,
        $metadata: { httpStatusCode: 400 },
      },
    ],
    [
      "wrong audience",
      async () => ({ WebIdentityToken: await cluster.token({ ...subject, audience: "other" }) }),
      { name: "InvalidIdentityTokenException", message: expect.stringMatching(/^Incorrect token audience /) },
    ],
    [
      "expired",
      async () => ({ WebIdentityToken: await cluster.token({ ...subject, expiresInSeconds: -60 }) }),
      {
        name: "ExpiredTokenException",
        message: expect.stringMatching(
          /^Token expired: current date\/time \d+ must be before the expiration date\/time \d+$/,
        ),
      },
    ],
    [
      "an issuer that serves no keys",
      async () => ({ WebIdentityToken: await keyless.token(subject) }),
      {
        name: "InvalidIdentityTokenException",
        message: expect.stringContaining("Couldn't retrieve verification key from your identity provider"),
      },
    ],
    [
      "not a JWT",
      async () => ({ WebIdentityToken: "garbage" }),
      { name: "InvalidIdentityTokenException", message: expect.stringContaining("is not a valid JWT") },
    ],
    [
      "a token without an issuer",
      async () => ({ WebIdentityToken: await cluster.sign({ sub: "x", aud: "sts.amazonaws.com" }) }),
      { name: "InvalidIdentityTokenException", message: expect.stringContaining("is not a valid JWT") },
    ],
    [
      "wrong subject",
      async () => ({ WebIdentityToken: await cluster.token({ ...subject, namespace: "other" }) }),
      {
        name: "AccessDenied",
        message: expect.stringMatching(
          /^Not authorized to perform sts:AssumeRoleWithWebIdentity \(.*:sub is "system:serviceaccount:other:multi-account-mcp-sa", not/,
        ),
        $metadata: { httpStatusCode: 403 },
      },
    ],
    [
      "no such role",
      async () => ({ RoleArn: roleArn.replace("Reader", "Writer") }),
      { name: "AccessDenied", message: expect.stringContaining("does not exist") },
    ],
    [
      "role named without its path",
      async () => ({ RoleArn: roleArn.replace("team/", "") }),
      { name: "AccessDenied", message: expect.stringContaining("does not exist") },
    ],
    [
      "longer than the role's sessions",
      async () => ({ DurationSeconds: 7201 }),
      {
        name: "ValidationError",
        message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
      },
    ],
    [
      "shorter than any session",
      async () => ({ DurationSeconds: 899 }),
      { name: "ValidationError", message: expect.stringContaining("durationSeconds") },
    ],
    [
      "a session name that is too long",
      async () => ({ RoleSessionName: "x".repeat(65) }),
      { name: "ValidationError", message: expect.stringContaining("roleSessionName") },
    ],
    [
      "an ARN of a user",
      async () => ({ RoleArn: `arn:aws:iam::${account}:user/reader` }),
      { name: "ValidationError", message: `arn:aws:iam::${account}:user/reader is invalid` },
    ],
    [
      "a valid token above 20,000 characters",
      async () => ({ WebIdentityToken: await cluster.sign({ ...(await right()), padding: "x".repeat(20_000) }) }),
      { name: "ValidationError", message: expect.stringContaining("length less than or equal to 20000") },
    ],
    [
      "an authorized party that is a list",
      async () => ({ WebIdentityToken: await cluster.token({ ...subject, azp: ["sts.amazonaws.com"] }) }),
      { name: "InvalidIdentityTokenException", message: expect.stringMatching(/^Incorrect token audience /) },
    ],
    [
      "issued an hour ahead",
      async () => ({
        WebIdentityToken: await cluster.token({ ...subject, iat: Math.floor(Date.now() / 1000) + 3600 }),
      }),
      { name: "InvalidIdentityTokenException", message: expect.stringContaining("could not be validated by AWS") },
    ],
  ])("rejects as STS does: %s", async (_, change, error) => {
    await expect(assume(await change())).rejects.toMatchObject(error);
  });

  test("accepts a token of up to 20,000 characters and an iat within the clock's tolerance", async () => {
    const claims = await right();
    const padding = "x".repeat(13_000);
    const WebIdentityToken = await cluster.sign({ ...claims, iat: claims.iat! + 60, padding });
    expect(WebIdentityToken.length).toBeGreaterThan(17_000);
    await expect(assume({ WebIdentityToken })).resolves.toBeDefined();
  });

  test("accepts the role's maximum session duration", async () => {
    await expect(assume({ DurationSeconds: 7200 })).resolves.toBeDefined();
  });

  test("reads the trust policy for each call", async () => {
    const update = (PolicyDocument: string) =>
      iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "Reader", PolicyDocument }));
    await update(trust().replace("multi-account-mcp-sa", "another-account"));
    await expect(assume()).rejects.toMatchObject({ name: "AccessDenied" });
    await update(trust());
    await expect(assume()).resolves.toBeDefined();
  });

  test("returns an error for a condition operator that it does not support", async () => {
    const PolicyDocument = trust().replace("StringEquals", "StringEqualsIgnoreCase");
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "Reader", PolicyDocument }));
    const answer = await post({ WebIdentityToken: await cluster.token(subject) });
    expect(answer).toMatchObject({
      status: 500,
      text: expect.stringContaining("operator &quot;StringEqualsIgnoreCase"),
    });
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "Reader", PolicyDocument: trust() }));
  });

  test("works in another partition", async () => {
    const china = accountClient(front.url, account, "aws-cn");
    const Url = cluster.issuerUrl;
    await china.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: ["sts.amazonaws.com"] }));
    const AssumeRolePolicyDocument = trust("aws-cn");
    await china.send(new CreateRoleCommand({ RoleName: "Reader", Path: "/team/", AssumeRolePolicyDocument }));
    await assume({ RoleArn: roleArn.replace("arn:aws:", "arn:aws-cn:") });
    china.destroy();
  });
});

/** A web-identity request in a form that no SDK sends. */
async function post(
  change: Record<string, string>,
  {
    method = "POST",
    path = "/",
    query = "",
    headers = {},
    wrap = (form: URLSearchParams): BodyInit => form.toString(),
  }: {
    method?: string;
    path?: string;
    query?: string;
    headers?: Record<string, string>;
    wrap?: (form: URLSearchParams) => BodyInit;
  } = {},
) {
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: "pod",
    WebIdentityToken: "garbage",
    ...change,
  });
  const answer = await fetch(`${front.url}${path}${query}`, {
    method,
    signal: AbortSignal.timeout(20_000),
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: wrap(form),
  });
  return { status: answer.status, text: await answer.text() };
}

const signed = (service: string, accessKeyId = "AKIA") => ({
  authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
});

describe("request forms that AWS does not accept", () => {
  test.each<[string, () => ReturnType<typeof post>]>([
    ["signed", () => post({}, { headers: signed("sts") })],
    ["with another content type", () => post({}, { headers: { ...signed("sts"), "content-type": "text/plain" } })],
    ["unsigned with another content type", () => post({}, { headers: { "content-type": "text/plain" } })],
    [
      "by a target header",
      () => post({ Action: "" }, { headers: { ...signed("sts"), "x-amz-target": "X.AssumeRoleWithWebIdentity" } }),
    ],
    ["with the action twice", () => post({}, { wrap: (form) => `Action=GetCallerIdentity&${form}` })],
    ["with a good action in the query", () => post({}, { query: "?Action=GetCallerIdentity" })],
    ["with the role twice", () => post({}, { query: `?RoleArn=${roleArn}` })],
    [
      "with the token twice",
      async () => post({ WebIdentityToken: await cluster.token(subject) }, { query: "?WebIdentityToken=x" }),
    ],
    ["PUT with a bad token", () => post({}, { method: "PUT" })],
    ["PATCH with a bad token", () => post({}, { method: "PATCH" })],
    ["DELETE, signed", () => post({}, { method: "DELETE", headers: signed("sts") })],
    ["PUT, signed for IAM", () => post({ Action: "CreateRole" }, { method: "PUT", headers: signed("iam") })],
    ["a path of moto's", () => post({}, { path: "/sts_us-east-1/" })],
    ["a path of moto's, signed", () => post({}, { path: "/anything", headers: signed("sts") })],
    [
      "a compressed body",
      () => post({}, { headers: { "content-encoding": "gzip" }, wrap: (form) => gzipSync(form.toString()) }),
    ],
    ["JSON", () => post({}, { headers: { "content-type": "application/json" } })],
    ["without a content type", () => post({}, { headers: { "content-type": "" } })],
    ["an older signature", () => post({}, { headers: { authorization: "AWS AKIA:signature" } })],
    ["a service name in capitals", () => post({}, { headers: signed("STS") })],
    ["a service name with a domain", () => post({}, { headers: signed("sts.us-east-1.amazonaws.com") })],
    ["unsigned, another action of STS", () => post({ Action: "GetCallerIdentity" })],
    ["unsigned, an action of IAM", () => post({ Action: "ListUsers" })],
    ["unsigned, SAML", () => post({ Action: "AssumeRoleWithSAML", SAMLAssertion: "x", PrincipalArn: roleArn })],
    ["signed, SAML", () => post({ Action: "AssumeRoleWithSAML" }, { headers: signed("sts") })],
    ["no action", () => post({ Action: "" })],
    ["with an escaped action", () => post({}, { wrap: (form) => form.toString().replace("Action=A", "Action=%41") })],
  ])("are rejected: %s", async (_, send) => {
    const { status, text } = await send();
    expect(status).toBe(400);
    expect(text).toMatch(/<Code>(InvalidIdentityToken|MalformedQueryString|InvalidAction|IncompleteSignature)<\/Code>/);
    expect(text).not.toContain("AccessKeyId");
  });

  test("are rejected: parameters by GET", async () => {
    const query = new URLSearchParams({ RoleArn: roleArn, RoleSessionName: "pod", WebIdentityToken: "x" });
    const answer = await fetch(`${front.url}/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&${query}`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("<Code>MalformedQueryString</Code>");
  });

  test("are rejected with a valid token too, so that the form alone decides", async () => {
    const WebIdentityToken = await cluster.token(subject);
    const gzip = { headers: { "content-encoding": "gzip" }, wrap: (form: URLSearchParams) => gzipSync(`${form}`) };
    for (const form of [{ method: "PUT" }, { method: "PATCH" }, { path: "/sts_us-east-1/" }, gzip]) {
      const { status, text } = await post({ WebIdentityToken }, form);
      expect({ status, code: /<Code>(\w+)/.exec(text)?.[1] }).toEqual({ status: 400, code: "MalformedQueryString" });
    }
  });

  test("do not include a form with a valid token", async () => {
    const { status, text } = await post({ WebIdentityToken: await cluster.token(subject) });
    expect(status).toBe(200);
    expect(text).toContain("<AccessKeyId>");
  });
});

describe("everything else", () => {
  test("is forwarded unchanged, and so is the response: 5 MB each way", async () => {
    const headers = signed("s3", (await iam.config.credentials()).accessKeyId);
    const url = `${front.url}/a-bucket`;
    expect((await fetch(url, { method: "PUT", headers })).status).toBe(200);
    const content = Buffer.alloc(5 * 1024 * 1024, "0123456789abcdef");
    expect((await fetch(`${url}/object`, { method: "PUT", headers, body: content })).status).toBe(200);
    const answer = await fetch(`${url}/object`, { headers });
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
    expect((await fetch(`${url}/nothing`, { headers })).status).toBe(404);
  });

  test("keeps the caller's account", async () => {
    const { endpoint, region, credentials } = iam.config;
    const caller = new STSClient({ endpoint, region, credentials });
    const { Account } = await caller.send(new GetCallerIdentityCommand({}));
    caller.destroy();
    expect(Account).toBe(account);
  });

  test("returns an error with the URL when moto does not run", async () => {
    const orphan = await startStsFront("http://127.0.0.1:9", keys);
    const client = accountClient(orphan.url, account);
    await expect(client.send(new CreateRoleCommand({ RoleName: "R", AssumeRolePolicyDocument: "{}" }))).rejects.toThrow(
      "http://127.0.0.1:9: connect ECONNREFUSED",
    );
    client.destroy();
    await orphan.close();
  });
});

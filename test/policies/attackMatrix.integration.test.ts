import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  DeleteOpenIDConnectProviderCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import type { JSONWebKeySet, JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { oidcProviderArn, packTrustPolicies, type Subject, trustPolicy } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";
import type { Loopback } from "../../scripts/common/loopback.js";
import { Processes } from "../../scripts/common/processes.js";
import { accountClient } from "../../scripts/emulation/moto.js";
import { startStsFront } from "../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../scripts/emulation/tokens.js";
import { evaluateTrust } from "../../scripts/emulation/trustEvaluation.js";
import { emptyMoto } from "../moto.js";

// Three accounts, three clusters, two trusted service accounts; every document is the program's own. The `left` cluster
// was trusted and is removed before the attacks; `stray` is a cluster whose provider account 1 has for another purpose.
const issuerOf = (region: string, digit: string) =>
  new ClusterIssuer(`https://oidc.eks.${region}.amazonaws.com/id/${digit.repeat(32)}`);
const east = issuerOf("us-east-1", "A");
const west = issuerOf("eu-west-1", "B");
const left = issuerOf("us-west-2", "C");
const stray = issuerOf("us-east-1", "D");
const unknown = issuerOf("us-east-1", "E");
const known = [east, west, left, stray, unknown];

const subjects: Subject[] = [
  { namespace: "default", serviceAccount: "multi-account-mcp-sa" },
  { namespace: "robusta", serviceAccount: "robusta-holmes-service-account" },
];
const mcp = subjects[0]!;
const roleName = "EKSMultiAccountMCPRole";
const accounts = {
  "111111111111": { trusted: [east, west, left], others: [stray] },
  "222222222222": { trusted: [east], others: [] as ClusterIssuer[] },
  // Narrowed to one cluster, although the account has the provider of another cluster of the stack.
  "333333333333": { trusted: [east], others: [west] },
};
type AccountId = keyof typeof accounts;
const accountIds = Object.keys(accounts) as AccountId[];

const bare = (issuer: string) => issuer.replace("https://", "");
const roleArn = (account: string) => `arn:aws:iam::${account}:role/${roleName}`;
const providerArn = (account: string, issuer: string) => oidcProviderArn("aws", account, bare(issuer));
/** The account's trust policy, by the cluster names that the account trusts (targetAccounts[].clusters). */
const documentOf = (account: AccountId, without?: ClusterIssuer): PolicyDocument => {
  const [role] = packTrustPolicies({
    accountId: account,
    partition: "aws",
    subjects,
    limit: 4096,
    clusters: [east, west, left].map(({ issuerUrl }) => ({ name: issuerUrl, issuers: [bare(issuerUrl)] })),
    trusted: accounts[account].trusted.filter((cluster) => cluster !== without).map(({ issuerUrl }) => issuerUrl),
  });
  return role!.document;
};

/** The remaining targets without `left`: every pair of an account and a cluster that it trusts. */
const targets = accountIds.flatMap((account) =>
  accounts[account].trusted.filter((cluster) => cluster !== left).map((cluster) => ({ account, cluster })),
);

interface Attempt {
  token: string;
  account: string;
  role?: string;
  /** The check of the documents alone. Undefined if no document decides (a signature, a time). */
  document?: { providerArn: string; claims: JWTPayload };
}
interface Attack {
  name: string;
  /** The response of STS. */
  code: string;
  attempts: () => Promise<Attempt[]>;
}

/** The same attack on every target, by other claims than the right ones; the token is signed as it should be. */
const withClaims = (name: string, code: string, change: (right: JWTPayload) => JWTPayload): Attack => ({
  name,
  code,
  attempts: () =>
    Promise.all(
      targets.map(async ({ account, cluster }) => {
        const claims = change(claimsIn(await cluster.token(mcp)));
        return {
          account,
          token: await cluster.sign(claims),
          document: { providerArn: providerArn(account, cluster.issuerUrl), claims },
        };
      }),
    ),
});
const withSubject = (name: string, sub: string) => withClaims(name, "AccessDenied", (right) => ({ ...right, sub }));

/** An invalid token, which only its signature or its times reveal. */
const withToken = (name: string, code: string, make: (cluster: ClusterIssuer) => Promise<string>): Attack => ({
  name,
  code,
  attempts: () => Promise.all(targets.map(async ({ account, cluster }) => ({ account, token: await make(cluster) }))),
});

const other = (cluster: ClusterIssuer) => (cluster === east ? west : east);
const part = (token: string, index: number) => token.split(".")[index]!;
const claimsIn = (token: string) => JSON.parse(Buffer.from(part(token, 1), "base64url").toString()) as JWTPayload;
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

const attacks: Attack[] = [
  withSubject("wrong service account", "system:serviceaccount:default:default"),
  withSubject(
    "service account that begins with the right name",
    `system:serviceaccount:default:${mcp.serviceAccount}-2`,
  ),
  withSubject("wrong namespace", `system:serviceaccount:kube-system:${mcp.serviceAccount}`),
  withSubject(
    "one subject's namespace, the other's service account",
    `system:serviceaccount:robusta:${mcp.serviceAccount}`,
  ),
  withSubject("right subject in capitals", `system:serviceaccount:DEFAULT:${mcp.serviceAccount}`),
  withSubject("right subject and a line end", `system:serviceaccount:default:${mcp.serviceAccount}\n`),
  withSubject("sub with a wildcard for the name", "system:serviceaccount:default:*"),
  withSubject("sub with a wildcard inside the name", "system:serviceaccount:default:multi-account-*-sa"),
  withSubject("sub of wildcards", "system:serviceaccount:*:*"),
  withSubject("sub with ? for a character", "system:serviceaccount:default:multi-account-mcp-s?"),
  withClaims("wrong audience (the API server's)", "InvalidIdentityToken", (right) => ({
    ...right,
    aud: ["https://kubernetes.default.svc"],
  })),
  withClaims("audience of the China partition, which STS does not use", "InvalidIdentityToken", (right) => ({
    ...right,
    aud: ["sts.amazonaws.com.cn"],
  })),
  withClaims("audience that the provider accepts and the role does not", "AccessDenied", (right) => ({
    ...right,
    aud: ["another-client"],
  })),
  withClaims("right audience, another authorized party", "InvalidIdentityToken", (right) => ({
    ...right,
    azp: "unregistered-client",
  })),
  {
    name: "issuer without a provider in any account, with its own keys",
    code: "InvalidIdentityToken",
    attempts: () =>
      Promise.all(
        accountIds.map(async (account) => {
          const token = await unknown.token(mcp);
          const document = { providerArn: providerArn(account, unknown.issuerUrl), claims: claimsIn(token) };
          return { account, token, document };
        }),
      ),
  },
  withToken("right issuer with a slash at its end", "InvalidIdentityToken", (cluster) =>
    cluster.token({ ...mcp, iss: `${cluster.issuerUrl}/` }),
  ),
  withToken("right issuer over http", "InvalidIdentityToken", (cluster) =>
    cluster.token({ ...mcp, iss: cluster.issuerUrl.replace("https", "http") }),
  ),
  withToken("signature of another token", "InvalidIdentityToken", async (cluster) => {
    const [right, wrong] = await Promise.all([cluster.token(mcp), cluster.token({ ...mcp, namespace: "other" })]);
    return `${part(right, 0)}.${part(right, 1)}.${part(wrong, 2)}`;
  }),
  withToken("claims changed after signing", "InvalidIdentityToken", async (cluster) => {
    const token = await cluster.token({ namespace: "other", serviceAccount: "other" });
    const claims = { ...claimsIn(token), sub: `system:serviceaccount:${mcp.namespace}:${mcp.serviceAccount}` };
    return `${part(token, 0)}.${encoded(claims)}.${part(token, 2)}`;
  }),
  withToken("no signature (alg none)", "InvalidIdentityToken", async (cluster) => {
    return `${encoded({ alg: "none", kid: cluster.keyId })}.${part(await cluster.token(mcp), 1)}.`;
  }),
  withToken("HMAC with the public key as its secret", "InvalidIdentityToken", async (cluster) => {
    const jwk = cluster.jwks().keys[0] as JsonWebKey;
    const secret = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
    const signed = `${encoded({ alg: "HS256", kid: cluster.keyId })}.${part(await cluster.token(mcp), 1)}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  }),
  withToken("expired a second ago", "ExpiredTokenException", (cluster) =>
    cluster.token({ ...mcp, expiresInSeconds: -1 }),
  ),
  withToken("expired, with another cluster's key", "InvalidIdentityToken", (cluster) =>
    other(cluster).token({ ...mcp, expiresInSeconds: -1, iss: cluster.issuerUrl }),
  ),
  withToken("not valid yet", "InvalidIdentityToken", (cluster) =>
    cluster.token({ ...mcp, nbf: Math.floor(Date.now() / 1000) + 600 }),
  ),
  withToken("without an expiry", "InvalidIdentityToken", (cluster) => cluster.token({ ...mcp, exp: undefined })),
  withToken("other cluster's key with this cluster's issuer", "InvalidIdentityToken", (cluster) =>
    other(cluster).token({ ...mcp, iss: cluster.issuerUrl }),
  ),
  withToken("the same, naming this cluster's key", "InvalidIdentityToken", async (cluster) =>
    other(cluster).sign(claimsIn(await cluster.token(mcp)), { kid: cluster.keyId }),
  ),
  withToken("garbage instead of a token", "InvalidIdentityToken", async () => "garbage"),
  {
    name: "cluster that was removed from the account",
    code: "InvalidIdentityToken",
    attempts: async () => {
      const token = await left.token(mcp);
      const document = { providerArn: providerArn("111111111111", left.issuerUrl), claims: claimsIn(token) };
      return [{ account: "111111111111", token, document }];
    },
  },
  {
    name: "cluster outside the stack, whose provider exists in the account",
    code: "AccessDenied",
    attempts: async () => {
      const token = await stray.token(mcp);
      const document = { providerArn: providerArn("111111111111", stray.issuerUrl), claims: claimsIn(token) };
      return [{ account: "111111111111", token, document }];
    },
  },
  {
    name: "cluster of the stack that the account does not list, whose provider exists in the account",
    code: "AccessDenied",
    attempts: () =>
      Promise.all(
        subjects.map(async (subject) => {
          const token = await west.token(subject);
          const document = { providerArn: providerArn("333333333333", west.issuerUrl), claims: claimsIn(token) };
          return { account: "333333333333", token, document };
        }),
      ),
  },
  {
    name: "cluster of the stack that the account does not list, without a provider",
    code: "InvalidIdentityToken",
    attempts: () =>
      Promise.all(
        subjects.map(async (subject) => {
          const token = await west.token(subject);
          const document = { providerArn: providerArn("222222222222", west.issuerUrl), claims: claimsIn(token) };
          return { account: "222222222222", token, document };
        }),
      ),
  },
  {
    name: "role that names another account's provider",
    code: "InvalidIdentityToken",
    // The invalid document allows the call, but STS has no provider for the issuer.
    attempts: async () => [{ account: "222222222222", role: "Misled", token: await west.token(mcp) }],
  },
  {
    name: "role that does not exist",
    code: "AccessDenied",
    attempts: async () => [{ account: "111111111111", role: "Other", token: await east.token(mcp) }],
  },
];

const processes = new Processes();
let front: Loopback;
const keys = new Map<string, JSONWebKeySet>();
const rows: string[][] = [];

async function assume({ account, token, role = roleName }: Attempt): Promise<{ account?: string; code?: string }> {
  const form = {
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn(account).replace(roleName, role),
    RoleSessionName: "attack",
    WebIdentityToken: token,
  };
  const answer = await fetch(front.url, { method: "POST", body: new URLSearchParams(form) });
  const text = await answer.text();
  return answer.ok
    ? { account: /<Arn>arn:aws:sts::(\d+):/.exec(text)?.[1] }
    : { code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] };
}

beforeAll(async () => {
  const { url } = await emptyMoto();
  for (const cluster of known) keys.set(cluster.issuerUrl, cluster.jwks());
  front = await startStsFront(url, keys);
  processes.onStop(front.close);
  for (const account of accountIds) {
    const iam = accountClient(front.url, account);
    for (const { issuerUrl } of [...accounts[account].trusted, ...accounts[account].others]) {
      const ClientIDList = ["sts.amazonaws.com", "another-client"];
      await iam.send(new CreateOpenIDConnectProviderCommand({ Url: issuerUrl, ClientIDList }));
    }
    const AssumeRolePolicyDocument = JSON.stringify(documentOf(account));
    await iam.send(new CreateRoleCommand({ RoleName: roleName, AssumeRolePolicyDocument }));
    iam.destroy();
  }
}, 600_000);

afterAll(async () => {
  await processes.stopAll();
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  console.log(`\nAttack matrix\n${lines.join("\n")}\n`);
});

describe("every right pair is accepted", () => {
  const pairs = accountIds.flatMap((account) =>
    accounts[account].trusted.flatMap((cluster) => subjects.map((subject) => ({ account, cluster, subject }))),
  );

  test("through STS, into the right account, and by the documents", async () => {
    let accepted = 0;
    for (const { account, cluster, subject } of pairs) {
      const token = await cluster.token(subject);
      const anyone = { endpoint: front.url, region: "us-east-1" };
      const sts = new STSClient({ ...anyone, credentials: { accessKeyId: "none", secretAccessKey: "none" } });
      const { Credentials: session } = await sts.send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: roleArn(account),
          RoleSessionName: "right",
          WebIdentityToken: token,
        }),
      );
      sts.destroy();
      const credentials = {
        accessKeyId: session!.AccessKeyId!,
        secretAccessKey: session!.SecretAccessKey!,
        sessionToken: session!.SessionToken!,
      };
      const caller = new STSClient({ ...anyone, credentials });
      expect(await caller.send(new GetCallerIdentityCommand({}))).toMatchObject({
        Account: account,
        Arn: `arn:aws:sts::${account}:assumed-role/${roleName}/right`,
      });
      caller.destroy();
      const identity = { providerArn: providerArn(account, cluster.issuerUrl), claims: claimsIn(token) };
      expect(evaluateTrust(documentOf(account), identity).allowed).toBe(true);
      accepted += 1;
    }
    expect(pairs).toHaveLength(10);
    rows.push(["attempt", "through STS", "by the documents"]);
    const result = `accepted ${accepted} of ${pairs.length}`;
    rows.push(["right pair of cluster, subject and account", result, result]);
  });
});

describe("every attack is rejected", () => {
  beforeAll(async () => {
    const one = accountClient(front.url, "111111111111");
    const OpenIDConnectProviderArn = providerArn("111111111111", left.issuerUrl);
    await one.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    const PolicyDocument = JSON.stringify(documentOf("111111111111", left));
    await one.send(new UpdateAssumeRolePolicyCommand({ RoleName: roleName, PolicyDocument }));
    one.destroy();
    const two = accountClient(front.url, "222222222222");
    const issuers = [bare(west.issuerUrl)];
    const misled = trustPolicy({ accountId: "111111111111", partition: "aws", issuers, subjects });
    const AssumeRolePolicyDocument = JSON.stringify(misled);
    await two.send(new CreateRoleCommand({ RoleName: "Misled", AssumeRolePolicyDocument }));
    two.destroy();
  });

  test.each(attacks)("$name", async ({ name, code, attempts }) => {
    const tried = await attempts();
    expect(tried.length).toBeGreaterThan(0);
    const answers = await Promise.all(tried.map(assume));
    const asked = tried.filter((attempt) => attempt.document !== undefined);
    const verdicts = asked.map(({ account, document }) =>
      evaluateTrust(documentOf(account as AccountId, left), document as Required<Attempt>["document"]),
    );
    const refused = verdicts.filter(({ allowed }) => !allowed).length;
    rows.push([
      name,
      `refused ${answers.filter((answer) => answer.code === code).length} of ${tried.length}: ${code}`,
      asked.length === 0 ? "(not evaluated)" : `refused ${refused} of ${asked.length}`,
    ]);
    expect(answers).toEqual(tried.map(() => ({ code })));
    expect(refused).toBe(asked.length);
  });

  test("accepts the valid token afterwards, so the attack was the reason of the rejection", async () => {
    for (const { account, cluster } of targets) {
      expect(await assume({ account, token: await cluster.token(mcp) })).toEqual({ account });
    }
  });
});

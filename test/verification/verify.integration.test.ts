// verification/verify.py as the Job runs it, against the real server in both transports and emulated accounts.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from "@aws-sdk/client-iam";
import type { JSONWebKeySet } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trustPolicy } from "../../policies/trust.js";
import { freePort, Processes, waitForHttp } from "../../scripts/common/processes.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";
import { accountClient, startMoto } from "../../scripts/emulation/moto.js";
import { ensurePython, type PythonTools } from "../../scripts/emulation/python.js";
import { startServiceReferenceProxy } from "../../scripts/emulation/serviceReference.js";
import { startStsFront } from "../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../scripts/emulation/tokens.js";

const script = path.resolve("verification/verify.py");
const processes = new Processes();
const progress = () => {};
const issuer = new ClusterIssuer("https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF");
const subject = { namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" };
const role = "EKSMultiAccountMCPRole";
const roleArn = (accountId: string, name = role) => `arn:aws:iam::${accountId}:role/${name}`;

interface Profile {
  /** What the AWS config file says. */
  readonly roleArn: string;
  readonly token?: "expired" | "foreign" | "missing";
  readonly session?: string;
  readonly region?: string;
}

/** Every profile that the server knows; what is wrong with each is made in beforeAll. */
const profiles: Record<string, Profile> = {
  dev: { roleArn: roleArn("111111111111") },
  prod: { roleArn: roleArn("222222222222", `holmes/${role}`), region: "eu-central-1" },
  distrusted: { roleArn: roleArn("333333333333") },
  providerless: { roleArn: roleArn("444444444444") },
  deaf: { roleArn: roleArn("555555555555") },
  strayed: { roleArn: roleArn("222222222222", `holmes/${role}`) },
  renamed: { roleArn: roleArn("111111111111", "SomebodyElse") },
  noded: { roleArn: roleArn("111111111111", "eks-node"), session: "i-0123456789abcdef0" },
  expired: { roleArn: roleArn("111111111111"), token: "expired" },
  foreign: { roleArn: roleArn("111111111111"), token: "foreign" },
  tokenless: { roleArn: roleArn("111111111111"), token: "missing" },
  late: { roleArn: roleArn("666666666666") },
};

interface Account {
  readonly profile: string;
  readonly accountId: string;
  readonly roleArn: string;
}
const account = (profile: string, accountId: string, arn = profiles[profile]?.roleArn): Account => ({
  profile,
  accountId,
  roleArn: arn ?? roleArn(accountId),
});
const dev = account("dev", "111111111111");
const prod = account("prod", "222222222222");

let dir: string;
let python: PythonTools;
let environment: NodeJS.ProcessEnv;
let sse: string;
let http: string;

async function setUpAccount(
  url: string,
  accountId: string,
  roles: string[],
  options: Partial<{ provider: boolean; audience: string; trusts: string }> = {},
) {
  const { provider = true, audience = "sts.amazonaws.com", trusts = subject.serviceAccount } = options;
  const { iam, destroy } = await accountClient(url, accountId);
  if (provider) {
    await iam.send(
      new CreateOpenIDConnectProviderCommand({
        Url: issuer.issuerUrl,
        ClientIDList: [audience],
        ThumbprintList: ["9".repeat(40)],
      }),
    );
  }
  const document = trustPolicy({
    accountId,
    partition: "aws",
    issuers: [{ cluster: "dev", issuer: issuer.issuerUrl.replace("https://", "") }],
    subjects: [{ ...subject, serviceAccount: trusts }],
  });
  for (const name of roles) {
    const slash = name.lastIndexOf("/") + 1;
    await iam.send(
      new CreateRoleCommand({
        Path: `/${name.slice(0, slash)}`,
        RoleName: name.slice(slash),
        AssumeRolePolicyDocument: JSON.stringify(document),
      }),
    );
  }
  destroy();
}

/** The AWS config file, as documents/awsConfigFile.ts writes it but for what is wrong on purpose. */
function awsConfig(of: Record<string, Profile>): string {
  return Object.entries(of)
    .map(
      ([name, { roleArn: arn, token, session = "holmes-dev", region = "us-east-1" }]) =>
        `[profile ${name}]\nrole_arn = ${arn}\nweb_identity_token_file = ${path.join(dir, token ?? "token")}\n` +
        `role_session_name = ${session}\nregion = ${region}\nsts_regional_endpoints = regional\n`,
    )
    .join("\n");
}

interface Outcome {
  readonly code: number;
  readonly lines: string[];
  /** The one line about an account or the server that begins with a verdict. */
  of(verdict: "ok" | "FAIL" | "wait", name: string): string;
}

interface Run {
  readonly endpoint?: string;
  readonly transport?: string;
  readonly timeoutSeconds?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly arguments?: string[];
  readonly onOutput?: (text: string) => void;
}

let runs = 0;
async function verify(accounts: Account[], run: Run = {}): Promise<Outcome> {
  runs += 1;
  const file = path.join(dir, `accounts-${runs}.json`);
  const { endpoint = sse, transport = endpoint === sse ? "sse" : "streamable-http", timeoutSeconds = 60 } = run;
  await writeFile(file, JSON.stringify({ endpoint, transport, timeoutSeconds, accounts }));
  return execute([file, ...(run.arguments ?? [])], run);
}

async function execute(args: string[], { env, onOutput }: Run = {}): Promise<Outcome> {
  const options = { env: { ...environment, ...env }, onOutput };
  const child = processes.start("verify", python.serverPython, [script, ...args], options);
  const code = await child.exited;
  const lines = child.output().trimEnd().split("\n");
  const of = (verdict: string, name: string) => {
    const found = lines.filter((line) => line.startsWith(`${verdict.padEnd(5)} ${name} `));
    if (found.length !== 1) throw new Error(`${found.length} lines "${verdict} ${name}" in:\n${child.output()}`);
    return found[0]!;
  };
  return { code, lines, of };
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "verify-"));
  processes.onStop(() => rm(dir, { recursive: true, force: true }));
  const [tools, gateway, moto, reference] = await Promise.all([
    ensurePython(progress),
    ensureGateway(progress),
    startMoto(processes, progress),
    startServiceReferenceProxy(path.join(dir, "reference"), progress),
  ]);
  python = tools;
  processes.onStop(reference.close);
  const keys = new Map<string, JSONWebKeySet>([[issuer.issuerUrl, await issuer.jwks()]]);
  const front = await startStsFront({ motoUrl: moto.url, keys });
  processes.onStop(front.close);

  await Promise.all([
    setUpAccount(moto.url, "111111111111", [role, "SomebodyElse", "eks-node"]),
    setUpAccount(moto.url, "222222222222", [`holmes/${role}`]),
    setUpAccount(moto.url, "333333333333", [role], { trusts: "default" }),
    setUpAccount(moto.url, "444444444444", [role], { provider: false }),
    setUpAccount(moto.url, "555555555555", [role], { audience: "somebody.else" }),
    setUpAccount(moto.url, "666666666666", []),
    writeFile(path.join(dir, "token"), await issuer.token(subject)),
    writeFile(path.join(dir, "expired"), await issuer.token({ ...subject, expiresInSeconds: -60 })),
    writeFile(path.join(dir, "foreign"), await new ClusterIssuer(issuer.issuerUrl).token(subject)),
    writeFile(path.join(dir, "config"), awsConfig(profiles)),
  ]);

  environment = {
    PATH: process.env.PATH,
    HOME: dir,
    TMPDIR: dir,
    AWS_CONFIG_FILE: path.join(dir, "config"),
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ENDPOINT_URL: front.url,
    AWS_ENDPOINT_URL_STS: front.url,
    HTTPS_PROXY: reference.proxyUrl,
    NO_PROXY: "127.0.0.1",
    REQUESTS_CA_BUNDLE: reference.caBundle,
    READ_OPERATIONS_ONLY: "true",
    AWS_API_MCP_TELEMETRY: "false",
    AWS_API_MCP_SUPPRESS_DEPRECATION_WARNING: "true",
    AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS: "no-access",
    FASTMCP_LOG_LEVEL: "WARNING",
  };
  const [gatewayPort, nativePort] = [await freePort(), await freePort()];
  sse = `http://127.0.0.1:${gatewayPort}/sse`;
  http = `http://127.0.0.1:${nativePort}/mcp`;
  const gatewayChild = processes.start(
    "gateway",
    process.execPath,
    [
      ...[gateway, "--stdio", `exec ${tools.serverBin}`, "--outputTransport", "sse", "--host", "127.0.0.1"],
      ...["--port", String(gatewayPort), "--ssePath", "/sse", "--messagePath", "/message"],
      ...["--healthEndpoint", "/healthz", "--logLevel", "none"],
    ],
    { env: { ...environment, AWS_API_MCP_TRANSPORT: "stdio" } },
  );
  const native = processes.start("server", tools.serverBin, [], {
    env: {
      ...environment,
      AWS_API_MCP_TRANSPORT: "streamable-http",
      AWS_API_MCP_HOST: "127.0.0.1",
      AWS_API_MCP_PORT: String(nativePort),
      AWS_API_MCP_ALLOWED_HOSTS: "127.0.0.1",
      AWS_API_MCP_ALLOWED_ORIGINS: "127.0.0.1",
      AUTH_TYPE: "no-auth",
    },
  });
  await Promise.all([
    waitForHttp(sse.replace("/sse", "/healthz"), { child: gatewayChild, timeoutMs: 60_000 }),
    waitForHttp(http, { child: native, timeoutMs: 60_000 }),
  ]);
}, 600_000);

afterAll(() => processes.stopAll());

describe("when everything is right", () => {
  test.each(["sse", "streamable-http"])("every account answers through %s", async (transport) => {
    const endpoint = transport === "sse" ? sse : http;
    const { code, lines, of } = await verify([dev, prod], { endpoint });
    expect(of("ok", "dev")).toBe(`ok    dev (111111111111): ${role} answers, directly and through the server`);
    expect(of("ok", "prod")).toContain("(222222222222)");
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toBe(`2 of 2 accounts answer through ${endpoint}`);
    expect(code).toBe(0);
  });

  test("a role that comes into being a few seconds later is waited for", async () => {
    let seen = "";
    let refused = () => {};
    const isRefused = new Promise<void>((resolve) => {
      refused = resolve;
    });
    const onOutput = (text: string) => {
      seen += text;
      if (seen.includes("wait  late")) refused();
    };
    const running = verify([dev, account("late", "666666666666")], { endpoint: http, onOutput });
    await Promise.race([isRefused, running]);
    const { iam, destroy } = await accountClient(environment.AWS_ENDPOINT_URL!, "666666666666");
    const issuerPath = issuer.issuerUrl.replace("https://", "");
    const document = trustPolicy({
      accountId: "666666666666",
      partition: "aws",
      issuers: [{ cluster: "dev", issuer: issuerPath }],
      subjects: [subject],
    });
    await iam.send(new CreateRoleCommand({ RoleName: role, AssumeRolePolicyDocument: JSON.stringify(document) }));
    destroy();
    const { code, of } = await running;
    expect(of("wait", "late")).toContain("a new role takes some seconds");
    expect(of("ok", "late")).toContain("(666666666666)");
    expect(code).toBe(0);
  });
});

describe("when an account is wrong", () => {
  // One run for all of them: a sick account must not harm the one beside it either.
  let outcome: Outcome;
  let termination: string;
  const sick = [
    account("distrusted", "333333333333"),
    account("providerless", "444444444444"),
    account("deaf", "555555555555"),
    account("strayed", "777777777777", roleArn("777777777777")),
    account("renamed", "111111111111", roleArn("111111111111")),
    account("noded", "111111111111", roleArn("111111111111")),
    account("expired", "111111111111"),
    account("foreign", "111111111111"),
    account("tokenless", "111111111111"),
    account("ghost", "888888888888"),
  ];

  beforeAll(async () => {
    const log = path.join(dir, "termination-log");
    await writeFile(log, "x".repeat(10_000));
    outcome = await verify([dev, ...sick], { timeoutSeconds: 30, arguments: [log] });
    termination = await readFile(log, "utf8");
  }, 60_000);

  test("fails, counts, and leaves the right one right", () => {
    expect(outcome.code).toBe(1);
    expect(outcome.of("ok", "dev")).toContain("(111111111111)");
    expect(outcome.lines.at(-1)).toBe(`1 of 11 accounts answer through ${sse}`);
  });

  test.each([
    [
      "distrusted",
      `has no role ${role}, or its trust policy does not name issuer ${issuer.issuerUrl}, subject system:serviceaccount:holmes-aws-mcp:aws-api-mcp-sa and audience sts.amazonaws.com together; still so after`,
      "kubernetes.serviceAccount",
    ],
    [
      "providerless",
      `account 444444444444 has no OIDC provider for issuer ${issuer.issuerUrl}; still so after`,
      "existingOidcProviders",
    ],
    ["deaf", "does not accept audience sts.amazonaws.com; still so after", "add-client-id-to-open-id-connect-provider"],
    ["strayed", "the right role, but of account 222222222222, answers", "targetAccounts[].accountId"],
    ["renamed", `another role of the account answers: SomebodyElse, not ${role}`, "iam.roleName"],
    ["noded", `the node's own role eks-node of account 111111111111 answers, not ${role}`, "AWS_EC2_METADATA_DISABLED"],
    ["expired", "the pod's token has expired", "restart the pod"],
    ["foreign", `AWS cannot get the keys of issuer ${issuer.issuerUrl}`, ".well-known/openid-configuration"],
    ["tokenless", "the pod's token cannot be read (No such file or directory: ", "projected service account token"],
    ["ghost", "profile ghost is not in the AWS config file ", "`pulumi up`"],
  ])("%s: says what is wrong and what to do", (profile, what, todo) => {
    const [found, remedy] = outcome.of("FAIL", profile).split(". To do: ");
    expect(found).toContain(what);
    expect(remedy).toContain(todo);
  });

  test("waits only for what may settle", () => {
    const waited = sick
      .map(({ profile }) => profile)
      .filter((profile) => outcome.lines.some((line) => line.startsWith(`wait  ${profile} `)));
    expect(waited).toEqual(["distrusted", "providerless", "deaf", "foreign"]);
  });

  test("leaves the summary and every failure as the termination message, and nothing of what was there", () => {
    expect(termination.split("\n")).toEqual([
      outcome.lines.at(-1),
      ...outcome.lines.filter((line) => line.startsWith("FAIL")),
    ]);
  });

  test("shows no token", async () => {
    const token = await readFile(path.join(dir, "token"), "utf8");
    expect(outcome.lines.join("\n")).not.toContain(token.split(".")[1]!.slice(0, 20));
  });
});

test("cuts the termination message to what Kubernetes keeps, between characters", async () => {
  const log = path.join(dir, "long-termination-log");
  await writeFile(log, "");
  const many = Array.from({ length: 60 }, (_, index) => account(`gh\u00f6st${index}`, "888888888888"));
  const { lines, code } = await verify(many, { endpoint: http, arguments: [log] });
  const message = await readFile(log);
  expect(message.length).toBeLessThanOrEqual(4096);
  expect(message.length).toBeGreaterThan(4090);
  expect(message.toString("utf8")).toMatch(/ … \(more in the log\)$/);
  expect(message.toString("utf8")).not.toContain("\ufffd");
  expect(lines.filter((line) => line.startsWith("FAIL"))).toHaveLength(60);
  expect(code).toBe(1);
});

test("tells a closed way to STS from a refusal, and makes no termination log where there is none", async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const env = { AWS_ENDPOINT_URL: nowhere, AWS_ENDPOINT_URL_STS: nowhere };
  const log = path.join(dir, "absent");
  const { code, of } = await verify([dev], { endpoint: http, env, arguments: [log] });
  expect(of("FAIL", "dev")).toContain("no connection to STS (");
  expect(of("FAIL", "dev")).toContain("mcp.networkPolicy.egressPorts");
  expect(code).toBe(1);
  await expect(readFile(log)).rejects.toThrow("ENOENT");
});

describe("when the server is wrong", () => {
  test("down: the accounts are told from the server", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}/sse`;
    const { code, lines, of } = await verify([dev], { endpoint, transport: "sse", timeoutSeconds: 6 });
    expect(of("wait", "server")).toContain("no connection so far");
    expect(of("FAIL", "server")).toContain(`${endpoint}: no connection (`);
    expect(of("FAIL", "server")).toContain("kubectl logs -l app=aws-api-mcp-server");
    expect(of("FAIL", "dev")).toContain("the role answers, but the server was not asked");
    expect(lines.at(-1)).toBe(`0 of 1 accounts answer through ${endpoint}; the server fails`);
    expect(code).toBe(1);
  });

  test.each([
    ["sse where the server speaks streamable-http", () => http.replace("/mcp", "/sse"), "sse", "404"],
    ["sse at the path of streamable-http", () => http, "sse", "400"],
    ["streamable-http where the gateway speaks sse", () => sse.replace("/sse", "/mcp"), "streamable-http", "404"],
    ["streamable-http at the path of sse", () => sse, "streamable-http", "404"],
  ])("%s: the transport is named", async (_, endpoint, transport, status) => {
    const { code, lines, of } = await verify([dev], { endpoint: endpoint(), transport });
    expect(of("FAIL", "server")).toContain(`it does not speak ${transport} at this address (HTTP ${status})`);
    expect(of("FAIL", "server")).toContain("mcp.transport");
    expect(lines.some((line) => line.startsWith("wait"))).toBe(false);
    expect(code).toBe(1);
  });

  test("called by a name that it does not allow", async () => {
    const endpoint = http.replace("127.0.0.1", "localhost");
    const { code, of } = await verify([dev], { endpoint, env: { NO_PROXY: "127.0.0.1,localhost" } });
    expect(of("FAIL", "server")).toContain("it refuses the name that it is called by");
    expect(of("FAIL", "server")).toContain("AWS_API_MCP_ALLOWED_HOSTS");
    expect(code).toBe(1);
  });

  test("silent: the run ends by itself within its time and still reports", async () => {
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/sse`;
    try {
      const { code, of } = await verify([dev], { endpoint, transport: "sse", timeoutSeconds: 6 });
      expect(of("FAIL", "server")).toContain("it was not asked before the time was over");
      expect(of("FAIL", "dev")).toContain("the server was not asked");
      expect(code).toBe(1);
    } finally {
      silent.close();
    }
  });
});

describe("when the server answers something else", () => {
  const identity = (accountId: string, region = "us-east-1") => [
    {
      cli_command: "aws …",
      response: { as_json: `{"Arn": "arn:aws:sts::${accountId}:assumed-role/${role}/holmes-dev"}` },
      metadata: { region_name: region },
    },
  ];
  const right = identity("111111111111");
  const failed = (error: string) => [{ cli_command: "aws …", error }];
  const refused = (code: string) =>
    failed(`An error occurred (${code}) when calling the AssumeRoleWithWebIdentity operation: no`);
  const wrong: Record<string, readonly [answer: unknown, expected: string]> = {
    "another account": [identity("222222222222"), "the right role, but of account 222222222222, answers"],
    "another region": [
      identity("111111111111", "us-west-2"),
      "without --region go to us-west-2, not to the profile's us-east-1",
    ],
    "an unknown profile": [failed("The config profile (x) could not be found"), "the server does not know profile"],
    "a deny list": [failed("Execution of this operation is denied by security policy."), "mcp.denyList"],
    "its own error": [
      failed("No AWS credentials found"),
      "the role answers, but the server fails: No AWS credentials found",
    ],
    "a lasting refusal": [
      refused("RegionDisabledException"),
      "through the server STS is not active in the profile's region",
    ],
    "nothing at all": [[{ response: {} }], "neither an identity nor an error"],
    "an error of AWS": [[{ response: { error: "Service Unavailable" } }], "the server fails: Service Unavailable"],
    garbage: ["garbage", "something that is not an answer of call_aws"],
  };
  // A profile of its own for each answer, so that one run shows them all.
  const named = (name: string) => name.replaceAll(" ", "-");

  async function against(
    tools: string[],
    accounts: Account[],
    answer: (profile: string, call: number) => unknown,
  ): Promise<Outcome> {
    const config = path.join(dir, "config-scripted");
    const sections = accounts.map(({ profile }) => awsConfig({ [profile]: profiles.dev! }));
    await writeFile(config, sections.join("\n"));
    const server = await scriptedServer(tools, answer);
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
      return await verify(accounts, { endpoint, env: { AWS_CONFIG_FILE: config } });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  test("every wrong answer has its words, and a refusal that settles is none", async () => {
    const accounts = ["settling", ...Object.keys(wrong).map(named)].map((name) => account(name, "111111111111"));
    const answers = Object.fromEntries(Object.entries(wrong).map(([name, [answer]]) => [named(name), answer]));
    const { code, lines, of } = await against(["call_aws"], accounts, (profile, call) =>
      profile === "settling" ? (call === 0 ? refused("AccessDenied") : right) : answers[profile],
    );
    expect(of("ok", "settling")).toContain("directly and through the server");
    for (const [name, [, expected]] of Object.entries(wrong)) expect(of("FAIL", named(name))).toContain(expected);
    expect(lines.at(-1)).toMatch(/^1 of 10 accounts answer/);
    expect(code).toBe(1);
  });

  test("another answer at the second connection", async () => {
    const { code, of } = await against(["call_aws"], [dev], (_, call) =>
      call === 0 ? right : identity("222222222222"),
    );
    expect(of("FAIL", "dev")).toContain("at the second connection: the right role, but of account 222222222222");
    expect(code).toBe(1);
  });

  test("other tools", async () => {
    const { code, of } = await against(["read_documentation", "search"], [dev], () => right);
    expect(of("FAIL", "server")).toContain("it has no tool call_aws, only read_documentation, search");
    expect(code).toBe(1);
  });
});

/** The least of an MCP server over HTTP: stateless, one JSON answer for each request. `call` counts a profile's calls. */
async function scriptedServer(tools: string[], answer: (profile: string, call: number) => unknown): Promise<Server> {
  const calls = new Map<string, number>();
  const serverInfo = { name: "scripted", version: "1" };
  const results: Record<
    string,
    (params: { protocolVersion?: string; arguments?: { cli_command: string } }) => unknown
  > = {
    initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo }),
    "tools/list": () => ({ tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })) }),
    "tools/call": (params) => {
      const profile = /^aws sts get-caller-identity --profile (\S+)$/.exec(params.arguments!.cli_command)![1]!;
      const call = calls.get(profile) ?? 0;
      calls.set(profile, call + 1);
      const said = answer(profile, call);
      return { content: [{ type: "text", text: typeof said === "string" ? said : JSON.stringify(said) }] };
    },
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const { id, method, params } = JSON.parse(body || "{}");
    const result = results[method];
    if (result === undefined) return void response.writeHead(202).end();
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: result(params) }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("when it is called wrongly", () => {
  test("without a file: says how", async () => {
    const { code, lines } = await execute([]);
    expect(lines).toEqual(["usage: verify.py accounts.json [termination-log]"]);
    expect(code).toBe(1);
  });

  test("with a file that is wrong: says how", async () => {
    const files: Record<string, readonly [content: string, expected: string]> = {
      "no-json": ["{", "cannot be read (JSONDecodeError"],
      "no-timeout": [JSON.stringify({ endpoint: "x", transport: "sse", accounts: [] }), "KeyError: 'timeoutSeconds'"],
      stdio: [
        JSON.stringify({ endpoint: "x", transport: "stdio", timeoutSeconds: 9, accounts: [] }),
        'transport "stdio"',
      ],
      absent: ["", "cannot be read (FileNotFoundError"],
    };
    const paths = Object.keys(files).map((name) => path.join(dir, `${name}.json`));
    for (const file of paths.slice(0, 3)) await writeFile(file, files[path.basename(file, ".json")]![0]);
    // One interpreter for all: its start is most of the time.
    const all = "import sys, verify; print([verify.main([file]) for file in sys.argv[1:]])";
    const env = { ...environment, PYTHONPATH: path.dirname(script), PYTHONDONTWRITEBYTECODE: "1" };
    const child = processes.start("verify", python.serverPython, ["-c", all, ...paths], { env });
    await child.exited;
    const lines = child.output().trimEnd().split("\n");
    for (const [index, [, expected]] of Object.values(files).entries()) {
      expect(lines[index]).toMatch(/^FAIL {2}.* To do: /);
      expect(lines[index]).toContain(expected);
    }
    expect(lines.slice(4)).toEqual(["[1, 1, 1, 1]"]);
  });
});

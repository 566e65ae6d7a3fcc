// verification/verify.py as the Job runs it, against the real server in both transports and emulated accounts.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from "@aws-sdk/client-iam";
import type { JSONWebKeySet } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guards } from "../../config/names.js";
import { trustPolicy } from "../../policies/trust.js";
import { type Child, freePort, Processes, waitForHttp } from "../../scripts/common/processes.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";
import { accountClient } from "../../scripts/emulation/moto.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { startServiceReferenceProxy } from "../../scripts/emulation/serviceReference.js";
import { startStsFront } from "../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../scripts/emulation/tokens.js";
import { emptyMoto } from "../moto.js";

const script = path.resolve("verification/verify.py");
const processes = new Processes();
const issuer = new ClusterIssuer("https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF");
const subject = { namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" };
const role = "EKSMultiAccountMCPRole";
const roleArn = (accountId: string, name = role) => `arn:aws:iam::${accountId}:role/${name}`;

interface Profile {
  /** role_arn in the AWS config file. */
  readonly roleArn: string;
  readonly token?: "expired" | "foreignkey" | "missing";
  readonly session?: string;
  readonly region?: string;
}

/** Every profile of the server. beforeAll creates the fault of each. */
const profiles: Record<string, Profile> = {
  dev: { roleArn: roleArn("111111111111") },
  prod: { roleArn: roleArn("222222222222", `holmes/${role}`), region: "eu-central-1" },
  untrusted: { roleArn: roleArn("333333333333") },
  noprovider: { roleArn: roleArn("444444444444") },
  noaudience: { roleArn: roleArn("555555555555") },
  otheraccount: { roleArn: roleArn("222222222222", `holmes/${role}`) },
  otherrole: { roleArn: roleArn("111111111111", "AnotherRole") },
  noderole: { roleArn: roleArn("111111111111", "eks-node"), session: "i-0123456789abcdef0" },
  expired: { roleArn: roleArn("111111111111"), token: "expired" },
  foreignkey: { roleArn: roleArn("111111111111"), token: "foreignkey" },
  notoken: { roleArn: roleArn("111111111111"), token: "missing" },
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
let python: Awaited<ReturnType<typeof ensurePython>>;
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
  const iam = accountClient(url, accountId);
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
    issuers: [issuer.issuerUrl.replace("https://", "")],
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
  iam.destroy();
}

/** The AWS config file in the form of documents/awsConfigFile.ts, with the faults under test. */
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
  /** The only line about an account or the server with this verdict. */
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
/** Runs verify.py in a fork of one interpreter. The imports take most of the time of a process. */
async function verify(accounts: Account[], run: Run = {}): Promise<Outcome> {
  return inFork([await accountsFile(accounts, run), ...(run.arguments ?? [])], run);
}

async function accountsFile(accounts: Account[], run: Run = {}): Promise<string> {
  runs += 1;
  const file = path.join(dir, `accounts-${runs}.json`);
  const { endpoint = sse, transport = endpoint === sse ? "sse" : "streamable-http", timeoutSeconds = 60 } = run;
  await writeFile(file, JSON.stringify({ endpoint, transport, timeoutSeconds, accounts }));
  return file;
}

const FORKS = `
import json, os, sys, verify
os.dup2(1, 2)
for line in sys.stdin:
    arguments, environment = json.loads(line)
    if os.fork() == 0:
        os.environ.clear()
        os.environ.update(environment)
        code = verify.main(*arguments)
        sys.stdout.flush()
        os._exit(code)
    print(f"exit {os.waitstatus_to_exitcode(os.wait()[1])}", flush=True)
`;

import { stockServerBin } from "../stockServer.js";

let interpreter: Child | undefined;
let receive: (text: string) => void;

function inFork(args: string[], { env, onOutput }: Run = {}): Promise<Outcome> {
  interpreter ??= processes.start("verify", python.serverPython, ["-c", FORKS], {
    env: { ...environment, PYTHONPATH: path.dirname(script), PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "pipe",
    onOutput: (text) => receive(text),
  });
  const { exited, stdin } = interpreter;
  return new Promise((resolve, reject) => {
    let output = "";
    receive = (text) => {
      output += text;
      onOutput?.(text);
      const end = /^exit (-?\d+)\n$/m.exec(output);
      if (end) resolve(outcome(Number(end[1]), output.slice(0, end.index)));
    };
    void exited.then((code) => reject(new Error(`the interpreter ended with code ${code}:\n${output}`)));
    stdin!.write(`${JSON.stringify([args, { ...environment, ...env }])}\n`);
  });
}

/** Runs verify.py as the Job does. */
async function execute(args: string[]): Promise<Outcome> {
  const child = processes.start("verify", python.serverPython, [script, ...args], { env: environment });
  return outcome(await child.exited, child.output());
}

function outcome(code: number, output: string): Outcome {
  const lines = output.trimEnd().split("\n");
  const of = (verdict: string, name: string) => {
    const found = lines.filter((line) => line.startsWith(`${verdict.padEnd(5)} ${name} `));
    if (found.length !== 1) throw new Error(`${found.length} lines "${verdict} ${name}" in:\n${output}`);
    return found[0]!;
  };
  return { code, lines, of };
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "verify-"));
  processes.onStop(() => rm(dir, { recursive: true, force: true }));
  const [tools, gateway, moto, reference] = await Promise.all([
    ensurePython(),
    ensureGateway(),
    emptyMoto(),
    startServiceReferenceProxy(path.join(dir, "reference")),
  ]);
  python = tools;
  processes.onStop(reference.close);
  const keys = new Map<string, JSONWebKeySet>([[issuer.issuerUrl, issuer.jwks()]]);
  const front = await startStsFront(moto.url, keys);
  processes.onStop(front.close);

  await Promise.all([
    setUpAccount(moto.url, "111111111111", [role, "AnotherRole", "eks-node"]),
    setUpAccount(moto.url, "222222222222", [`holmes/${role}`]),
    setUpAccount(moto.url, "333333333333", [role], { trusts: "default" }),
    setUpAccount(moto.url, "444444444444", [role], { provider: false }),
    setUpAccount(moto.url, "555555555555", [role], { audience: "other.example.com" }),
    setUpAccount(moto.url, "666666666666", []),
    writeFile(path.join(dir, "token"), await issuer.token(subject)),
    writeFile(path.join(dir, "expired"), await issuer.token({ ...subject, expiresInSeconds: -60 })),
    writeFile(path.join(dir, "foreignkey"), await new ClusterIssuer(issuer.issuerUrl).token(subject)),
    writeFile(path.join(dir, "config"), awsConfig(profiles)),
  ]);

  environment = {
    PATH: process.env.PATH,
    HOME: dir,
    TMPDIR: dir,
    AWS_CONFIG_FILE: path.join(dir, "config"),
    ...guards,
    AWS_ENDPOINT_URL: front.url,
    AWS_ENDPOINT_URL_STS: front.url,
    ...reference.environment,
  };
  const [gatewayPort, nativePort] = [await freePort(), await freePort()];
  sse = `http://127.0.0.1:${gatewayPort}/sse`;
  http = `http://127.0.0.1:${nativePort}/mcp`;
  const gatewayChild = processes.start(
    "gateway",
    process.execPath,
    [
      ...[
        gateway,
        "--stdio",
        `exec ${stockServerBin(tools.serverPython)}`,
        "--outputTransport",
        "sse",
        "--host",
        "127.0.0.1",
      ],
      ...["--port", String(gatewayPort), "--ssePath", "/sse", "--messagePath", "/message"],
      ...["--healthEndpoint", "/healthz", "--logLevel", "none"],
    ],
    { env: { ...environment, AWS_API_MCP_TRANSPORT: "stdio" } },
  );
  const native = processes.start("server", stockServerBin(tools.serverPython), [], {
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

describe("with valid accounts and a valid server", () => {
  test.each(["sse", "streamable-http"])("verifies every account through %s", async (transport) => {
    const endpoint = transport === "sse" ? sse : http;
    const { code, lines, of } = await execute([await accountsFile([dev, prod], { endpoint })]);
    expect(of("ok", "dev")).toBe(`ok    dev (111111111111): ${role} can be assumed directly and through the server`);
    expect(of("ok", "prod")).toContain("(222222222222)");
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toBe(`2 of 2 accounts verified through ${endpoint}`);
    expect(code).toBe(0);
  });

  test("waits for a role that is created a few seconds later", async () => {
    let seen = "";
    let rejected = () => {};
    const isRejected = new Promise<void>((resolve) => {
      rejected = resolve;
    });
    const onOutput = (text: string) => {
      seen += text;
      if (seen.includes("wait  late")) rejected();
    };
    const running = verify([dev, account("late", "666666666666")], { endpoint: http, onOutput });
    await Promise.race([isRejected, running]);
    const iam = accountClient(environment.AWS_ENDPOINT_URL!, "666666666666");
    const issuerPath = issuer.issuerUrl.replace("https://", "");
    const document = trustPolicy({
      accountId: "666666666666",
      partition: "aws",
      issuers: [issuerPath],
      subjects: [subject],
    });
    await iam.send(new CreateRoleCommand({ RoleName: role, AssumeRolePolicyDocument: JSON.stringify(document) }));
    iam.destroy();
    const { code, of } = await running;
    expect(of("wait", "late")).toContain("IAM changes take time to propagate");
    expect(of("ok", "late")).toContain("(666666666666)");
    expect(code).toBe(0);
  });
});

describe("with invalid accounts", () => {
  // One run for all: a failing account must not affect the others.
  let outcome: Outcome;
  let termination: string;
  const invalid = [
    account("untrusted", "333333333333"),
    account("noprovider", "444444444444"),
    account("noaudience", "555555555555"),
    account("otheraccount", "777777777777", roleArn("777777777777")),
    account("otherrole", "111111111111", roleArn("111111111111")),
    account("noderole", "111111111111", roleArn("111111111111")),
    account("expired", "111111111111"),
    account("foreignkey", "111111111111"),
    account("notoken", "111111111111"),
    account("noprofile", "888888888888"),
  ];

  beforeAll(async () => {
    const log = path.join(dir, "termination-log");
    await writeFile(log, "x".repeat(10_000));
    // Half of the time is for retries. The other half must suffice for the server on a busy machine.
    outcome = await verify([dev, ...invalid], { timeoutSeconds: 24, arguments: [log] });
    termination = await readFile(log, "utf8");
  }, 60_000);

  test("fails, counts the accounts, and verifies the valid one", () => {
    expect(outcome.code).toBe(1);
    expect(outcome.of("ok", "dev")).toContain("(111111111111)");
    expect(outcome.lines.at(-1)).toBe(`1 of 11 accounts verified through ${sse}`);
  });

  test.each([
    [
      "untrusted",
      `has no role ${role}, or its trust policy does not allow issuer ${issuer.issuerUrl}, subject system:serviceaccount:holmes-aws-mcp:aws-api-mcp-sa and audience sts.amazonaws.com together; retried for`,
      "kubernetes.serviceAccount",
    ],
    [
      "noprovider",
      `account 444444444444 has no OIDC provider for issuer ${issuer.issuerUrl}; retried for`,
      "existingOidcProviders",
    ],
    [
      "noaudience",
      "does not accept audience sts.amazonaws.com; retried for",
      "add-client-id-to-open-id-connect-provider",
    ],
    [
      "otheraccount",
      `the assumed role ${role} is in account 222222222222, expected account 777777777777`,
      "targetAccounts[].accountId",
    ],
    ["otherrole", `the assumed role is AnotherRole, expected ${role}`, "iam.roleName"],
    [
      "noderole",
      `the credentials are those of the node's role eks-node in account 111111111111, expected ${role}`,
      "AWS_EC2_METADATA_DISABLED",
    ],
    ["expired", "the pod's token has expired", "restart the pod"],
    ["foreignkey", `AWS cannot retrieve the keys of issuer ${issuer.issuerUrl}`, ".well-known/openid-configuration"],
    ["notoken", "the pod's token cannot be read (No such file or directory: ", "projected service account token"],
    ["noprofile", "profile noprofile is not in the AWS config file ", "`pulumi up`"],
  ])("%s: reports the cause, then the fix", (profile, cause, fix) => {
    const line = outcome.of("FAIL", profile);
    expect(line).toContain(cause);
    expect(line.slice(line.indexOf(cause) + cause.length)).toContain(fix);
  });

  test("retries only failures that IAM propagation explains", () => {
    const waited = invalid
      .map(({ profile }) => profile)
      .filter((profile) => outcome.lines.some((line) => line.startsWith(`wait  ${profile} `)));
    expect(waited).toEqual(["untrusted", "noprovider", "noaudience", "foreignkey"]);
  });

  test("replaces the termination message with the summary and every failure", () => {
    expect(termination.split("\n")).toEqual([
      outcome.lines.at(-1),
      ...outcome.lines.filter((line) => line.startsWith("FAIL")),
    ]);
  });

  test("prints no token", async () => {
    const token = await readFile(path.join(dir, "token"), "utf8");
    expect(outcome.lines.join("\n")).not.toContain(token.split(".")[1]!.slice(0, 20));
  });
});

test("truncates the termination message to the limit of Kubernetes, between characters", async () => {
  const log = path.join(dir, "long-termination-log");
  await writeFile(log, "");
  const many = Array.from({ length: 60 }, (_, index) => account(`pr\u00f6file${index}`, "888888888888"));
  const { lines, code } = await verify(many, { endpoint: http, arguments: [log] });
  const message = await readFile(log);
  expect(message.length).toBeLessThanOrEqual(4096);
  expect(message.length).toBeGreaterThan(4090);
  expect(message.toString("utf8")).toMatch(/ … \(more in the log\)$/);
  expect(message.toString("utf8")).not.toContain("\ufffd");
  expect(lines.filter((line) => line.startsWith("FAIL"))).toHaveLength(60);
  expect(code).toBe(1);
});

test("distinguishes a connection failure from a rejection, and creates no termination log", async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const env = { AWS_ENDPOINT_URL: nowhere, AWS_ENDPOINT_URL_STS: nowhere };
  const log = path.join(dir, "absent");
  const { code, of } = await verify([dev], { endpoint: http, env, arguments: [log] });
  expect(of("FAIL", "dev")).toContain("no connection to STS (");
  expect(of("FAIL", "dev")).toContain("mcp.networkPolicy.egressPorts");
  expect(code).toBe(1);
  await expect(readFile(log)).rejects.toThrow("ENOENT");
});

describe("when the connection to the server fails", () => {
  test("server down: reports the server and the accounts separately", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}/sse`;
    const { code, lines, of } = await verify([dev], { endpoint, transport: "sse", timeoutSeconds: 6 });
    expect(of("wait", "server")).toContain("no connection so far");
    expect(of("FAIL", "server")).toContain(`${endpoint}: no connection (`);
    expect(of("FAIL", "server")).toContain("kubectl logs -l app=aws-api-mcp-server");
    expect(of("FAIL", "dev")).toContain("the role can be assumed, but the server check did not run");
    expect(lines.at(-1)).toBe(`0 of 1 accounts verified through ${endpoint}; the server check failed`);
    expect(code).toBe(1);
  });

  test.each([
    ["sse to a streamable-http server", () => http.replace("/mcp", "/sse"), "sse", "404"],
    ["sse to the path of streamable-http", () => http, "sse", "400"],
    ["streamable-http to an sse gateway", () => sse.replace("/sse", "/mcp"), "streamable-http", "404"],
    ["streamable-http to the path of sse", () => sse, "streamable-http", "404"],
  ])("%s: reports the transport", async (_, endpoint, transport, status) => {
    const { code, lines, of } = await verify([dev], { endpoint: endpoint(), transport });
    expect(of("FAIL", "server")).toContain(`no ${transport} endpoint at this address (HTTP ${status})`);
    expect(of("FAIL", "server")).toContain("mcp.transport");
    expect(lines.some((line) => line.startsWith("wait"))).toBe(false);
    expect(code).toBe(1);
  });

  test("host name that the server does not allow", async () => {
    const endpoint = http.replace("127.0.0.1", "localhost");
    const { code, of } = await verify([dev], { endpoint, env: { NO_PROXY: "127.0.0.1,localhost" } });
    expect(of("FAIL", "server")).toContain("the server rejects the Host header");
    expect(of("FAIL", "server")).toContain("AWS_API_MCP_ALLOWED_HOSTS");
    expect(code).toBe(1);
  });

  test.each(["sse", "streamable-http"])("%s server that rejects the token: names the Secret", async (transport) => {
    const door = createServer((_, response) => response.writeHead(401, { "www-authenticate": "Bearer" }).end());
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(door.address() as AddressInfo).port}/mcp`;
    try {
      const { code, of } = await verify([dev], { endpoint, transport });
      expect(of("FAIL", "server")).toContain("the server rejects the bearer token (HTTP 401)");
      expect(of("FAIL", "server")).toContain("<mcp.serviceName>-tokens");
      expect(code).toBe(1);
    } finally {
      door.close();
    }
  });

  test("server that never responds: ends within the time limit, with a report", async () => {
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/sse`;
    try {
      const { code, of } = await verify([dev], { endpoint, transport: "sse", timeoutSeconds: 6 });
      expect(of("FAIL", "server")).toContain("not checked within the time limit");
      expect(of("FAIL", "dev")).toContain("the server check did not run");
      expect(code).toBe(1);
    } finally {
      silent.close();
    }
  });
});

describe("with an unexpected result", () => {
  const identity = (accountId: string, region = "us-east-1") => [
    {
      cli_command: "aws …",
      response: { as_json: `{"Arn": "arn:aws:sts::${accountId}:assumed-role/${role}/holmes-dev"}` },
      metadata: { region_name: region },
    },
  ];
  const valid = identity("111111111111");
  const failed = (error: string) => [{ cli_command: "aws …", error }];
  const rejected = (code: string) =>
    failed(`An error occurred (${code}) when calling the AssumeRoleWithWebIdentity operation: no`);
  const invalidResults: Record<string, readonly [result: unknown, expected: string]> = {
    "another account": [identity("222222222222"), `the assumed role ${role} is in account 222222222222`],
    "another region": [
      identity("111111111111", "us-west-2"),
      "commands without --region use us-west-2, expected the profile's region us-east-1",
    ],
    "an unknown profile": [
      failed("The config profile (x) could not be found"),
      "is not in the AWS config file of the server",
    ],
    "a deny list": [failed("Execution of this operation is denied by security policy."), "mcp.denyList"],
    "its own error": [
      failed("No AWS credentials found"),
      "the role can be assumed, but call_aws failed: No AWS credentials found",
    ],
    "a permanent rejection": [
      rejected("RegionDisabledException"),
      "through the server: STS is not active in the profile's region",
    ],
    "nothing at all": [[{ response: {} }], "neither an identity nor an error"],
    "an error of AWS": [[{ response: { error: "Service Unavailable" } }], "call_aws failed: Service Unavailable"],
    garbage: ["garbage", "the response of the server is not a result of call_aws"],
  };
  // One profile per result, so that one run covers all of them.
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

  test("reports each unexpected result, and retries a rejection during IAM propagation", async () => {
    const accounts = ["propagating", ...Object.keys(invalidResults).map(named)].map((name) =>
      account(name, "111111111111"),
    );
    const results = Object.fromEntries(Object.entries(invalidResults).map(([name, [result]]) => [named(name), result]));
    const { code, lines, of } = await against(["call_aws"], accounts, (profile, call) =>
      profile === "propagating" ? (call === 0 ? rejected("AccessDenied") : valid) : results[profile],
    );
    expect(of("ok", "propagating")).toContain("directly and through the server");
    for (const [name, [, expected]] of Object.entries(invalidResults))
      expect(of("FAIL", named(name))).toContain(expected);
    expect(lines.at(-1)).toMatch(/^1 of 10 accounts verified/);
    expect(code).toBe(1);
  });

  test("another identity at the second connection", async () => {
    const { code, of } = await against(["call_aws"], [dev], (_, call) =>
      call === 0 ? valid : identity("222222222222"),
    );
    expect(of("FAIL", "dev")).toContain(
      `at the second connection: the assumed role ${role} is in account 222222222222`,
    );
    expect(code).toBe(1);
  });

  test("a server without call_aws", async () => {
    const { code, of } = await against(["read_documentation", "search"], [dev], () => valid);
    expect(of("FAIL", "server")).toContain("the server has no tool call_aws (found: read_documentation, search)");
    expect(code).toBe(1);
  });
});

/** A minimal stateless MCP server over HTTP. `call` counts the calls of a profile. */
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
      const result = answer(profile, call);
      return { content: [{ type: "text", text: typeof result === "string" ? result : JSON.stringify(result) }] };
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

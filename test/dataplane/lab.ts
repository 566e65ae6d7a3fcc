/** The image's own server and gateway on loopback, in front of an emulated AWS in which every call has an owner. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from "@aws-sdk/client-iam";
import { guards } from "../../config/names.js";
import { projectFolder } from "../../scripts/common/command.js";
import { type Child, freePort, Processes, waitForHttp } from "../../scripts/common/processes.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";
import type { McpEndpoint } from "../../scripts/emulation/mcpClient.js";
import { accountClient, startMoto } from "../../scripts/emulation/moto.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { startServiceReferenceProxy } from "../../scripts/emulation/serviceReference.js";
import { startStsFront } from "../../scripts/emulation/stsFront.js";
import { ClusterIssuer } from "../../scripts/emulation/tokens.js";
import { stockServerBin } from "../stockServer.js";

export type Transport = McpEndpoint["transport"];

const ACCOUNTS = ["111111111111", "222222222222", "333333333333"];
const ROLE = "HolmesReadOnly";
/** As in the image. */
const nodeOptions = /NODE_OPTIONS="(.+?)"/.exec(
  readFileSync(path.join(projectFolder, "image/Dockerfile"), "utf8"),
)![1]!;
const SUBJECT = { namespace: "holmes", serviceAccount: "aws-api-mcp-sa" };

/** A call with a unique expected response: only this mark has its account and session name. */
export interface MarkedCall {
  command: string;
  /** Unique part of the expected response. */
  arn: string;
}

/** A running server with one transport. */
export interface Running {
  endpoint: McpEndpoint;
  /** Gateway (SSE) or server (streamable HTTP): the main process of the container. */
  child: Child;
  /** Complete output. */
  log(): string;
  stop(): Promise<void>;
}

export interface Lab {
  /** The mark's call, on one of three accounts; marks are numbers from 0 below the number of marks. */
  marked(mark: number): MarkedCall;
  parameters: ParameterStore;
  start(transport: Transport, options?: StartOptions): Promise<Running>;
  /** Environment of a launcher that the caller starts. */
  launcherEnvironment(): Promise<Record<string, string>>;
  /** Folder of the files that the environment names: AWS config, launcher.json, token, certificate authority. */
  folder: string;
  close(): Promise<void>;
}

export interface StartOptions {
  /** Whether to run the upstream server without the launcher. Default: false. */
  readonly stock?: boolean;
  /** Keys of launcher.json that differ from the lab's. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface LabArgs {
  /** Number of marked calls. Default: 512. */
  marks?: number;
  /** Command of the server and script of the gateway; default: those of the image's lists as they are installed. */
  server?: string[];
  gateway?: string;
}

/**
 * @throws UserError when Python, the registries or a port are missing
 */
export async function startLab(args: LabArgs = {}): Promise<Lab> {
  const processes = new Processes();
  try {
    return await assemble(processes, args);
  } catch (error) {
    await processes.stopAll();
    throw error;
  }
}

async function assemble(processes: Processes, args: LabArgs): Promise<Lab> {
  const { marks = 512 } = args;
  const python = await ensurePython();
  const command = (stock = false) =>
    args.server ?? (stock ? [stockServerBin(python.serverPython)] : [...python.launcher]);
  const gateway = args.gateway ?? (await ensureGateway());
  const folder = await mkdtemp(path.join(tmpdir(), "holmes-aws-mcp-dataplane-"));
  processes.onStop(() => rm(folder, { recursive: true, force: true }));

  const issuer = new ClusterIssuer("https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF");
  const moto = await startMoto(processes);
  const front = await startStsFront(moto.url, new Map([[issuer.issuerUrl, issuer.jwks()]]));
  processes.onStop(() => front.close());
  for (const account of ACCOUNTS) await trust(front.url, account, issuer);
  const parameters = new ParameterStore();
  const parametersUrl = await parameters.listen();
  processes.onStop(() => parameters.close());
  const reference = await startServiceReferenceProxy(path.join(folder, "service-reference"));
  processes.onStop(() => reference.close());

  const tokenFile = path.join(folder, "token");
  await writeFile(tokenFile, await issuer.token(SUBJECT), { mode: 0o600 });
  const configFile = path.join(folder, "config");
  await writeFile(configFile, profiles(marks, tokenFile));

  const environment = async (more: Record<string, string>): Promise<Record<string, string>> => {
    // A separate home directory for each, because the AWS CLI stores sessions there.
    const home = await mkdtemp(path.join(folder, "home-"));
    const temporary = path.join(home, "tmp");
    await mkdir(temporary);
    return {
      PATH: process.env.PATH ?? "",
      NODE_OPTIONS: nodeOptions,
      HOME: home,
      TMPDIR: temporary,
      AWS_CONFIG_FILE: configFile,
      ...guards,
      AWS_ENDPOINT_URL: front.url,
      AWS_ENDPOINT_URL_SSM: parametersUrl,
      ...reference.environment,
      ...more,
    };
  };

  const launcherFile = async (config: Readonly<Record<string, unknown>> = {}) => {
    const file = path.join(await mkdtemp(path.join(folder, "launcher-")), "launcher.json");
    const accounts = Array.from({ length: marks }, (_, mark) => ({
      profile: `mark-${mark}`,
      accountId: account(mark),
      region: "us-east-1",
    }));
    await writeFile(file, JSON.stringify({ accounts, ...config }));
    return { HOLMES_AWS_MCP_CONFIG: file };
  };

  const run = async (transport: Transport, options: StartOptions = {}): Promise<Running> => {
    const server = command(options.stock);
    const more = { ...(await launcherFile(options.config)), ...options.environment };
    const port = await freePort();
    let log = "";
    const onOutput = (text: string) => {
      log += text;
    };
    const start = async () => {
      if (transport === "sse") {
        const options = {
          "--stdio": `exec ${server.join(" ")}`,
          "--outputTransport": "sse",
          "--host": "127.0.0.1",
          "--port": String(port),
          "--ssePath": "/sse",
          "--messagePath": "/message",
          "--healthEndpoint": "/healthz",
          "--logLevel": "none",
        };
        const args = [gateway, ...Object.entries(options).flat()];
        return processes.start("gateway", process.execPath, args, { env: await environment(more), onOutput });
      }
      const env = await environment({
        AWS_API_MCP_TRANSPORT: "streamable-http",
        AWS_API_MCP_HOST: "127.0.0.1",
        AWS_API_MCP_PORT: String(port),
        AUTH_TYPE: "no-auth",
        AWS_API_MCP_ALLOWED_HOSTS: "127.0.0.1",
        AWS_API_MCP_ALLOWED_ORIGINS: "127.0.0.1",
        ...more,
      });
      return processes.start("MCP server", server[0]!, server.slice(1), { env, onOutput });
    };
    const child = await start();
    await waitForHttp(`http://127.0.0.1:${port}/${transport === "sse" ? "healthz" : ""}`, {
      child,
      timeoutMs: 120_000,
    });
    const url = `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}`;
    return { endpoint: { transport, url }, child, log: () => log, stop: () => child.stop() };
  };

  return {
    marked: (mark) => ({
      command: `aws sts get-caller-identity --profile mark-${mark}`,
      arn: `arn:aws:sts::${account(mark)}:assumed-role/${ROLE}/mark-${mark}"`,
    }),
    parameters,
    start: run,
    launcherEnvironment: async () => environment(await launcherFile()),
    folder,
    close: () => processes.stopAll(),
  };
}

const account = (mark: number) => ACCOUNTS[mark % ACCOUNTS.length]!;

function profiles(marks: number, tokenFile: string): string {
  const section = (mark: number) =>
    [
      `[profile mark-${mark}]`,
      `role_arn = arn:aws:iam::${account(mark)}:role/${ROLE}`,
      `web_identity_token_file = ${tokenFile}`,
      `role_session_name = mark-${mark}`,
      "region = us-east-1",
      "",
    ].join("\n");
  return Array.from({ length: marks }, (_, mark) => section(mark)).join("\n");
}

async function trust(url: string, accountId: string, { issuerUrl }: ClusterIssuer): Promise<void> {
  const iam = accountClient(url, accountId);
  const host = issuerUrl.replace("https://", "");
  await iam.send(new CreateOpenIDConnectProviderCommand({ Url: issuerUrl, ClientIDList: ["sts.amazonaws.com"] }));
  const { namespace, serviceAccount } = SUBJECT;
  const document = {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/${host}` },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            [`${host}:aud`]: "sts.amazonaws.com",
            [`${host}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}`,
          },
        },
      },
    ],
  };
  await iam.send(new CreateRoleCommand({ RoleName: ROLE, AssumeRolePolicyDocument: JSON.stringify(document) }));
  iam.destroy();
}

/**
 * SSM's GetParameter, with responses of any size and delay: `/size/N/MARK` has a value of N characters,
 * `/slow/N/MARK` is answered after N ms, `/hold/MARK` when the test releases it. GetParametersByPath of `/pages/N` has
 * no last page, and N ms pass before each.
 */
export class ParameterStore {
  private server: Server | undefined;
  private readonly held = new Map<string, () => void>();
  private readonly waiting = new Map<string, () => void>();
  private pages = 0;

  /** The value of a parameter: its mark, repeated. */
  static value(name: string): string {
    const [, kind, first, second] = name.split("/");
    if (kind !== "size") return `value of ${name}`;
    return `<${second}>`.repeat(Math.ceil(Number(first) / (second!.length + 2))).slice(0, Number(first));
  }

  /** Resolves when the server has requested the parameter, so that the call is in progress. */
  asked(name: string): Promise<void> {
    return this.held.has(name) ? Promise.resolve() : new Promise((resolve) => this.waiting.set(name, resolve));
  }

  /** Names of the parameters that the server waits for. */
  get open(): readonly string[] {
    return [...this.held.keys()];
  }

  release(name: string): void {
    const go = this.held.get(name);
    if (go === undefined) throw new Error(`${name} was not requested`);
    this.held.delete(name);
    go();
  }

  async listen(): Promise<string> {
    this.server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request
        .on("data", (piece) => pieces.push(piece))
        .on("end", () => {
          const { Name, Path } = JSON.parse(Buffer.concat(pieces).toString());
          if (Path === undefined) this.answer(Name, response);
          else this.page(Path, response);
        });
    });
    await new Promise<void>((resolve) => this.server!.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private page(path: string, response: ServerResponse): void {
    this.pages += 1;
    const Parameters = [{ Name: `${path}/${this.pages}`, Type: "String", Value: "x" }];
    setTimeout(() => reply(response, { Parameters, NextToken: `page ${this.pages}` }), Number(path.split("/")[2]));
  }

  private answer(name: string, response: ServerResponse): void {
    const send = () =>
      reply(response, { Parameter: { Name: name, Type: "String", Value: ParameterStore.value(name) } });
    const [, kind, milliseconds] = name.split("/");
    if (kind === "slow") return void setTimeout(send, Number(milliseconds));
    if (!name.startsWith("/hold/")) return void send();
    this.held.set(name, send);
    this.waiting.get(name)?.();
    this.waiting.delete(name);
  }
}

const reply = (response: ServerResponse, body: unknown) =>
  response.writeHead(200, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));

/** Process IDs of a process and its descendants, starting with the process (Linux). */
export function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** Proportional set size of a process and its descendants, in bytes (Linux). */
export function memory(pid: number): number {
  const pss = (id: number) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))![1]);
  return family(pid).reduce((sum, id) => sum + pss(id), 0) * 1024;
}

/** Number of open descriptors of a process and its descendants (Linux). */
export const descriptors = (pid: number): number =>
  family(pid).reduce((sum, id) => sum + readdirSync(`/proc/${id}/fd`).length, 0);

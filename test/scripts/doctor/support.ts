/** An emulated AWS that records doctor's calls and can make any call fail. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { CreateClusterCommand, EKSClient } from "@aws-sdk/client-eks";
import {
  AttachRolePolicyCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  type IAMClient,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { vi } from "vitest";
import { readSettings } from "../../../config/load.js";
import type { Settings } from "../../../config/settings.js";
import { type Loopback, listen } from "../../../scripts/common/loopback.js";
import { Processes } from "../../../scripts/common/processes.js";
import type { Finding } from "../../../scripts/doctor/findings/finding.js";
import { type AwsError, sendError } from "../../../scripts/emulation/awsError.js";
import { forward } from "../../../scripts/emulation/forward.js";
import { accountClient } from "../../../scripts/emulation/moto.js";
import { emptyMoto } from "../../moto.js";

/** One call of the query protocol. */
export interface Call {
  readonly accessKey: string;
  readonly action: string;
  readonly parameters: URLSearchParams;
}

/** The response instead of moto's: an error, or none. */
export type Fault = AwsError | "noResponse" | undefined;

export class Recorder {
  readonly calls: Call[] = [];
  /** Returns the fault of a call; default: none, and moto responds. */
  fault: (call: Call) => Fault = () => undefined;
  private readonly server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const parameters = new URLSearchParams(body.toString());
      const accessKey = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "";
      const call = { accessKey, action: parameters.get("Action") ?? `${request.method} ${request.url}`, parameters };
      this.calls.push(call);
      const fault = this.fault(call);
      if (fault === "noResponse") return;
      if (fault !== undefined) {
        if (call.action.startsWith("GET ")) {
          response.writeHead(fault.status, { "content-type": "application/json", "x-amzn-errortype": fault.code });
          response.end(JSON.stringify({ message: fault.message }));
          return;
        }
        sendError(response, fault);
        return;
      }
      forward(request, response, this.motoUrl, body);
    });
  });

  private loopback!: Loopback;

  constructor(private readonly motoUrl: string) {}

  async start(): Promise<string> {
    this.loopback = await listen(this.server);
    return this.loopback.url;
  }

  stop(): Promise<void> {
    return this.loopback.close();
  }
}

/** An emulated AWS with any number of accounts, each with a profile in an AWS config file. */
export class Emulation {
  private readonly processes = new Processes();
  private readonly credentials = new Map<string, Awaited<ReturnType<IAMClient["config"]["credentials"]>>>();
  private folder = "";
  private profiles = "";
  private last = 100_000_000_000;
  recorder!: Recorder;
  motoUrl = "";

  /** Configures the environment of this process for it, until stop(). */
  async start(): Promise<void> {
    ({ url: this.motoUrl } = await emptyMoto());
    this.recorder = new Recorder(this.motoUrl);
    this.folder = await mkdtemp(join(tmpdir(), "doctor-"));
    vi.stubEnv("AWS_ENDPOINT_URL", await this.recorder.start());
    vi.stubEnv("AWS_CONFIG_FILE", join(this.folder, "none"));
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(this.folder, "none"));
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    for (const name of ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]) {
      vi.stubEnv(name, undefined);
    }
  }

  async stop(): Promise<void> {
    await this.recorder.stop();
    await this.processes.stopAll();
    await rm(this.folder, { recursive: true, force: true });
    vi.unstubAllEnvs();
  }

  /** Creates an account with a profile. `fill` bypasses the recorder. */
  async account(
    profile: string,
    fill: (script: LegacyScript, accountId: string) => Promise<void> = async () => {},
    accountId = String(++this.last),
  ): Promise<{ profile: string; accountId: string }> {
    const client = accountClient(this.motoUrl, accountId);
    const credentials = await client.config.credentials();
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    this.credentials.set(profile, credentials);
    this.profiles += [
      `[profile ${profile}]`,
      `aws_access_key_id=${accessKeyId}`,
      `aws_secret_access_key=${secretAccessKey}`,
      `aws_session_token=${sessionToken}\n`,
    ].join("\n");
    // A new file each time, because the SDK caches the content by path.
    const file = join(this.folder, `config-${accountId}`);
    vi.stubEnv("AWS_CONFIG_FILE", file);
    await writeFile(file, this.profiles);
    await fill(new LegacyScript(client, accountId), accountId);
    client.destroy();
    return { profile, accountId };
  }

  /** Creates an EKS cluster in the account of a profile and returns its issuer. */
  async eksCluster(profile: string, name: string): Promise<string> {
    const { accessKeyId, secretAccessKey, sessionToken } = this.credentials.get(profile)!;
    const eks = new EKSClient({
      endpoint: this.motoUrl,
      region: "us-east-1",
      credentials: { accessKeyId, secretAccessKey, sessionToken },
    });
    const roleArn = "arn:aws:iam::111111111111:role/eks";
    const made = await eks.send(new CreateClusterCommand({ name, roleArn, resourcesVpcConfig: {} }));
    eks.destroy();
    return made.cluster!.identity!.oidc!.issuer!;
  }

  /** Profile whose keys a call carries. */
  profileOf({ accessKey }: Call): string | undefined {
    return [...this.credentials].find(([, keys]) => keys.accessKeyId === accessKey)?.[0];
  }
}

/** Short timeouts, for a test without a response. */
export const quick = { connect: 500, answer: 500, call: 1_500, tries: 2 };

export const audience = "sts.amazonaws.com";
/** Issuer for a complete ID, or for one or two characters that are repeated. */
export const issuerOf = (id: string) => `oidc.eks.us-east-1.amazonaws.com/id/${id.length > 2 ? id : id.repeat(32)}`;
export const providerArn = (accountId: string, id: string) => `arn:aws:iam::${accountId}:oidc-provider/${issuerOf(id)}`;

/** Two clusters, `alpha` (issuer AAA…) and `beta` (BBB…), trusted only; accounts as given. */
export function settingsOf(
  targetAccounts: readonly Record<string, unknown>[],
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Settings> {
  const cluster = (name: string, id: string) => ({
    name,
    region: "us-east-1",
    accountId: "999999999999",
    oidcIssuerId: id.repeat(32),
    deploy: false,
  });
  const raw = { clusters: [cluster("alpha", "A"), cluster("beta", "B")], targetAccounts, ...overrides };
  return readSettings("test", raw, () => false);
}

/** Resources of the legacy script: no tags, no description, path `/`, one statement for each cluster. */
export class LegacyScript {
  constructor(
    private readonly iam: IAMClient,
    private readonly accountId: string,
  ) {}

  async provider(id: string, options: { audiences?: string[]; tags?: Record<string, string> } = {}): Promise<void> {
    const { audiences = [audience], tags = {} } = options;
    await this.iam.send(
      new CreateOpenIDConnectProviderCommand({
        Url: `https://${issuerOf(id)}`,
        ClientIDList: audiences,
        Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      }),
    );
  }

  trust(ids: readonly string[], subject = "holmes-aws-mcp:aws-api-mcp-sa"): string {
    return JSON.stringify({
      Version: "2012-10-17",
      Statement: ids.map((id) => ({
        Effect: "Allow",
        Principal: { Federated: providerArn(this.accountId, id) },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            [`${issuerOf(id)}:aud`]: audience,
            [`${issuerOf(id)}:sub`]: `system:serviceaccount:${subject}`,
          },
        },
      })),
    });
  }

  async role(
    ids: readonly string[],
    options: { name?: string; path?: string; trust?: string; policy?: object | null; description?: string } = {},
  ): Promise<void> {
    const { name = "EKSMultiAccountMCPRole", path = "/", policy = scriptPolicy, description } = options;
    await this.iam.send(
      new CreateRoleCommand({
        RoleName: name,
        Path: path,
        AssumeRolePolicyDocument: options.trust ?? this.trust(ids),
        ...(description === undefined ? {} : { Description: description }),
      }),
    );
    if (policy === null) return;
    await this.iam.send(
      new PutRolePolicyCommand({
        RoleName: name,
        PolicyName: "MCPReadOnlyPolicy",
        PolicyDocument: JSON.stringify(policy),
      }),
    );
  }

  /** A managed policy of another owner, attached to `role` if it is set. */
  async managedPolicy(name: string, options: { path?: string; role?: string } = {}): Promise<void> {
    const { Policy } = await this.iam.send(
      new CreatePolicyCommand({
        PolicyName: name,
        Path: options.path ?? "/",
        PolicyDocument: JSON.stringify(scriptPolicy),
      }),
    );
    if (options.role === undefined) return;
    await this.iam.send(new AttachRolePolicyCommand({ RoleName: options.role, PolicyArn: Policy!.Arn! }));
  }
}

/** In the form of the legacy script's policy file, with its own Sids. */
const scriptPolicy = {
  Version: "2012-10-17",
  Statement: [
    { Sid: "ReadMetrics", Effect: "Allow", Action: ["cloudwatch:Get*", "cloudwatch:List*"], Resource: "*" },
    { Sid: "ReadInstances", Effect: "Allow", Action: "ec2:Describe*", Resource: "*" },
  ],
};

/** The notes and problems, with their code and what resolves them. */
export function advice(findings: readonly Finding[]): Array<Record<string, unknown>> {
  return findings
    .filter(({ level }) => level !== "ok")
    .map(({ level, code, subject, fix }) => ({
      level,
      code,
      subject,
      ...(fix?.config === undefined ? {} : { at: fix.at, config: fix.config }),
      ...(fix?.commands === undefined ? {} : { commands: fix.commands }),
    }));
}

/** The real Pulumi engine on a file backend, with moto as AWS: what the engine tests share. */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  GetRolePolicyCommand,
  ListOpenIDConnectProvidersCommand,
  ListRolePoliciesCommand,
  ListRolesCommand,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { parse, stringify } from "yaml";
import { projectFolder } from "../../scripts/common/command.js";
import { Processes } from "../../scripts/common/processes.js";
import { EmulatedAws } from "../../scripts/emulation/emulatedAws.js";
import { startMoto } from "../../scripts/emulation/moto.js";
import { startAudienceFront } from "./audienceFront.js";

export const accounts = { dev: "111111111111", sandbox: "222222222222", prod: "333333333333", data: "444444444444" };
export const issuers = {
  one: "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  two: "1B2C3D4E5F60718293A4B5C6D7E8F90A",
};

export const cluster = (name: keyof typeof issuers, more: object = {}) => ({
  name,
  region: "us-east-1",
  accountId: accounts.dev,
  oidcIssuerId: issuers[name],
  ...more,
});

export const account = (profile: keyof typeof accounts, more: object = {}) => ({
  profile,
  accountId: accounts[profile],
  description: `Account ${profile}`,
  region: "us-east-1",
  ...more,
});

/** A stack without a workload: IAM resources only. */
export const iamOnly = (targetAccounts: object[], more: object = {}) => ({
  clusters: [cluster("one")],
  targetAccounts,
  mcp: { enabled: false },
  ...more,
});

export interface Outcome {
  readonly code: number;
  /** Standard output and error. */
  readonly text: string;
}

/** A separate project with the repository's program, its own state and its own emulated AWS. */
export class Engine {
  private readonly processes = new Processes();
  private readonly folder = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-engine-"));
  private readonly environment: Record<string, string> = {};
  aws!: EmulatedAws;

  async start(): Promise<this> {
    const { url } = await startMoto(this.processes);
    this.aws = new EmulatedAws(url);
    for (const entry of readdirSync(projectFolder)) {
      if (/^(\.|Pulumi\..+\.yaml$|scripts$)/.test(entry)) continue;
      symlinkSync(join(projectFolder, entry), join(this.folder, entry));
    }
    // A copy, because the commands use the parent of their own folder as the project's folder.
    cpSync(join(projectFolder, "scripts"), join(this.folder, "scripts"), { recursive: true });
    const sections = await Promise.all(
      Object.entries(accounts).map(async ([profile, id]) => {
        const credentials = await this.aws.in(id, "aws").config.credentials();
        return `[profile ${profile}]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\naws_session_token = ${credentials.sessionToken}\n`;
      }),
    );
    writeFileSync(join(this.folder, ".aws-config"), sections.join("\n"));
    const state = join(this.folder, ".state");
    mkdirSync(state);
    Object.assign(this.environment, {
      ...process.env,
      AWS_CONFIG_FILE: join(this.folder, ".aws-config"),
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ENDPOINT_URL: await startAudienceFront(url, this.processes),
      // Without metadata files, which a killed CLI can leave truncated: the state could then not be read.
      PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NO_COLOR: "1",
    });
    for (const name of ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"]) delete this.environment[name];
    const made = await this.pulumi("stack", "init", "test", "--non-interactive");
    if (made.code !== 0) throw new Error(made.text);
    return this;
  }

  /** Writes the stack file, and keeps what `stack init` wrote to it. */
  configure(config: Record<string, unknown>): void {
    const path = join(this.folder, "Pulumi.test.yaml");
    let file: Record<string, unknown> = {};
    try {
      file = parse(readFileSync(path, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    const keys = Object.entries(config).map(([key, value]) => [`holmes-aws-mcp:${key}`, value]);
    file.config = { "pulumi:disable-default-providers": ["aws", "kubernetes", "docker"], ...Object.fromEntries(keys) };
    writeFileSync(path, stringify(file));
  }

  /** Writes a file next to the stack file, and returns its path. */
  file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Replaces the link to an entry of the repository with a copy, which a test can change, and returns its path. */
  copy(entry: string): string {
    const path = join(this.folder, entry);
    rmSync(path, { recursive: true, force: true });
    cpSync(join(projectFolder, entry), path, {
      recursive: true,
      filter: (source) => !/node_modules|__pycache__/.test(source),
    });
    return path;
  }

  /** Runs the CLI. A failure is an exit code, not an exception. */
  pulumi(...args: string[]): Promise<Outcome> {
    return this.killable(...args).outcome;
  }

  up(...more: string[]): Promise<Outcome> {
    return this.pulumi("up", "--yes", "--non-interactive", "--stack", "test", ...more);
  }

  destroy(...more: string[]): Promise<Outcome> {
    return this.pulumi("destroy", "--yes", "--non-interactive", "--stack", "test", ...more);
  }

  /** Runs the CLI in a separate process group, so that `kill` ends it together with its plugins. */
  killable(...args: string[]) {
    return this.spawn("pulumi", args);
  }

  /** Runs a line that a command printed, from the project's folder. */
  shell(line: string): Promise<Outcome> {
    return this.spawn("bash", ["-o", "pipefail", "-c", line]).outcome;
  }

  /** URNs of the pending creations in the state, and the number of its resources. */
  progress(): { creating: string[]; resources: number } {
    const path = join(this.folder, ".state/.pulumi/stacks/holmes-aws-mcp/test.json");
    try {
      const { checkpoint } = JSON.parse(readFileSync(path, "utf8"));
      const { pending_operations: pending = [], resources = [] } = checkpoint.latest ?? {};
      const creating = pending.filter(({ type }: { type: string }) => type === "creating");
      return {
        creating: creating.map((op: { resource: { urn: string } }) => op.resource.urn),
        resources: resources.length,
      };
    } catch {
      // The file is being replaced.
      return { creating: [], resources: 0 };
    }
  }

  private spawn(
    command: string,
    args: readonly string[],
  ): { outcome: Promise<Outcome>; kill: () => void; killCliAlone: () => void } {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: this.environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (piece) => (text += piece));
    child.stderr.on("data", (piece) => (text += piece));
    const outcome = new Promise<Outcome>((resolve) =>
      child.on("close", (code) => resolve({ code: code ?? 137, text })),
    );
    return {
      outcome,
      kill: () => process.kill(-child.pid!, "SIGKILL"),
      killCliAlone: () => process.kill(child.pid!, "SIGKILL"),
    };
  }

  /** Types and names of the resources in the state, without providers and components. */
  async resources(): Promise<string[]> {
    const { text } = await this.pulumi("stack", "export", "--stack", "test");
    const state = JSON.parse(text.slice(text.indexOf("{"))) as {
      deployment: { resources?: { urn: string; custom: boolean }[] };
    };
    return (state.deployment.resources ?? [])
      .filter(({ urn, custom }) => custom && !urn.includes("pulumi:providers:"))
      .map(({ urn }) => urn.split("::").slice(2).join(" ").replace(/^.*\$/, ""))
      .sort();
  }

  /** IAM resources of an account: providers, roles with their trust policies, inline policies. */
  async iam(profile: keyof typeof accounts): Promise<Record<string, string>> {
    const iam = this.aws.in(accounts[profile], "aws");
    const found: Record<string, string> = {};
    for (const { Arn } of (await iam.send(new ListOpenIDConnectProvidersCommand({}))).OpenIDConnectProviderList ?? []) {
      found[`provider ${Arn!.split("/").at(-1)}`] = Arn!;
    }
    for (const role of (await iam.send(new ListRolesCommand({}))).Roles ?? []) {
      found[`role ${role.RoleName}`] =
        `${role.Description ?? ""} ${role.MaxSessionDuration} ${decodeURIComponent(role.AssumeRolePolicyDocument!)}`;
      for (const PolicyName of (await iam.send(new ListRolePoliciesCommand({ RoleName: role.RoleName }))).PolicyNames ??
        []) {
        const policy = await iam.send(new GetRolePolicyCommand({ RoleName: role.RoleName, PolicyName }));
        found[`policy ${role.RoleName}/${PolicyName}`] = decodeURIComponent(policy.PolicyDocument!);
      }
    }
    return found;
  }

  /** Creates a provider outside the stack. */
  async existingProvider(
    profile: keyof typeof accounts,
    issuer: keyof typeof issuers,
    audiences = ["sts.amazonaws.com"],
  ): Promise<void> {
    const iam = this.aws.in(accounts[profile], "aws");
    const Url = `https://oidc.eks.us-east-1.amazonaws.com/id/${issuers[issuer]}`;
    await iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: audiences }));
  }

  /** Creates the resources of the legacy script in an account: provider, role, inline policy. */
  async madeByScript(profile: keyof typeof accounts): Promise<void> {
    await this.existingProvider(profile, "one");
    const iam = this.aws.in(accounts[profile], "aws");
    const trust = {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }],
    };
    const RoleName = "EKSMultiAccountMCPRole";
    await iam.send(
      new CreateRoleCommand({ RoleName, Description: "old", AssumeRolePolicyDocument: JSON.stringify(trust) }),
    );
    const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "ec2:Describe*", Resource: "*" }] };
    await iam.send(
      new PutRolePolicyCommand({ RoleName, PolicyName: "MCPReadOnlyPolicy", PolicyDocument: JSON.stringify(policy) }),
    );
  }

  /** Removes the credentials of a profile, or replaces them with those of another one. */
  breakProfile(profile: keyof typeof accounts, replacement = ""): void {
    const path = join(this.folder, ".aws-config");
    const sections = readFileSync(path, "utf8").split(/(?=^\[)/m);
    const other = sections.find((text) => text.startsWith(`[profile ${replacement}]`));
    const next = sections.map((text) => {
      if (!text.startsWith(`[profile ${profile}]`)) return text;
      return other === undefined
        ? `[profile ${profile}]\nregion = us-east-1\n`
        : other.replace(/^.*\n/, `[profile ${profile}]\n`);
    });
    writeFileSync(path, next.join(""));
  }

  /** Renames a profile in the AWS config file. */
  renameProfile(profile: keyof typeof accounts, name: string): void {
    const path = join(this.folder, ".aws-config");
    writeFileSync(path, readFileSync(path, "utf8").replace(`[profile ${profile}]`, `[profile ${name}]`));
  }

  async stop(): Promise<void> {
    await this.processes.stopAll();
    this.endLeftovers();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A killed CLI leaves its language host, which has a separate process group. */
  private endLeftovers(): void {
    if (!existsSync("/proc")) return;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${pid}/cwd`) === this.folder) process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended, or belongs to another user.
      }
    }
  }
}

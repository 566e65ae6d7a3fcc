/** A stack's whole job without any cloud: roles in an emulated AWS, and the real server answering for each account. */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import Table from "cli-table3";
import { trustRoles } from "../../documents/profiles.js";
import { minify } from "../../policies/size.js";
import { AUDIENCE, roleNameFor } from "../../policies/trust.js";
import { UserError } from "../common/errors.js";
import { type Evaluation, evaluate } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { planTree } from "../common/tree.js";
import { EmulatedAws } from "../emulation/emulatedAws.js";
import { ensureGateway } from "../emulation/gateway.js";
import { imagePaths, type LocalPod, startLocalPod } from "../emulation/localPod.js";
import { callTool, listTools, type McpEndpoint } from "../emulation/mcpClient.js";
import { startMoto } from "../emulation/moto.js";
import { ensurePython } from "../emulation/python.js";
import { startServiceReferenceProxy } from "../emulation/serviceReference.js";
import { startStsFront } from "../emulation/stsFront.js";
import { ClusterIssuer } from "../emulation/tokens.js";

interface Check {
  readonly what: string;
  readonly expected: string;
  readonly answered: string;
  readonly milliseconds: number;
  readonly right: boolean;
}

/**
 * @param show gets what a person reads: the plan, the table, Holmes' configuration
 * @returns whether every line of the table is right
 * @throws UserError when something is missing on this machine
 */
export async function rehearse(folder: string, stack: string, show: (text: string) => void): Promise<boolean> {
  const config = readStackFile(folder, stack);
  // A bad config is told before anything is installed or started.
  const plan = await evaluate(stack, config);
  show(planTree(plan));
  const processes = new Processes();
  try {
    toStderr("\nThe parts: moto as AWS, the MCP server and the gateway with the image's own packages");
    const [{ serverBin, serverPython }, gateway] = await Promise.all([ensurePython(toStderr), ensureGateway(toStderr)]);
    const temporary = await mkdtemp(join(tmpdir(), "holmes-aws-mcp-"));
    processes.onStop(() => rm(temporary, { recursive: true, force: true }));

    toStderr("Starting the emulated AWS");
    const moto = await startMoto(processes);
    const issuers = plan.clusters.map(({ issuerUrl }) => new ClusterIssuer(issuerUrl));
    const keys = new Map(
      await Promise.all(issuers.map(async (issuer) => [issuer.issuerUrl, await issuer.jwks()] as const)),
    );
    const front = await startStsFront({
      motoUrl: moto.url,
      keys,
      trustPolicyLimit: plan.settings.iam.trustPolicyLimit,
    });
    processes.onStop(() => front.close());
    const aws = new EmulatedAws(front.url);
    processes.onStop(() => aws.close());

    toStderr("Evaluating index.ts, its AWS resources made for real");
    await standIns(aws, plan);
    const evaluation = await evaluate(stack, config, aws.register(plan.settings));
    const cluster = evaluation.settings.clusters.find(({ deploy }) => deploy);
    if (cluster === undefined) {
      throw new UserError(
        `stack ${stack} deploys no MCP server, so there is nothing to rehearse beyond its plan; npm run plan shows it`,
      );
    }
    const issuer = issuers[evaluation.settings.clusters.indexOf(cluster)]!;
    const reference = await startServiceReferenceProxy(join(temporary, "service-reference"));
    processes.onStop(() => reference.close());

    toStderr(`Starting the MCP server as the Deployment in ${cluster.name} says`);
    const pod = await startLocalPod(processes, {
      workload: evaluation.resources.find(({ name }) => name === `${cluster.name}/deployment`)!,
      resources: evaluation.resources,
      folder: join(temporary, "pod"),
      image: imagePaths(serverBin, serverPython, gateway),
      environment: {
        AWS_ENDPOINT_URL: front.url,
        AWS_ENDPOINT_URL_STS: front.url,
        HTTPS_PROXY: reference.proxyUrl,
        NO_PROXY: "127.0.0.1",
        REQUESTS_CA_BUNDLE: reference.caBundle,
      },
      token: (subject) => issuer.token(subject),
    });
    const checks = await checksOf(evaluation, pod, issuer);
    show(table(checks));
    show(`Holmes in cluster ${cluster.name} would be given (robusta/holmes chart):\n`);
    show((evaluation.outputs.holmes as Record<string, { helmValues: string }>)[cluster.name]!.helmValues);
    const wrong = checks.filter(({ right }) => !right).length;
    show(wrong === 0 ? `All ${checks.length} checks are right.` : `${wrong} of ${checks.length} checks are wrong.`);
    return wrong === 0;
  } finally {
    await processes.stopAll();
  }
}

/** What a stack expects to be there already: providers of others, and roles that are made elsewhere. */
async function standIns(aws: EmulatedAws, { settings, clusters }: Evaluation): Promise<void> {
  for (const account of settings.targetAccounts) {
    const { iam } = await aws.in(account.accountId, account.partition);
    for (const { name, issuerUrl, previousIssuers } of clusters) {
      const there = account.existingOidcProviders.includes(name) || !account.manage;
      for (const Url of there ? [issuerUrl, ...previousIssuers] : []) {
        await iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: [AUDIENCE] }));
      }
    }
    if (account.manage) continue;
    for (const { number, document } of trustRoles(settings, account, clusters)) {
      const RoleName = roleNameFor(settings.iam.roleName, number);
      await iam.send(
        new CreateRoleCommand({ RoleName, Path: settings.iam.path, AssumeRolePolicyDocument: minify(document) }),
      );
      for (const { name, document: policy } of account.permissions.policies) {
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: name, PolicyDocument: minify(policy) }));
      }
    }
  }
}

/** Asks as Holmes does, and then what must be refused. */
async function checksOf({ settings }: Evaluation, pod: LocalPod, issuer: ClusterIssuer): Promise<Check[]> {
  const { transport } = settings.mcp;
  const endpoint: McpEndpoint = {
    transport,
    url: `http://127.0.0.1:${pod.port}${transport === "sse" ? "/sse" : "/mcp"}`,
  };
  const accounts = settings.targetAccounts;
  const command = (text: string) => callTool(endpoint, "call_aws", { cli_command: text });
  const checks: Check[] = [];
  const check = async (
    what: string,
    expected: string,
    answer: () => Promise<string>,
    right: (text: string) => boolean,
  ) => {
    const start = performance.now();
    const text = await answer().catch((error: Error) => `error: ${error.message}`);
    checks.push({ what, expected, answered: text, milliseconds: performance.now() - start, right: right(text) });
  };
  const identity = (profile: string) => async () =>
    placeIn((await command(`aws sts get-caller-identity --profile ${profile}`)).text);
  const refusal = (text: string) => async () => short((await command(text)).text);

  await check(
    "tools",
    "call_aws",
    async () => (await listTools(endpoint)).join(", "),
    (text) => text.includes("call_aws"),
  );
  const ask = ({ profile, accountId, region }: (typeof accounts)[number], when = "") => {
    const place = `${accountId} ${region}`;
    return check(`${profile}${when}`, place, identity(profile), (text) => text === place);
  };
  for (const account of accounts) await ask(account);
  await Promise.all([accounts[0]!, accounts.at(-1)!].map((account) => ask(account, ", at once")));

  const { profile } = accounts[0]!;
  await check(
    "a write",
    "refused",
    refusal(`aws ec2 run-instances --image-id ami-00000000000000000 --profile ${profile}`),
    (text) => /denied by security policy/.test(text),
  );
  await check("an unknown profile", "refused", refusal("aws sts get-caller-identity --profile nobody"), (text) =>
    /profile .*could not be found/.test(text),
  );

  const own = readFileSync(pod.tokenFile, "utf8");
  writeFileSync(
    pod.tokenFile,
    await issuer.token({ namespace: settings.kubernetes.namespace, serviceAccount: "another" }),
  );
  await check(
    "another service account",
    "refused",
    refusal(`aws sts get-caller-identity --profile ${profile}`),
    (text) => /AccessDenied|Not authorized/.test(text),
  );
  writeFileSync(pod.tokenFile, own);
  await ask(accounts[0]!, ", again");
  return checks;
}

/** Account and region of an answer to get-caller-identity, `111111111111 us-east-1`, or what came in its place. */
function placeIn(text: string): string {
  const account = text.match(/\\?"Account\\?":\s*\\?"(\d{12})\\?"/)?.[1];
  const region = text.match(/"region_name":\s*"([a-z0-9-]+)"/)?.[1];
  return account === undefined ? short(text) : `${account} ${region ?? "(no region)"}`;
}

function short(text: string): string {
  const message = text.match(/"(?:error|detail)":\s*"((?:[^"\\]|\\.)*)"/)?.[1] ?? text;
  return message.replaceAll("\\n", " ").slice(0, 160);
}

function table(checks: readonly Check[]): string {
  const rows = new Table({
    head: ["profile", "expected", "answered", "ms", "verdict"],
    colWidths: [null, null, 60, null, null],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { what, expected, answered, milliseconds, right } of checks) {
    rows.push([what, expected, answered, Math.round(milliseconds).toString(), right ? "right" : "WRONG"]);
  }
  return `\n${rows.toString()}\n`;
}

/** Deploys a stack to this machine: roles in an emulated AWS, and the real MCP server, which is called for each account. */
import { readFileSync, writeFileSync } from "node:fs";
import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import Table from "cli-table3";
import { profilesByCluster } from "../../config/profiles.js";
import type { StackOutputs } from "../../documents/outputs.js";
import type { Subject } from "../../policies/trust.js";
import { selectClusters } from "../common/clusters.js";
import { type Evaluation, evaluate } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { readStackFile } from "../common/stackFile.js";
import { clip, type Paint, plain } from "../common/terminal.js";
import { planTree } from "../common/tree.js";
import { type LocalStack, startLocalStack } from "../emulation/localStack.js";
import { callTool, listTools } from "../emulation/mcpClient.js";

interface Check {
  readonly what: string;
  readonly expected: string;
  readonly answered: string;
  readonly right: boolean;
}

export interface RehearsalOptions {
  readonly stack: string;
  /** Rehearse this cluster only. Default: every cluster that the server is deployed to. */
  readonly cluster?: string;
  /** Receives the plan, the tables and Holmes' configuration. */
  readonly show: (text: string) => void;
  readonly paint?: Paint;
}

/**
 * With `mcp.enabled: false` only the roles are rehearsed, by the calls of STS that any pod of the trusted service
 * account makes.
 *
 * @returns whether every line of the tables is right
 * @throws UserError when something is missing on this machine
 */
export async function rehearse(folder: string, options: RehearsalOptions): Promise<boolean> {
  const { stack, show } = options;
  const plan = await evaluate(stack, readStackFile(folder, stack));
  const rehearsable = plan.clusters.filter(({ deploy }) => deploy || !plan.settings.mcp.enabled);
  const clusters = selectClusters(stack, rehearsable, options.cluster);
  show(planTree(plan, options.paint));
  const processes = new Processes();
  try {
    const local = await startLocalStack(processes, plan);
    const all: Check[] = [];
    for (const { name, deploy } of clusters) {
      const checks = deploy ? await serverChecks(plan, local, name) : await roleChecks(plan, local, name);
      all.push(...checks);
      show(`\nCluster ${name}`);
      show(table(checks, options.paint));
      show(`Configuration of Holmes in cluster ${name} (chart robusta/holmes):\n`);
      show((plan.outputs.holmes as StackOutputs["holmes"])[name]!.helmValues);
    }
    const wrong = all.filter(({ right }) => !right).length;
    show(wrong === 0 ? `All ${all.length} checks are right.` : `${wrong} of ${all.length} checks are wrong.`);
    return wrong === 0;
  } finally {
    await processes.stopAll();
  }
}

/** Performs a check and adds it to a list. Without a pattern, the answer must be the expected text. */
const checker =
  (checks: Check[]) => async (what: string, expected: string, answer: () => Promise<string>, pattern?: RegExp) => {
    const answered = await answer().catch((error: Error) => `error: ${error.message}`);
    const right = pattern === undefined ? answered === expected : pattern.test(answered);
    checks.push({ what, expected, answered, right });
  };

/** Takes every role with a token of the cluster, as Holmes' pod does, and as a pod that no role trusts. */
async function roleChecks(
  { settings, clusters }: Evaluation,
  { issuers, awsUrl }: LocalStack,
  cluster: string,
): Promise<Check[]> {
  const checks: Check[] = [];
  const check = checker(checks);
  for (const { name: profile, accountId, roleArn, region } of profilesByCluster(settings, clusters).get(cluster)!) {
    const credentials = { accessKeyId: "unused", secretAccessKey: "unused" };
    const sts = new STSClient({ endpoint: awsUrl, region, credentials });
    const assume = (subject: Subject) => async () => {
      const WebIdentityToken = await issuers.get(cluster)!.token(subject);
      const input = { RoleArn: roleArn, RoleSessionName: "rehearsal", WebIdentityToken };
      return sts.send(new AssumeRoleWithWebIdentityCommand(input)).then(
        ({ AssumedRoleUser }) => AssumedRoleUser!.Arn!.split(":")[4]!,
        (error: Error) => error.name,
      );
    };
    for (const subject of settings.subjects) {
      await check(`${profile}, ${subject.namespace}/${subject.serviceAccount}`, accountId, assume(subject));
    }
    const other = { namespace: settings.subjects[0]!.namespace, serviceAccount: "another-service-account" };
    await check(`${profile}, another service account`, "AccessDenied", assume(other));
    sts.destroy();
  }
  return checks;
}

/** Starts the cluster's server, calls it as Holmes does, and then makes calls that it must reject. */
async function serverChecks({ settings }: Evaluation, local: LocalStack, cluster: string): Promise<Check[]> {
  const { pod, endpoint } = await local.startServer(cluster);
  const accounts = settings.targetAccounts.filter(({ clusters }) => clusters.includes(cluster));
  const checks: Check[] = [];
  const check = checker(checks);
  const call = async (command: string | string[]) =>
    (await callTool(endpoint, "call_aws", { cli_command: command })).text;

  await check("tools", "call_aws", async () => (await listTools(endpoint)).join(", "), /call_aws/);
  const ask = ({ profile, accountId, region }: (typeof accounts)[number], when = "") =>
    check(`${profile}${when}`, `${accountId} ${region}`, async () => {
      const who = `aws sts get-caller-identity --query Account --profile ${profile}`;
      const where = `aws ec2 describe-availability-zones --query AvailabilityZones[0].RegionName --profile ${profile}`;
      return placeIn(await call([who, where]));
    });
  for (const account of accounts) await ask(account);
  await Promise.all([accounts[0]!, accounts.at(-1)!].map((account) => ask(account, ", at once")));

  const { profile } = accounts[0]!;
  const refused = (what: string, command: string, reason: RegExp) =>
    check(what, "refused", async () => short(await call(command)), reason);
  const write = `aws ec2 run-instances --image-id ami-00000000000000000 --profile ${profile}`;
  await refused("a write", write, /denied by security policy/);
  const unknown = "aws sts get-caller-identity --profile unknown-profile";
  await refused("an unknown profile", unknown, /profile .*could not be found/);
  const own = readFileSync(pod.tokenFile, "utf8");
  const other = { namespace: settings.kubernetes.namespace, serviceAccount: "another" };
  writeFileSync(pod.tokenFile, await local.issuers.get(cluster)!.token(other));
  const identify = `aws sts get-caller-identity --profile ${profile}`;
  await refused("another service account", identify, /AccessDenied|Not authorized/);
  writeFileSync(pod.tokenFile, own);
  await ask(accounts[0]!, ", again");
  await pod.child.stop();
  return checks;
}

/** Responses of a list of commands, `111111111111 us-east-1`, or the first error. */
function placeIn(text: string): string {
  const responses = [...text.matchAll(/"response":\s*"([a-z0-9-]+)"/g)].map(([, response]) => response);
  return responses.length === 2 ? responses.join(" ") : short(text);
}

function short(text: string): string {
  const message = text.match(/"(?:error|detail)":\s*"((?:[^"\\]|\\.)*)"/)?.[1] ?? text;
  return clip(message.replaceAll("\\n", " "), 160);
}

/** Width of a table's other columns with their borders, in characters. */
const otherColumns = 73;

function table(checks: readonly Check[], paint: Paint = plain): string {
  const rows = new Table({
    head: ["profile", "expected", "answered", "verdict"],
    colWidths: [null, null, Math.max(40, (process.stdout.columns ?? 140) - otherColumns), null],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { what, expected, answered, right } of checks) {
    const verdict = right ? paint("green", "right") : paint(["red", "bold"], "WRONG");
    rows.push([what, expected, answered, verdict]);
  }
  return `\n${rows.toString()}\n`;
}

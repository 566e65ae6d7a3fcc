/** Rehearses a stack without a cloud: its roles in an emulated AWS, and the real MCP server that uses each of them. */
import { readFileSync, writeFileSync } from "node:fs";
import Table from "cli-table3";
import { evaluate } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { readStackFile } from "../common/stackFile.js";
import { planTree } from "../common/tree.js";
import { type Chain, startChain } from "../emulation/chain.js";
import { callTool, listTools } from "../emulation/mcpClient.js";

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
    const chain = await startChain(processes, stack, config, plan);
    const { evaluation, cluster } = chain;
    const checks = await checksOf(chain);
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

/** Asks as Holmes does, and then what must be refused. */
async function checksOf({ evaluation: { settings }, pod, issuer, endpoint }: Chain): Promise<Check[]> {
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

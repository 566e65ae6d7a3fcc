/** The plan as a picture: an arrow where a role of an account trusts a cluster. */
import { profilesByCluster } from "../../config/profiles.js";
import type { Evaluation } from "../common/evaluate.js";

/** Text of a label: Mermaid reads entities, and neither quotes nor backticks. */
const label = (...lines: string[]) =>
  `"${lines.map((line) => line.replace(/[^\p{L}\p{N} .,:/_()-]/gu, (sign) => `#${sign.codePointAt(0)};`)).join("<br/>")}"`;

/** A Markdown page with a Mermaid diagram. */
export function topology({ stack, settings, clusters }: Evaluation): string {
  const subjects = settings.subjects.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`);
  const profiles = profilesByCluster(settings, clusters);
  const accounts = settings.targetAccounts;
  return `${[
    `# Topology of stack ${stack}`,
    "",
    `An arrow: the role of the account trusts the service accounts ${subjects.join(", ")} of the cluster.`,
    "",
    "```mermaid",
    "flowchart LR",
    ...clusters.map(({ name, region, accountId, deploy }, index) => {
      const server = deploy && settings.mcp.enabled ? `MCP server, ${settings.mcp.transport}` : "trusted only";
      return `  cluster${index}[${label(`cluster ${name}`, `${region}, account ${accountId}`, server)}]`;
    }),
    ...accounts.map(({ profile, accountId, region, manage }, index) => {
      const managed = manage ? [] : ["managed outside this stack"];
      return `  account${index}[${label(`account ${profile}`, `${accountId}, ${region}`, ...managed)}]`;
    }),
    ...clusters.flatMap(({ name }, from) =>
      profiles.get(name)!.map(({ name: profile, roleArn }) => {
        const to = accounts.findIndex((account) => account.profile === profile);
        return `  cluster${from} -->|${label(roleArn.split("/").at(-1)!)}| account${to}`;
      }),
    ),
    "```",
  ].join("\n")}\n`;
}

/** The plan as a picture: clusters on the left, accounts on the right, a line where a role trusts a cluster. */
import type { Evaluation } from "../common/evaluate.js";

const box = { width: 330, height: 62, gap: 18, top: 96 };
const columns = { clusters: 40, accounts: 720 };
const colors = ["#1f6feb", "#8250df", "#1a7f37", "#bf3989", "#9a6700", "#0a7ea4", "#cf222e", "#57606a"];

const xml = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

interface Row {
  readonly title: string;
  readonly lines: readonly string[];
  readonly dashed: boolean;
}

/** An SVG of its own, without scripts or fonts from elsewhere. */
export function topology({ stack, settings, outputs }: Evaluation): string {
  const roleArns = outputs.roleArns as Record<string, Record<string, string>>;
  const clusters = settings.clusters.map(
    ({ name, region, accountId, deploy }): Row => ({
      title: name,
      lines: [`${region} · account ${accountId}`, deploy ? `MCP server, ${settings.mcp.transport}` : "trusted only"],
      dashed: !deploy,
    }),
  );
  const accounts = settings.targetAccounts.map(({ profile, accountId, region, manage }): Row => {
    const roles = [...new Set(Object.values(roleArns[profile] ?? {}).map((arn) => arn.split("/").at(-1)!))];
    return {
      title: profile,
      lines: [`account ${accountId} · ${region}`, `${roles.join(", ")}${manage ? "" : " (managed elsewhere)"}`],
      dashed: !manage,
    };
  });
  const y = (index: number) => box.top + index * (box.height + box.gap);
  const height = y(Math.max(clusters.length, accounts.length)) + 20;
  const width = columns.accounts + box.width + 40;
  const lines = settings.clusters.flatMap(({ name }, from) =>
    settings.targetAccounts.map((_, to) => {
      const [x1, y1] = [columns.clusters + box.width, y(from) + box.height / 2];
      const [x2, y2] = [columns.accounts, y(to) + box.height / 2];
      const bend = (x2 - x1) / 2;
      const color = colors[from % colors.length];
      return `<path d="M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 - 7},${y2}" stroke="${color}" marker-end="url(#arrow)"><title>${xml(`${settings.targetAccounts[to]!.profile} trusts ${name}`)}</title></path>`;
    }),
  );
  const draw = (rows: readonly Row[], x: number, color: (index: number) => string) =>
    rows.map(({ title, lines: texts, dashed }, index) =>
      [
        `<rect x="${x}" y="${y(index)}" width="${box.width}" height="${box.height}" rx="8" stroke="${color(index)}"${dashed ? ' stroke-dasharray="6 4"' : ""}/>`,
        `<text x="${x + 14}" y="${y(index) + 20}" class="title">${xml(cut(title, 40))}</text>`,
        ...texts.map(
          (text, line) => `<text x="${x + 14}" y="${y(index) + 37 + line * 16}">${xml(cut(text, 48))}</text>`,
        ),
      ].join("\n"),
    );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    "<style>text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:14px}.head{font-weight:600;font-size:16px}rect{fill:#f6f8fa;stroke-width:1.5}path{fill:none;stroke-width:1.4;opacity:.75}</style>",
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" style="fill:#57606a;stroke:none"/></marker></defs>',
    `<rect width="${width}" height="${height}" style="fill:#ffffff;stroke:none"/>`,
    `<text x="40" y="34" class="head">holmes-aws-mcp, stack ${xml(stack)}</text>`,
    `<text x="40" y="56">A line: the account's read-only role trusts ${xml(settings.subjects.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`).join(", "))} of the cluster.</text>`,
    `<text x="${columns.clusters}" y="84" class="title">Source clusters</text>`,
    `<text x="${columns.accounts}" y="84" class="title">Target accounts</text>`,
    ...lines,
    ...draw(clusters, columns.clusters, (index) => colors[index % colors.length]!),
    ...draw(accounts, columns.accounts, () => "#57606a"),
    "</svg>",
  ].join("\n")}\n`;
}

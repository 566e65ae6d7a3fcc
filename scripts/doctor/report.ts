/** The report as text: a table, and below it the lines to copy. */
import Table from "cli-table3";
import type { AccountReport, Report } from "./doctor.js";
import type { Finding, Level } from "./findings/finding.js";

/** Minimum and maximum width of a report, in characters. */
const narrowest = 100;
const widest = 180;

/** @param width columns of the terminal; default 140, for logs */
export function reportText(report: Report, width = 140): string {
  const total = Math.max(narrowest, Math.min(width, widest));
  const read = report.accounts.filter(({ findings }) => findings.some(({ code }) => code !== "not-managed"));
  const unmanaged = report.accounts.filter((account) => !read.includes(account));
  const copies = new Copies();
  const names = Math.min(24, Math.max("profile".length, ...read.map(({ profile }) => profile.length)));
  // 12 digits; borders and padding take 13 characters.
  const rest = total - names - 12 - 13;
  const finding = Math.floor(rest * 0.55);
  const advice = rest - finding;
  const table = new Table({
    head: ["profile", "account", "finding", "what to do"],
    colWidths: [names + 2, 14, finding + 2, advice + 2],
    style: { head: [], border: [] },
  });
  for (const account of read) {
    const rows = rowsOf(account, copies).map(([what, fix]) => [wrap(what, finding), wrap(fix, advice)] as const);
    const head = [wrap(account.profile, names), account.accountId].map((content) => ({
      content,
      rowSpan: rows.length,
    }));
    for (const [index, row] of rows.entries()) table.push(index === 0 ? [...head, ...row] : [...row]);
  }
  return [
    ...(read.length === 0 ? [] : [table.toString()]),
    ...copies.lines(),
    ...(unmanaged.length === 0
      ? []
      : [`not read, because manage is false: ${unmanaged.map(({ profile }) => profile).join(", ")}`]),
    ...(report.upWithout === null ? [] : ["", "up without the unavailable accounts:", `  ${report.upWithout}`]),
    ...(report.recovery === null
      ? []
      : [
          "",
          "an update was interrupted; run these commands, then pulumi up:",
          ...report.recovery.map((line) => `  ${line}`),
        ]),
    "",
    summary(report, read.length),
  ].join("\n");
}

const marks: Record<Level, string> = { problem: "✗", note: "•", ok: "✓" };

function rowsOf({ findings }: AccountReport, copies: Copies): [finding: string, advice: string][] {
  const listed = (["problem", "note"] as const).flatMap((level) => findings.filter((item) => item.level === level));
  const right = findings.filter(({ level }) => level === "ok");
  return [
    ...listed.map((item): [string, string] => [
      `${marks[item.level]} ${item.subject}: ${item.message}`,
      adviceText(item, copies),
    ]),
    ...(right.length === 0 ? [] : [[`${marks.ok} ${right.map(shortly).join(", ")}`, ""] as [string, string]]),
  ];
}

const shortly = ({ subject, code }: Finding) =>
  /^(provider|role|policy)-absent$/.test(code) ? `${subject} (to be created)` : subject;

function adviceText({ fix }: Finding, copies: Copies): string {
  if (fix === undefined) return "";
  const { what, at, config, commands = [] } = fix;
  const references = [
    ...(config === undefined ? [] : [copies.add(`${at ?? "stack file"}:`, config)]),
    ...commands.map((command) => copies.add("run:", command)),
  ];
  return [what, ...(references.length === 0 ? [] : [`See ${references.join(" ")}`])].join("\n");
}

/** Lines to copy, numbered; the same line has one number. */
class Copies {
  private readonly texts: string[] = [];

  add(where: string, what: string): string {
    const text = `${where} ${what}`;
    const known = this.texts.indexOf(text);
    return `[${known === -1 ? this.texts.push(text) : known + 1}]`;
  }

  lines(): string[] {
    return this.texts.map((text, index) => `[${index + 1}] ${text}`);
  }
}

/** Breaks at spaces. A word that is longer than a line (an ARN) is broken at the end of the line, not truncated. */
export function wrap(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((paragraph) => {
      const lines: string[] = [""];
      for (const word of paragraph.split(" ")) {
        const last = lines.at(-1)!;
        if (last !== "" && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
        else {
          const pieces = word.match(new RegExp(`.{1,${width}}`, "g")) ?? [""];
          if (last === "") lines.pop();
          lines.push(...pieces);
        }
      }
      return lines;
    })
    .join("\n");
}

function summary({ stack, accounts, ok, recovery }: Report, read: number): string {
  const problems =
    accounts.flatMap(({ findings }) => findings.filter(({ level }) => level === "problem")).length +
    (recovery === null ? 0 : 1);
  const reading = `${read} ${read === 1 ? "account" : "accounts"} read, nothing was changed`;
  return ok
    ? `${stack}: no problem found; ${reading}`
    : `${stack}: ${problems} ${problems === 1 ? "problem" : "problems"}; ${reading}`;
}

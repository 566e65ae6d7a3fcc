/** The report as text: a table, and below it the lines to copy. */
import Table from "cli-table3";
import type { Report } from "./doctor.js";
import type { Finding, Level } from "./findings/finding.js";

/** Minimum and maximum width of a report, in characters. */
const narrowest = 100;
const widest = 180;

/** @param width columns of the terminal; default 140, for logs */
export function reportText({ stack, ok, accounts, recovery, upWithout }: Report, width = 140): string {
  const findings = accounts.flatMap((account) => listed(account.findings));
  const problems = findings.filter(({ level }) => level === "problem").length + (recovery === null ? 0 : 1);
  const copies = [...new Set(findings.flatMap(copiesOf))];
  const total = Math.max(narrowest, Math.min(width, widest));
  const names = Math.min(24, Math.max("profile".length, ...accounts.map(({ profile }) => profile.length)));
  // 12 digits; borders and padding take 13 characters.
  const rest = total - names - 12 - 13;
  const finding = Math.floor(rest * 0.55);
  const widths = [names, 12, finding, rest - finding];
  const table = new Table({
    head: ["profile", "account", "finding", "what to do"],
    colWidths: widths.map((characters) => characters + 2),
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const account of accounts) {
    const rows = rowsOf(account.findings, copies);
    const head = [breakable(account.profile, names), account.accountId].map((content) => ({
      content,
      rowSpan: rows.length,
    }));
    for (const [index, row] of rows.entries()) {
      const cells = row.map((text, column) => breakable(text, widths[column + 2]!));
      table.push(index === 0 ? [...head, ...cells] : cells);
    }
  }
  return [
    ...(accounts.length === 0 ? [] : [table.toString()]),
    ...copies.map((text, index) => `[${index + 1}] ${text}`),
    ...section(
      "up without the unavailable accounts, which verify.skipProfiles must list:",
      upWithout === null ? [] : [upWithout],
    ),
    ...section("an update was interrupted; run these commands, then pulumi up:", recovery ?? []),
    "",
    `${stack}: ${ok ? "no problem found" : counted(problems, "problem")}; ${counted(accounts.filter(({ read }) => read).length, "account")} read, nothing was changed`,
  ].join("\n");
}

/** Adds spaces to words that are longer than a line (an ARN): the table would truncate them. */
export const breakable = (text: string, width: number) => text.replace(new RegExp(`\\S{${width}}(?=\\S)`, "g"), "$& ");

const section = (title: string, lines: readonly string[]) =>
  lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

const marks: Record<Level, string> = { problem: "✗", note: "•", ok: "✓" };

/** Problems first, then notes. */
const listed = (findings: readonly Finding[]) =>
  (["problem", "note"] as const).flatMap((level) => findings.filter((finding) => finding.level === level));

/** The cells of an account: finding and advice. */
function rowsOf(findings: readonly Finding[], copies: readonly string[]): Array<[string, string]> {
  const rows = listed(findings).map((item): [string, string] => {
    const references = copiesOf(item).map((text) => `[${copies.indexOf(text) + 1}]`);
    const see = references.length === 0 ? "" : `\nSee ${references.join(" ")}`;
    return [`${marks[item.level]} ${item.subject}: ${item.message}`, `${item.fix?.what ?? ""}${see}`];
  });
  const right = findings.filter(({ level }) => level === "ok").map(shortly);
  return right.length === 0 ? rows : [...rows, [`${marks.ok} ${right.join(", ")}`, ""]];
}

const shortly = ({ subject, code }: Finding) =>
  /^(provider|role|policy)-absent$/.test(code) ? `${subject} (to be created)` : subject;

/** Lines of a fix to copy, which the report lists once. */
function copiesOf({ fix }: Finding): string[] {
  const commands = (fix?.commands ?? []).map((command) => `run: ${command}`);
  return fix?.config === undefined ? commands : [`${fix.at}: ${fix.config}`, ...commands];
}

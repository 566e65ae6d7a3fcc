/** Pages of docs/: prose, and parts that the program writes between marks. */
import { readFileSync } from "node:fs";

const PART = /(<!-- generated: (\S+) -->\n\n)[\s\S]*?(\n\n<!-- end -->)/g;

/**
 * The text of a page with its parts replaced.
 *
 * @param path relative to the project folder, which is the working directory
 * @param parts Markdown by name. A part is between `<!-- generated: NAME -->` and `<!-- end -->`.
 * @throws Error when the page does not have exactly these parts, each once
 */
export function page(path: string, parts: Readonly<Record<string, string>>): string {
  const text = readFileSync(path, "utf8");
  const found = [...text.matchAll(PART)].map(([, , name]) => name!);
  const wanted = Object.keys(parts);
  if ([...found].sort().join() !== [...wanted].sort().join()) {
    throw new Error(`${path}: found the parts ${found.join(", ")}. Expected ${wanted.join(", ")}, each once.`);
  }
  return text.replace(PART, (_, start: string, name: string, end: string) => `${start}${parts[name]}${end}`);
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

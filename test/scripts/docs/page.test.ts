import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { page, table } from "../../../scripts/docs/page.js";

const folder = mkdtempSync(join(tmpdir(), "page-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, "page.md");
const part = (name: string, text: string) => `<!-- generated: ${name} -->\n\n${text}\n\n<!-- end -->\n`;
const write = (...parts: string[]) => writeFileSync(file, `# Title\n\nProse.\n\n${parts.join("\nMore.\n\n")}`);

test("replaces each part and keeps the prose, also for text with $ and |", () => {
  write(part("a", "old"), part("b", "older\n\ntext"));
  const text = table(["x"], [["$& a|b"], [1]]);
  expect(page(file, { a: text, b: "new" })).toBe(
    `# Title\n\nProse.\n\n${part("a", "| x |\n| --- |\n| $& a\\|b |\n| 1 |")}\nMore.\n\n${part("b", "new")}`,
  );
});

test.each([
  ["a part that the page does not have", [part("a", "")], { a: "", b: "" }],
  ["a part that the program does not write", [part("a", ""), part("b", "")], { a: "" }],
  ["a part that the page has twice", [part("a", ""), part("a", "")], { a: "" }],
  ["a part without an end", ["<!-- generated: a -->\n\ntext\n"], { a: "" }],
])("rejects %s", (_, parts, values) => {
  write(...parts);
  expect(() => page(file, values)).toThrow(`${file}: found the parts`);
});

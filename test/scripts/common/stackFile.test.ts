// The stack file is read as Pulumi reads it, or rejected.
import { expect, test } from "vitest";
import { parseStackFile } from "../../../scripts/common/stackFile.js";

const parse = (text: string) => parseStackFile(text, "Pulumi.x.yaml");
const values = (value: string) => parse(`config:\n  holmes-aws-mcp:a: ${value}\n`).values["holmes-aws-mcp:a"];

test.each([
  ["text", "text"],
  ["443", "443"],
  ["-1", "-1"],
  ["0.5", "0.5"],
  ['"2024-01-01"', "2024-01-01"],
  ["'1_000'", "1_000"],
  ["1.2.3", "1.2.3"],
  ["a_1", "a_1"],
  ["yes", "yes"],
  ["!!str 12", "12"],
  ["[&x b, *x]", '["b","b"]'],
  ["{toString: b}", '{"toString":"b"}'],
])("%s", (written, read) => {
  expect(values(written)).toBe(read);
});

test.each([
  ["2024-01-01", '2024-01-01 is a date to Pulumi. Expected a text. Put it in quotes: "2024-01-01".'],
  ["2024-1-1T10:00:00Z", "is a date to Pulumi"],
  ["1_000", "1_000 is a number to Pulumi"],
  ["0b11", "0b11 is a number to Pulumi"],
  ["012345670123", "012345670123 is a number that Pulumi reads"],
  ["1.10", '1.10 is a number that Pulumi reads as 1.1. Expected a number in plain digits, or a text: "1.10".'],
  [".inf", ".inf is a number"],
  [".nan", ".nan is a number"],
  ["{<<: {b: 1}}", "a merge (<<)"],
  ["!!binary YQ==", "the YAML tag tag:yaml.org,2002:binary"],
  ["!own x", "the YAML tag !own"],
  ["&x [*x]", "an alias inside its own anchor"],
  ["*x", "alias"],
  ["a\n---\nb: c", "a second document. Expected one."],
  ["{a: 1, a: 2}", "not YAML: Map keys must be unique."],
])("rejects %s", (written, message) => {
  let text = "";
  try {
    values(written);
  } catch (error) {
    text = (error as Error).message;
  }
  expect(text).toContain(message);
  expect(text).toMatch(/^Pulumi\.x\.yaml, line \d+: /);
  expect(text).not.toMatch(/YAML\.|parseAll|stringify/);
});

test("reports all problems at once, each with its line", () => {
  expect(() => parse("config:\n  holmes-aws-mcp:a: 1_0\n  holmes-aws-mcp:b: 0b1\n")).toThrow(/line 2: .*\n.*line 3: /);
});

test("rejects exponential expansion of aliases", () => {
  const bomb = Array.from({ length: 9 }, (_, index) =>
    index === 0
      ? "  p:0: &a0 [x, x, x, x, x, x, x, x, x]"
      : `  p:${index}: &a${index} [${`*a${index - 1},`.repeat(9)}]`,
  );
  expect(() => parse(`config:\n${bomb.join("\n")}\n`)).toThrow("too many aliases");
});

test("rejects a key without its project", () => {
  expect(() => parse("config:\n  clusters: []\n")).toThrow("Expected holmes-aws-mcp:clusters.");
});

test("nested secrets are never shown, and make their key a secret", () => {
  const { values, secretKeys } = parse(
    "config:\n  p:a: [{ b: { secure: v1:x } }]\n  p:c: { secure: v1:y }\n  p:d: e\n",
  );
  expect(values).toEqual({ "p:a": '[{"b":"[secret]\\n"}]', "p:c": "[secret]\n", "p:d": "e" });
  expect(secretKeys).toEqual(["p:a", "p:c"]);
});

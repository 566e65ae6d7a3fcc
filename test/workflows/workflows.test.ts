// Checks GitHub's workflows with actionlint (Go) for correctness and zizmor (Python) for security.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ensureVenv } from "../../scripts/emulation/python.js";

const run = promisify(execFile);
const FOLDER = ".github/workflows";
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yml"));

/** Every `uses:` line of a workflow as written, comment included. */
const usesLines = (text: string) => text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));

test("finds the workflows", () => {
  expect(files).toEqual(
    expect.arrayContaining(["drift.yml", "image.yml", "preview.yml", "supply-chain.yml", "tests.yml", "up.yml"]),
  );
});

describe.each(files)("%s", (name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");

  test("pins every action to a commit and names its version", () => {
    const lines = usesLines(text);
    expect(lines.length).toBeGreaterThan(0);
    const loose = lines.filter((line) => !/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
    expect(loose).toEqual([]);
  });

  test("grants the default token read access only, and never runs untrusted code with secrets", () => {
    const workflow = parse(text);
    expect(workflow.permissions?.contents).toBe("read");
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
  });
});

test("pass actionlint", async () => {
  // -mod=mod: this repository has no Go module that depends on the tool; the version pins it.
  const args = ["run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12", "-no-color"];
  expect(await output("go", args, { ...process.env, GOFLAGS: "-mod=mod" })).toBe("");
});

test("pass zizmor", async () => {
  const environment = await ensureVenv("workflows", "the workflow linter", ".github/requirements.txt");
  const args = ["--offline", "--no-progress", "--quiet", ".github"];
  expect(await output(join(environment, "bin/zizmor"), args)).toContain("No findings to report");
});

/** Standard output of a command that succeeds. */
async function output(command: string, args: string[], env = process.env): Promise<string> {
  try {
    return (await run(command, args, { env })).stdout;
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string };
    throw new Error(`${message}\n${stdout}${stderr}`);
  }
}

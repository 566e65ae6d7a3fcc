// GitHub's workflows, checked by the field's linters: actionlint (Go) for correctness, zizmor (Python) for security.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ensureVenv } from "../../scripts/emulation/python.js";

const run = promisify(execFile);
const FOLDER = ".github/workflows";
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yml"));

/** Every `uses:` line of a workflow as written, comment included. */
const usesLines = (text: string) => text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));

it("finds the workflows", () => {
  expect(files).toEqual(
    expect.arrayContaining(["image.yml", "preview.yml", "supply-chain.yml", "tests.yml", "up.yml"]),
  );
});

describe.each(files)("%s", (name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");

  it("pins every action to a commit and names its version", () => {
    const lines = usesLines(text);
    expect(lines.length).toBeGreaterThan(0);
    const loose = lines.filter((line) => !/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
    expect(loose).toEqual([]);
  });

  it("grants the default token nothing but reading, and never runs untrusted code with secrets", () => {
    const workflow = parse(text);
    expect(workflow.permissions?.contents).toBe("read");
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
  });
});

it("pass actionlint", async () => {
  // -mod=mod: the tool is no dependency of a Go module in this repository; the version pins it.
  const { stdout } = await run("go", ["run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12", "-no-color"], {
    env: { ...process.env, GOFLAGS: "-mod=mod" },
  }).catch((error: { stdout: string; stderr: string }) => ({ stdout: `${error.stdout}${error.stderr}` }));
  expect(stdout).toBe("");
});

it("pass zizmor", async () => {
  const environment = await ensureVenv("workflows", "the workflow linter", ".github/requirements.txt", () => {});
  const { code, text } = await run(join(environment, "bin/zizmor"), [
    "--offline",
    "--no-progress",
    "--quiet",
    ".github",
  ])
    .then(({ stdout }) => ({ code: 0, text: stdout }))
    .catch((error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      text: `${error.stdout}${error.stderr}`,
    }));
  expect(text).toContain("No findings to report");
  expect(code).toBe(0);
});

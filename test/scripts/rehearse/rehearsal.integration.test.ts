/** `npm run rehearse`: tables, exit codes, and no process left running. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { projectFolder } from "../../../scripts/common/command.js";
import { rehearse } from "../../../scripts/rehearse/rehearsal.js";

// A separate temporary folder shows what this rehearsal leaves.
const temporary = mkdtempSync(join(tmpdir(), "rehearsal-test-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function start(...args: string[]): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; text: string }>;
  said: (word: string) => Promise<void>;
} {
  const child = spawn(process.execPath, ["--import", "tsx", "scripts/rehearse/main.ts", ...args], {
    cwd: projectFolder,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (piece) => {
      text += piece;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<{ code: number | null; text: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, text })),
  );
  const said = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => text.includes(word) && resolve();
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended before it said ${word}: ${text}`)));
    });
  return { child, ended, said };
}

/** Processes whose environment names this test's folder: the rehearsal's own and all that it started. */
const running = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TMPDIR=${temporary}`);
      } catch {
        // It ended meanwhile, or it is another user's.
        return false;
      }
    });

describe("npm run rehearse", () => {
  test("shows the response of every account and every rejection, and leaves no file or process", async () => {
    const { code, text } = await start("--stack", "dev").ended;
    expect(code, text).toBe(0);
    expect(text).toMatch(/│ dev +│ 111111111111 us-east-1 +│ 111111111111 us-east-1 .*right/);
    expect(text).toMatch(/│ sandbox +│ 222222222222 us-west-2 +│ 222222222222 us-west-2 .*right/);
    for (const refused of ["a write", "an unknown profile", "another service account"]) {
      expect(text).toMatch(new RegExp(`│ ${refused} +│ refused .*right`));
    }
    expect(text).toContain("mcp_servers:");
    expect(text).not.toContain("WRONG");
    expect(readdirSync(temporary).filter((name) => name.startsWith("holmes-aws-mcp-"))).toEqual([]);
  }, 600_000);

  test("Ctrl-C leaves no process and no temporary folder", async () => {
    const { child, ended, said } = start("--stack", "dev");
    await said("Starting the MCP server");
    child.kill("SIGINT");
    // npm relays the signal that the terminal has already sent.
    child.kill("SIGINT");
    const { code } = await ended;
    expect(code).toBe(130);
    expect(readdirSync(temporary).filter((name) => name.startsWith("holmes-aws-mcp-"))).toEqual([]);
    if (process.platform === "linux") expect(running()).toEqual([]);
  }, 600_000);

  test("rejects an unknown stack and lists the known ones", async () => {
    await expect(rehearse(projectFolder, { stack: "absent", show: () => {} })).rejects.toThrow(
      /^--stack absent: .*Pulumi\.absent\.yaml not found\. Expected one of: dev, prod\.$/,
    );
  });
});

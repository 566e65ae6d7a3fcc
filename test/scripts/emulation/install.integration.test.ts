import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../../../scripts/common/errors.js";
import { contentKey, type Install, installOnce, runStep } from "../../../scripts/emulation/install.js";

let cache: string;
let told: string[];
beforeEach(async () => {
  cache = await mkdtemp(path.join(tmpdir(), "install-"));
  vi.stubEnv("HOLMES_AWS_MCP_CACHE", cache);
  told = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
  return rm(cache, { recursive: true, force: true });
});

/** A pid without a process: above the maximum of Linux and macOS. */
const UNUSED_PID = 4_194_305;
const file = "file";
let runs = 0;
const install = (change: Partial<Install> = {}) => {
  return installOnce({
    name: "tool",
    key: "0123",
    what: "a tool",
    file,
    run: async (dir) => {
      runs += 1;
      await writeFile(path.join(dir, file), "content");
    },
    progress: (line) => told.push(line),
    cache,
    ...change,
  });
};
beforeEach(() => {
  runs = 0;
});

describe("installOnce", () => {
  test("installs once with progress, and is silent afterwards", async () => {
    const dir = await install();
    expect(dir).toBe(path.join(cache, "tool-0123"));
    expect(existsSync(path.join(dir, file))).toBe(true);
    expect(told).toEqual([
      expect.stringMatching(/^Installing a tool into /),
      expect.stringMatching(/^Installed a tool in \d+ s$/),
    ]);
    expect(await install()).toBe(dir);
    expect(runs).toBe(1);
    expect(told).toHaveLength(2);
    expect(await readdir(cache)).toHaveLength(2);
  });

  test("installs again for another key, and when the install is broken", async () => {
    const dir = await install();
    await install({ key: "4567" });
    expect(runs).toBe(2);
    await rm(path.join(dir, file));
    await install();
    expect(runs).toBe(3);
    expect(existsSync(path.join(dir, file))).toBe(true);
  });

  test("removes installs of other keys, and no other install", async () => {
    await install({ key: "0".repeat(16) });
    await install({ name: "tool-else", key: "0".repeat(16) });
    // Several projects can share the folder of the variable.
    await install({ key: "2".repeat(16) });
    expect(existsSync(path.join(cache, `tool-${"0".repeat(16)}`, file))).toBe(true);
    vi.stubEnv("HOLMES_AWS_MCP_CACHE", undefined);
    const current = await install({ key: "1".repeat(16) });
    const links = (await readdir(cache)).filter((name) => !name.startsWith("."));
    expect(links).toEqual([`tool-${"1".repeat(16)}`, `tool-else-${"0".repeat(16)}`]);
    expect(await readdir(cache)).toHaveLength(4);
    expect(existsSync(path.join(current, file))).toBe(true);
  });

  test("keeps installs of other keys when an install fails", async () => {
    const earlier = await install({ key: "0".repeat(16) });
    vi.stubEnv("HOLMES_AWS_MCP_CACHE", undefined);
    const failing = install({ key: "1".repeat(16), run: () => Promise.reject(new UserError("no network")) });
    await expect(failing).rejects.toThrow("no network");
    expect(existsSync(path.join(earlier, file))).toBe(true);
  });

  test("installs once for concurrent callers", async () => {
    const slow: Partial<Install> = {
      run: async (dir) => {
        runs += 1;
        await sleep(500);
        await writeFile(path.join(dir, file), "content");
      },
    };
    const dirs = await Promise.all([install(slow), install(slow), install(slow)]);
    expect(new Set(dirs).size).toBe(1);
    expect(runs).toBe(1);
    expect(told.filter((line) => line.startsWith(`Waiting for process ${process.pid}`))).toHaveLength(2);
  });

  test("cleans up after a failure, and installs on the next call", async () => {
    const failing = install({ run: () => Promise.reject(new UserError("no network")) });
    await expect(failing).rejects.toThrow("no network");
    expect(await readdir(cache)).toEqual([]);
    await expect(install()).resolves.toBeDefined();
  });

  test("recovers from an interrupted install: removes its lock and its folder", async () => {
    await writeFile(path.join(cache, "tool-0123.lock"), String(UNUSED_PID));
    const half = path.join(cache, `.tool-0123.${UNUSED_PID}.abcd`);
    await mkdir(half);
    await install();
    expect(runs).toBe(1);
    expect(existsSync(half)).toBe(false);
    expect(existsSync(path.join(cache, "tool-0123.lock"))).toBe(false);
  });

  test("replaces a stale lock, even if another process has its pid", async () => {
    const lock = path.join(cache, "tool-0123.lock");
    await writeFile(lock, String(process.ppid));
    const long = new Date(Date.now() - 60_000);
    await utimes(lock, long, long);
    await install();
    expect(runs).toBe(1);
  });

  test("waits for the holder of a fresh lock", async () => {
    const lock = path.join(cache, "tool-0123.lock");
    await writeFile(lock, String(process.ppid));
    let finished = false;
    const waiting = install().then(() => {
      finished = true;
    });
    await sleep(600);
    expect(finished).toBe(false);
    await rm(lock);
    await waiting;
    expect(told[0]).toBe(`Waiting for process ${process.ppid}, which is installing a tool (0 s)`);
  });
});

describe("contentKey", () => {
  test("differs with the content and with where one part ends", () => {
    expect(contentKey("a", "b")).toMatch(/^[0-9a-f]{16}$/);
    expect(contentKey("a", "b")).toBe(contentKey("a", Buffer.from("b")));
    expect(new Set([contentKey("ab"), contentKey("a", "b"), contentKey("b", "a")]).size).toBe(3);
  });
});

describe("runStep", () => {
  test("is silent on success and shows the last output on failure", async () => {
    await expect(runStep("a step", "/bin/sh", ["-c", "echo fine"])).resolves.toBeUndefined();
    const failure = await runStep("a step", "/bin/sh", ["-c", "echo first; echo last >&2; exit 7"], {
      advice: "look at your network",
    }).catch((error: Error) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toMatch(/^a step failed \(exit code 7\): look at your network; last output:/);
    expect((failure as Error).message).toContain("last");
  });

  test.each([
    ["OSError: [Errno 28] No space left on device", "the disk is full. Free some space"],
    ["OSError: [Errno 30] Read-only file system: '/home/me/.cache'", "/home/me/.cache cannot be written."],
    // What npm prints with a read-only file system, in addition to ENOENT.
    [
      "npm error Log files were not written due to an error writing to the directory: /home/me/.npm/_logs",
      "/home/me/.npm/_logs cannot be written.",
    ],
    ["npm error EACCES: permission denied, mkdir '/home/me/.npm'", "/home/me/.npm cannot be written."],
  ])("names the cause on this machine first: %s", async (output, cause) => {
    const step = runStep("a step", "/bin/sh", ["-c", 'echo "$0"; exit 1', output], { advice: "look at your network" });
    await expect(step).rejects.toThrow(`a step failed (exit code 1): ${cause}`);
  });
});

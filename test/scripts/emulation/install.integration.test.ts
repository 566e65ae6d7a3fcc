import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../../../scripts/common/errors.js";
import { contentKey, type Install, installOnce, runStep } from "../../../scripts/emulation/install.js";

let cache: string;
let told: string[];
beforeEach(async () => {
  cache = await mkdtemp(path.join(tmpdir(), "install-"));
  vi.stubEnv("HOLMES_AWS_MCP_CACHE", cache);
  told = [];
  runs = 0;
  vi.spyOn(process.stderr, "write").mockImplementation((line) => told.push(String(line)) > 0);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  return rm(cache, { recursive: true, force: true });
});

/** A pid without a process: above the maximum of Linux and macOS. */
const UNUSED_PID = 4_194_305;
const file = "file";
let runs = 0;
const install = (change: Partial<Install> = {}) =>
  installOnce({
    name: "tool",
    key: "0".repeat(16),
    what: "a tool",
    file,
    run: async (dir) => {
      runs += 1;
      await writeFile(path.join(dir, file), "content");
    },
    cache,
    ...change,
  });

describe("installOnce", () => {
  test("installs once with progress, and is silent afterwards", async () => {
    const dir = await install();
    expect(dir).toBe(path.join(cache, `tool-${"0".repeat(16)}`));
    expect(existsSync(path.join(dir, file))).toBe(true);
    expect(told).toEqual([
      expect.stringMatching(/^Installing a tool into /),
      expect.stringMatching(/^Installed a tool in \d+ s\n$/),
    ]);
    expect(await install()).toBe(dir);
    expect(runs).toBe(1);
    expect(told).toHaveLength(2);
    expect(await readdir(cache)).toHaveLength(2);
  });

  test("installs again for another key, and when the install is broken", async () => {
    const dir = await install();
    await install({ key: "1".repeat(16) });
    expect(runs).toBe(2);
    await rm(path.join(dir, file));
    await install();
    expect(runs).toBe(3);
    expect(existsSync(path.join(dir, file))).toBe(true);
  });

  test("removes installs of other keys, and no other install", async () => {
    await install();
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
    const earlier = await install();
    vi.stubEnv("HOLMES_AWS_MCP_CACHE", undefined);
    const failing = install({ key: "1".repeat(16), run: () => Promise.reject(new UserError("no network")) });
    await expect(failing).rejects.toThrow("no network");
    expect(existsSync(path.join(earlier, file))).toBe(true);
  });

  test("of concurrent installs the first one is used, and the other one is removed", async () => {
    const link = await install({
      run: async (dir) => {
        await writeFile(path.join(dir, file), "later");
        await install();
      },
    });
    expect(readFileSync(path.join(link, file), "utf8")).toBe("content");
    expect(await readdir(cache)).toHaveLength(2);
  });

  test("uses the install of another process when its own fails", async () => {
    const link = await install({
      run: async () => {
        await install();
        throw new UserError("the disk is full");
      },
    });
    expect(readFileSync(path.join(link, file), "utf8")).toBe("content");
    expect(await readdir(cache)).toHaveLength(2);
  });

  test("shows the last line of the output as progress", async () => {
    vi.useFakeTimers();
    const run: Install["run"] = async (dir, onOutput) => {
      onOutput("Collecting boto3\nCollecting moto\n");
      await vi.advanceTimersByTimeAsync(10_000);
      await writeFile(path.join(dir, file), "content");
    };
    await install({ run }).finally(() => vi.useRealTimers());
    expect(told[1]).toBe("  a tool, 10 s: Collecting moto\n");
  });

  test("cleans up after a failure, and installs on the next call", async () => {
    const failing = install({ run: () => Promise.reject(new UserError("no network")) });
    await expect(failing).rejects.toThrow("no network");
    expect(await readdir(cache)).toEqual([]);
    await expect(install()).resolves.toBeDefined();
  });

  test("removes the folder of an interrupted install before it installs, because it can fill the disk", async () => {
    const prefix = `.tool-${"0".repeat(16)}`;
    const half = path.join(cache, `${prefix}.${UNUSED_PID}.abcd`);
    const running = path.join(cache, `${prefix}.${process.ppid}.abcd`);
    await Promise.all([half, running].map((folder) => mkdir(folder)));
    const run = () => Promise.reject(new UserError(`the folder exists: ${existsSync(half)}`));
    await expect(install({ run })).rejects.toThrow("the folder exists: false");
    expect(await readdir(cache)).toEqual([path.basename(running)]);
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

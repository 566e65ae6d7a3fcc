import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../../../scripts/common/errors.js";
import { findPython } from "../../../scripts/emulation/python.js";

let bin: string;
beforeEach(async () => {
  bin = await mkdtemp(path.join(tmpdir(), "bin-"));
});
afterEach(() => rm(bin, { recursive: true }));

/** A command of this name on the PATH that behaves as such a Python does. */
async function command(name: string, script: string): Promise<void> {
  const file = path.join(bin, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}
const noVenv = "echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1";
function find(): Promise<string> {
  vi.stubEnv("PATH", bin);
  return findPython().finally(() => vi.unstubAllEnvs());
}

describe("findPython", () => {
  test("selects the oldest supported version, so that the choice is deterministic", async () => {
    await command("python3", "echo 3.13");
    await command("python3.13", "echo 3.13");
    await command("python3.12", "echo 3.12");
    expect(await find()).toBe("python3.12");
  });

  test("selects python3 if its version is supported", async () => {
    await command("python3", "echo 3.13");
    expect(await find()).toBe("python3");
  });

  test("skips shims of version managers without an interpreter, and other versions", async () => {
    await command("python3.11", "echo 'python3.11: command not found' >&2; exit 127");
    await command("python3", "echo 3.14");
    await command("python", "echo 3.12");
    expect(await find()).toBe("python");
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ["there is none", {}, /^no Python 3\.11, 3\.12 or 3\.13 on the PATH: install one .*$/],
    [
      "there are only others",
      { python3: "echo 3.9", python: "echo 2.7" },
      /^no Python 3\.11, 3\.12 or 3\.13 on the PATH/,
    ],
    [
      "it comes without venv, as Debian's does",
      { "python3.11": noVenv },
      /^python3\.11 has no venv module: .*apt install python3\.11-venv.*$/,
    ],
  ])("reports in one line what to install when %s", async (_, commands, message) => {
    for (const [name, script] of Object.entries(commands)) await command(name, script);
    const failure = await find().catch((error: Error) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toMatch(message);
  });
});

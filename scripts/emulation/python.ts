import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { UserError } from "../common/errors.js";
import type { Progress } from "../common/progress.js";
import { cacheDir, contentKey, installOnce, projectDir, runStep, shellWord } from "./install.js";

const exec = promisify(execFile);
/** Python versions that both lock files support, in order of preference. */
const VERSIONS = ["3.11", "3.12", "3.13"];

export interface PythonTools {
  /** Executable of the stock MCP server, with the same packages as in the image. */
  serverBin: string;
  /** The launcher (image/launcher) with the same packages, as in the image. */
  launcherBin: string;
  /** The `moto_server` executable. */
  motoBin: string;
  /** Interpreters of both environments, for scripts that require these packages. */
  serverPython: string;
  motoPython: string;
}

/**
 * Creates two virtual environments in `.cache/`: the MCP server from `image/requirements.txt`, as in the image, and
 * moto from `scripts/emulation/requirements.txt`. Only wheels, each verified against its hash. They use about 650 MB on
 * disk. The first call takes one to two minutes, later calls a few milliseconds.
 *
 * @throws UserError when Python 3.11 to 3.13 with venv is not found, or an install fails.
 */
export async function ensurePython(progress: Progress): Promise<PythonTools> {
  const [server, moto] = await Promise.all([
    ensureVenv("server", "the MCP server's Python packages", "image/requirements.txt", progress),
    ensureMoto(progress),
  ]);
  return {
    ...moto,
    serverBin: path.join(server, "bin/awslabs.aws-api-mcp-server"),
    launcherBin: await launcherScript(path.join(server, "bin/python")),
    serverPython: path.join(server, "bin/python"),
  };
}

/** Creates a script for the launcher of this source tree in the cache, which several trees can share. */
async function launcherScript(python: string): Promise<string> {
  const text = `#!/bin/sh\nexec ${shellWord(python)} ${shellWord(path.join(projectDir, "image/launcher"))} "$@"\n`;
  const file = path.join(cacheDir, `holmes-aws-mcp-${contentKey(text)}`);
  if (!existsSync(file)) await replaceFile(file, text, 0o755);
  return file;
}

/** Installs only the emulated AWS. */
export async function ensureMoto(progress: Progress): Promise<Pick<PythonTools, "motoBin" | "motoPython">> {
  const moto = await ensureVenv("moto", "moto (the emulated AWS)", "scripts/emulation/requirements.txt", progress);
  return { motoBin: path.join(moto, "bin/moto_server"), motoPython: path.join(moto, "bin/python") };
}

/** Installs HolmesGPT from `test/holmes/requirements.txt` (about 550 MB on disk). Returns the interpreter and the CLI. */
export async function ensureHolmes(progress: Progress): Promise<{ holmesPython: string; holmesBin: string }> {
  // clickhouse-sqlalchemy has no wheel; only Holmes' ClickHouse toolset imports it.
  const holmes = await ensureVenv("holmes", "HolmesGPT", "test/holmes/requirements.txt", progress, [
    "clickhouse-sqlalchemy",
  ]);
  return { holmesPython: path.join(holmes, "bin/python"), holmesBin: path.join(holmes, "bin/holmes") };
}

/**
 * Creates a virtual environment in `.cache/` with the packages of a requirements file with hashes.
 *
 * @param what description of the packages, for progress and errors
 * @param lockFile path relative to the project
 * @param omitted required packages that the file intentionally omits. Default: none.
 * @returns the folder of the environment
 * @throws UserError as {@link ensurePython}
 */
export async function ensureVenv(
  name: string,
  what: string,
  lockFile: string,
  progress: Progress,
  omitted: readonly string[] = [],
): Promise<string> {
  const file = path.join(projectDir, lockFile);
  const requirements = await readFile(file);
  const total = requirements.toString().match(/^[a-z0-9][^\s]*==/gim)?.length ?? 0;
  const link = await installOnce({
    name: `python-${name}`,
    key: contentKey(requirements),
    what,
    progress,
    // The link to the interpreter is broken if that Python has been removed.
    intact: (dir) => existsSync(path.join(dir, "bin/python")),
    run: async (dir, say) => {
      const python = await findPython();
      say(`virtual environment with ${python}`);
      const step = `${what}: creation of a virtual environment with ${python}`;
      await runStep(step, python, ["-m", "venv", "--without-pip", dir]);
      // As a step of its own, because venv hides the output of ensurepip, such as "No space left on device".
      await runStep(step, path.join(dir, "bin/python"), ["-m", "ensurepip", "--default-pip"]);
      let fetched = 0;
      let unpacking = false;
      // Do not compile now. Python compiles the tenth of the files that are imported at the first start.
      const arguments_ = ["-m", "pip", "install", "--no-input", "--progress-bar=off", "--no-compile"];
      await runStep(
        what,
        path.join(dir, "bin/python"),
        // The list is complete, so resolution is disabled. With a version range and a newer release in the index, the
        // resolver rejects the locked version because the newer one has no hash.
        [...arguments_, "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", file],
        {
          advice: "it needs the Python package index (or pip configured for a mirror of it)",
          env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1" },
          onOutput: (text) => {
            fetched += text.match(/^Collecting /gm)?.length ?? 0;
            unpacking ||= text.includes("Installing collected packages");
            say(unpacking ? "unpacking" : `${fetched} of ${total} fetched`);
          },
        },
      );
      await checkComplete(what, path.join(dir, "bin/python"), omitted);
    },
  });
  await relocate(await realpath(link));
  return link;
}

/** Repairs the scripts of an environment whose folder has moved. They start with the path of their interpreter. */
export async function relocate(dir: string): Promise<void> {
  const configFile = path.join(dir, "pyvenv.cfg");
  const config = await readFile(configFile, "utf8");
  // Python 3.11 and later write `command = python -m venv --without-pip DIR`.
  const [command, before] = /^command = .* -m venv (?:--\S+ )*(.+)$/m.exec(config) ?? [];
  if (before === undefined || before === dir || (await realpath(before).catch(() => "")) === dir) return;
  const bin = path.join(dir, "bin");
  for (const entry of await readdir(bin, { withFileTypes: true })) {
    const script = path.join(bin, entry.name);
    // Another process can be repairing the same folder: its drafts come and go.
    const content = entry.isFile() ? await readFile(script, "latin1").catch(() => "") : "";
    // pip writes the second form for paths with spaces: sh executes it, and Python reads it as a string.
    const head = /^#!\/.*\/bin\/python[\d.]*\n|^#!\/bin\/sh\n'''exec' .*\n' '''\n/.exec(content)?.[0];
    if (head === undefined) continue;
    const newHead = Buffer.from(`#!/bin/sh\n'''exec' "${path.join(bin, "python")}" "$0" "$@"\n' '''\n`);
    await replaceFile(script, Buffer.concat([newHead, Buffer.from(content.slice(head.length), "latin1")]), 0o755);
  }
  // Last, so that an interrupted repair is repeated.
  await replaceFile(
    configFile,
    config.replace(command!, () => command!.replace(before, () => dir)),
    0o644,
  );
}

/** Replaces a file in one step, because other processes can be reading it. */
async function replaceFile(file: string, content: string | Buffer, mode: number): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(draft, content, { mode });
  await rename(draft, file);
}

async function checkComplete(what: string, python: string, omitted: readonly string[]): Promise<void> {
  const { stdout } = await exec(python, ["-m", "pip", "check"]).catch((error: { stdout: string }) => error);
  const problems = stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "No broken requirements found.")
    .filter((line) => !omitted.some((name) => line.endsWith(` requires ${name}, which is not installed.`)));
  if (problems.length > 0)
    throw new UserError(`${what}: the list of packages is incomplete:\n  ${problems.join("\n  ")}`);
}

/**
 * Finds the first Python 3.11 to 3.13 on the PATH that can create virtual environments.
 *
 * @throws UserError when none is found.
 */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
  const missing: string[] = [];
  for (const command of [...VERSIONS.map((version) => `python${version}`), "python3", "python"]) {
    try {
      const { stdout } = await exec(command, ["-c", probe], { env });
      if (VERSIONS.includes(stdout.trim())) return command;
    } catch (error) {
      // Debian packages venv separately. Report this case, because the fix is a package and not another Python.
      if (/No module named '?(venv|ensurepip)/.test(String((error as { stderr?: string }).stderr)))
        missing.push(command);
    }
  }
  throw new UserError(
    missing.length > 0
      ? `${missing[0]} has no venv module: install it (Debian, Ubuntu: apt install ${missing[0]}-venv)`
      : "no Python 3.11, 3.12 or 3.13 on the PATH: install one (python.org, apt install python3.11-venv, brew install python@3.13)",
  );
}

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { UserError } from "../common/errors.js";
import type { Progress } from "../common/progress.js";
import { cacheDir, contentKey, installOnce, projectDir, runStep } from "./install.js";

const exec = promisify(execFile);
/** What both lock files resolve for; named first, so that the same one is taken where several are there. */
const VERSIONS = ["3.11", "3.12", "3.13"];

export interface PythonTools {
  /** The stock MCP server's executable, with exactly the image's packages around it. */
  serverBin: string;
  /** The launcher (image/launcher) on the same packages: what the image runs. */
  launcherBin: string;
  /** The `moto_server` executable. */
  motoBin: string;
  /** The interpreter beside each, for scripts that need those packages. */
  serverPython: string;
  motoPython: string;
}

/**
 * Two virtual environments under `.cache/`: the MCP server from `image/requirements.txt`, the list that the image
 * installs too, and moto from `scripts/emulation/requirements.txt`. Wheels only, every one checked against its hash.
 * About 650 MB on disk; the first time takes a minute or two, after that a few milliseconds.
 *
 * @throws UserError when there is no Python 3.11 to 3.13 with venv, or an install fails.
 */
export async function ensurePython(progress: Progress): Promise<PythonTools> {
  const [server, moto] = await Promise.all([
    ensureVenv("server", "the MCP server's Python packages", "image/requirements.txt", progress),
    ensureVenv("moto", "moto (the emulated AWS)", "scripts/emulation/requirements.txt", progress),
  ]);
  return {
    serverBin: path.join(server, "bin/awslabs.aws-api-mcp-server"),
    launcherBin: await launcherScript(path.join(server, "bin/python")),
    motoBin: path.join(moto, "bin/moto_server"),
    serverPython: path.join(server, "bin/python"),
    motoPython: path.join(moto, "bin/python"),
  };
}

/** A script for the launcher of this source tree; it lies in the cache, which several trees can share. */
async function launcherScript(python: string): Promise<string> {
  const text = `#!/bin/sh\nexec '${python}' '${path.join(projectDir, "image/launcher")}' "$@"\n`;
  const file = path.join(cacheDir, `holmes-aws-mcp-${contentKey(text)}`);
  if (!existsSync(file)) {
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, text, { mode: 0o755 });
    await rename(draft, file);
  }
  return file;
}

/** Only the emulated AWS, for what does not need the server. */
export async function ensureMoto(progress: Progress): Promise<Pick<PythonTools, "motoBin" | "motoPython">> {
  const moto = await ensureVenv("moto", "moto (the emulated AWS)", "scripts/emulation/requirements.txt", progress);
  return { motoBin: path.join(moto, "bin/moto_server"), motoPython: path.join(moto, "bin/python") };
}

/** The real HolmesGPT from `test/holmes/requirements.txt`: its interpreter and its CLI. About 800 MB on disk. */
export async function ensureHolmes(progress: Progress): Promise<{ holmesPython: string; holmesBin: string }> {
  // clickhouse-sqlalchemy has no wheel; only Holmes' ClickHouse toolset imports it.
  const holmes = await ensureVenv("holmes", "HolmesGPT", "test/holmes/requirements.txt", progress, [
    "clickhouse-sqlalchemy",
  ]);
  return { holmesPython: path.join(holmes, "bin/python"), holmesBin: path.join(holmes, "bin/holmes") };
}

/**
 * A virtual environment under `.cache/` with the packages of a hashed requirements file.
 *
 * @param what the packages in words, for progress and errors
 * @param lockFile path relative to the project
 * @param omitted required packages that the file leaves out on purpose; default none
 * @returns the environment's folder
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
  return installOnce({
    name: `python-${name}`,
    // The folder's path is written into the environment's scripts: a project that was moved needs a new one.
    key: contentKey(requirements, cacheDir),
    what,
    progress,
    // The link to the interpreter dangles when that Python was removed from the machine.
    intact: (dir) => existsSync(path.join(dir, "bin/python")),
    run: async (dir, say) => {
      const python = await findPython();
      say(`virtual environment with ${python}`);
      await runStep(`${what}: making a virtual environment with ${python}`, python, ["-m", "venv", dir]);
      let fetched = 0;
      let unpacking = false;
      // Not compiled now: Python does that at the first start, for the tenth of the files that are ever imported.
      const arguments_ = ["-m", "pip", "install", "--no-input", "--progress-bar=off", "--no-compile"];
      await runStep(
        what,
        path.join(dir, "bin/python"),
        // The list is complete, so pip resolves nothing: given a range and a newer release on the index, its resolver
        // rejects the locked version for want of a hash.
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
 * The first command on the PATH that is Python 3.11 to 3.13 and can make virtual environments.
 *
 * @throws UserError when there is none.
 */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
  const missing: string[] = [];
  for (const command of [...VERSIONS.map((version) => `python${version}`), "python3", "python"]) {
    try {
      const { stdout } = await exec(command, ["-c", probe], { env });
      if (VERSIONS.includes(stdout.trim())) return command;
    } catch (error) {
      // A Python without venv is Debian's way: worth naming, because the remedy is a package and not a Python.
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

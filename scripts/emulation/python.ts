import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { contentKey, installOnce, runStep } from "./install.js";

const exec = promisify(execFile);
/** Python versions that both lock files support, in order of preference. */
const VERSIONS = ["3.11", "3.12", "3.13"];

/**
 * Creates two virtual environments in `.cache/`: the MCP server from `image/requirements.txt`, as in the image, and
 * moto from `scripts/emulation/requirements.txt`. Only wheels, each verified against its hash. They use about 650 MB on
 * disk. The first call takes one to two minutes, later calls a few milliseconds.
 *
 * @throws UserError when Python 3.11 to 3.13 with venv is not found, or an install fails.
 */
export async function ensurePython() {
  const [server, moto] = await Promise.all([
    ensureVenv("server", "the MCP server's Python packages", "image/requirements.txt"),
    ensureMoto(),
  ]);
  const serverPython = path.join(server, "bin/python");
  return {
    ...moto,
    /** Command line of the launcher (image/launcher) with the same packages, as in the image. */
    launcher: [serverPython, path.join(projectFolder, "image/launcher")],
    /** Interpreter with the server's packages. */
    serverPython,
  };
}

/** Installs only the emulated AWS. Returns its interpreter and the script `moto_server` for it. */
export async function ensureMoto() {
  const moto = await ensureVenv("moto", "moto (the emulated AWS)", "scripts/emulation/requirements.txt");
  return { motoServer: path.join(moto, "bin/moto_server"), motoPython: path.join(moto, "bin/python") };
}

/** Installs HolmesGPT (about 550 MB on disk). Returns its interpreter and the script of the CLI for it. */
export async function ensureHolmes() {
  const holmes = await ensureVenv("holmes", "HolmesGPT", "test/holmes/requirements.txt");
  return { holmesPython: path.join(holmes, "bin/python"), holmesCli: path.join(holmes, "bin/holmes") };
}

/**
 * Creates a virtual environment in `.cache/` with the packages of a requirements file with hashes. Its scripts contain
 * the path of their interpreter: if the folder can be moved, run them as arguments of `bin/python`.
 *
 * @param what description of the packages, for progress and errors
 * @param lockFile path relative to the project
 * @returns the folder of the environment
 * @throws UserError as {@link ensurePython}
 */
export async function ensureVenv(name: string, what: string, lockFile: string): Promise<string> {
  const file = path.join(projectFolder, lockFile);
  return installOnce({
    name: `python-${name}`,
    key: contentKey(await readFile(file)),
    what,
    // The link to the interpreter is broken if that Python has been removed.
    file: "bin/python",
    run: async (dir, onOutput) => {
      const python = await findPython();
      const ownPython = path.join(dir, "bin/python");
      const step = `${what}: creation of a virtual environment with ${python}`;
      await runStep(step, python, ["-m", "venv", "--without-pip", dir]);
      // As a step of its own, because venv hides the output of ensurepip, such as "No space left on device".
      await runStep(step, ownPython, ["-m", "ensurepip", "--default-pip"]);
      // Do not compile now. Python compiles the tenth of the files that are imported at the first start.
      const install = ["-m", "pip", "install", "--no-input", "--progress-bar=off", "--no-compile"];
      // The list is complete, so resolution is disabled. With a version range and a newer release in the index, the
      // resolver rejects the locked version because the newer one has no hash.
      const locked = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", file];
      await runStep(what, ownPython, [...install, ...locked], {
        advice: "it needs the Python package index (or pip configured for a mirror of it)",
        env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1" },
        onOutput,
      });
    },
  });
}

/**
 * Finds the first Python 3.11 to 3.13 on the PATH that can create virtual environments.
 *
 * @throws UserError when none is found.
 */
export async function findPython(): Promise<string> {
  const probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
  const missing: string[] = [];
  for (const command of [...VERSIONS.map((version) => `python${version}`), "python3", "python"]) {
    try {
      const { stdout } = await exec(command, ["-c", probe]);
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

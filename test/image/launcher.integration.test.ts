// Checks of the launcher with the packages of the image: ruff, mypy and the tests in image/launcher/tests.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { cacheDir } from "../../scripts/emulation/install.js";
import { ensurePython, ensureVenv } from "../../scripts/emulation/python.js";

const exec = promisify(execFile);
const cwd = path.join(projectFolder, "image/launcher");
let tools: string;
let serverPython: string;

beforeAll(async () => {
  const requirements = "image/launcher/requirements-dev.txt";
  tools = await ensureVenv("launcher", "the launcher's checks (ruff, mypy, pytest)", requirements);
  ({ serverPython } = await ensurePython());
});

/** Exit code and everything that was printed. */
const run = (command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
  exec(command, args, { cwd, env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...more } })
    .then(({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }))
    .catch((error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      text: error.stdout + error.stderr,
    }));
const passes = (text: RegExp) => ({ code: 0, text: expect.stringMatching(text) });

test("ruff accepts the code and its format", async () => {
  const ruff = path.join(tools, "bin/ruff");
  expect(await run(ruff, ["check", "--no-cache", "."])).toEqual(passes(/All checks passed/));
  expect(await run(ruff, ["format", "--no-cache", "--check", "."])).toEqual(passes(/already formatted/));
});

test("the lists of the emulation's packages are complete", async () => {
  const { motoPython } = await ensurePython();
  for (const python of [serverPython, motoPython]) {
    expect(await run(python, ["-m", "pip", "check"])).toEqual(passes(/No broken requirements/));
  }
});

test("mypy accepts the types, strictly", async () => {
  // pyproject.toml sets `strict`.
  const args = [`--cache-dir=${path.join(cacheDir, "mypy")}`, "--python-executable", serverPython];
  expect(await run(path.join(tools, "bin/mypy"), args)).toEqual(passes(/Success: no issues found/));
}, 300_000);

test("its tests pass", async () => {
  const { stdout: packages } = await exec(path.join(tools, "bin/python"), [
    "-c",
    "import sysconfig; print(sysconfig.get_path('purelib'))",
  ]);
  // Both environments have the same version of Python, so pytest can import the packages of the server.
  const paths = { PYTHONPATH: [cwd, packages.trim()].join(path.delimiter) };
  expect(await run(serverPython, ["-m", "pytest"], paths)).toEqual(passes(/\d{2,} passed/));
}, 300_000);

// Builds the one binary that is a whole Kubernetes control plane, and keeps it outside the repository.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch, homedir, platform, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Processes } from "../../scripts/common/processes.js";
import { type Progress, since } from "../../scripts/common/progress.js";

const SOURCE = fileURLToPath(new URL("controlplane/", import.meta.url));
const GO = { major: 1, minor: 26 };
const REPORT_EVERY_MS = 15_000;
const run = promisify(execFile);

/**
 * The control plane's binary, built from `test/cluster/controlplane/` when the cache has none for these sources.
 * The first build downloads 570 MB of Go modules and compiles for 7 minutes or more. Later calls return immediately.
 *
 * @param progress receives one line at a time, including the reason why no binary is available.
 * @returns the absolute path; `undefined` when Go 1.26 or newer is missing.
 * @throws Error with the end of Go's output when the build fails.
 */
export async function buildControlPlane(progress: Progress): Promise<string | undefined> {
  const directory = join(cacheRoot(), `controlplane-${sourceHash()}`);
  const binary = join(directory, "controlplane");
  if (existsSync(binary)) return binary;

  const missing = await missingGo();
  if (missing !== undefined) {
    progress(`no control plane: ${missing}`);
    return undefined;
  }
  const release = await lock(`${directory}.lock`, () => existsSync(binary), progress);
  try {
    if (!existsSync(binary)) await build(directory, progress);
  } finally {
    release();
  }
  return binary;
}

/** Kubernetes' version as go.mod pins it, such as `v1.37.2`. */
export function kubernetesVersion(): string {
  const version = /^\s*k8s\.io\/kubernetes (v\d+\.\d+\.\d+)$/m.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${SOURCE}go.mod: no line "k8s.io/kubernetes vX.Y.Z"`);
  return version;
}

function cacheRoot(): string {
  // An empty XDG_CACHE_HOME counts as unset.
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "holmes-aws-mcp");
}

function sourceHash(): string {
  const hash = createHash("sha256").update(`${platform()}/${arch()}\n`);
  for (const file of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(SOURCE, file)));
  return hash.digest("hex").slice(0, 16);
}

async function missingGo(): Promise<string | undefined> {
  const needed = `Go ${GO.major}.${GO.minor} or newer is needed to build it`;
  try {
    // Outside the module and without toolchain switching, or an old Go would download a new one unasked.
    const { stdout } = await run("go", ["env", "GOVERSION"], {
      cwd: tmpdir(),
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout.trim()) ?? [];
    const found = Number(major) * 1000 + Number(minor);
    if (found >= GO.major * 1000 + GO.minor) return undefined;
    return `${needed}, and \`go\` on the PATH is ${stdout.trim() || "of unknown version"}`;
  } catch {
    return `${needed}, and \`go\` is not on the PATH`;
  }
}

async function build(directory: string, progress: Progress): Promise<void> {
  const version = kubernetesVersion();
  const [major, minor] = version.slice(1).split(".");
  const stamp = `k8s.io/component-base/version`;
  const unfinished = `${directory}.building`;
  const env = { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local" };
  const processes = new Processes();
  const started = Date.now();
  progress(
    `building the control plane (Kubernetes ${version}), once: several minutes and about 4 GB of Go's build cache`,
  );
  try {
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const go = processes.start(
      "go build",
      "nice",
      [
        "go",
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-mod=readonly",
        // Without the stamp the server calls itself v0.0.0, and clients do not compare versions with it.
        `-ldflags=-s -w -X ${stamp}.gitVersion=${version} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`,
        "-v",
        `-o=${join(unfinished, "controlplane")}`,
        ".",
      ],
      { cwd: SOURCE, env },
    );
    const ended = new AbortController();
    const reports = report(ended.signal, () => {
      const last = go.output().trimEnd().split("\n").at(-1) ?? "";
      progress(`building the control plane: ${since(started)}${last === "" ? "" : `, at ${last}`}`);
    });
    const code = await go.exited;
    ended.abort();
    await reports;
    if (code !== 0) throw new Error(`go build of ${SOURCE} failed with code ${code}:\n${go.output()}`);
    // The folder appears complete or not at all.
    rmSync(directory, { recursive: true, force: true });
    renameSync(unfinished, directory);
    progress(`built the control plane in ${since(started)}: ${directory}`);
  } finally {
    await processes.stopAll();
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function report(signal: AbortSignal, line: () => void): Promise<void> {
  while (!signal.aborted) {
    await sleep(REPORT_EVERY_MS, undefined, { signal }).then(line, () => undefined);
  }
}

/**
 * Waits for the lock file, so that two test files do not compile the same binary at once. A lock whose owner has
 * ended is replaced.
 */
async function lock(file: string, done: () => boolean, progress: Progress): Promise<() => void> {
  mkdirSync(dirname(file), { recursive: true });
  const release = () => rmSync(file, { force: true });
  for (let waits = 0; ; waits++) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      process.once("exit", release);
      return () => {
        process.off("exit", release);
        release();
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (done()) return () => undefined;
    const owner = Number(readIfThere(file));
    if (owner > 0 && !isAlive(owner)) release();
    else if (waits % 30 === 0) progress(`waiting for process ${owner}, which is building the control plane (${file})`);
    await sleep(1_000);
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { Processes, type StartOptions, tail } from "../common/processes.js";
import { type Progress, since, toStderr } from "../common/progress.js";

/** Folder of the installs: `HOLMES_AWS_MCP_CACHE`, default `.cache` in the project. It can be deleted at any time. */
export const cacheDir = path.resolve(process.env.HOLMES_AWS_MCP_CACHE ?? path.join(projectFolder, ".cache"));

const HEARTBEAT = 2_000;
const STALE = 20_000;
const NEWS_EVERY = 10_000;

export interface Install {
  /** File name of the install, without the key. */
  name: string;
  /** Short hash of all inputs of the content. See `contentKey`. */
  key: string;
  /** Description for messages, such as "the MCP server's Python packages". */
  what: string;
  /** Path of a file that exists if the install is complete and still works. */
  file: string;
  /** Installs into an empty folder at its final path. `say` receives a short description of the progress. */
  run: (dir: string, say: (state: string) => void) => Promise<void>;
  /** Default: to standard error. */
  progress?: Progress;
  /** Default: `cacheDir`. */
  cache?: string;
}

/** First 16 hexadecimal characters of the SHA-256 of the parts. */
export function contentKey(...parts: (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/**
 * Returns the folder of an install and creates it if necessary.
 *
 * A virtual environment contains its own path, so it cannot be renamed. Every install gets a separate folder, and at
 * the end a rename puts the symbolic link `<name>-<key>` in place. An interrupted install therefore never looks
 * complete, and concurrent processes are safe without the lock, which only avoids duplicate work.
 *
 * @returns the path of the link.
 * @throws UserError when the install fails, with the last output.
 */
export async function installOnce(install: Install): Promise<string> {
  const { name, key, what, file, run, progress = toStderr, cache = cacheDir } = install;
  const link = path.join(cache, `${name}-${key}`);
  const ready = () => existsSync(path.join(link, file));
  if (ready()) return link;

  await mkdir(cache, { recursive: true }).catch((error: Error) => {
    throw new UserError(
      `${cache}: the folder cannot be created (${error.message}). Set HOLMES_AWS_MCP_CACHE to a folder that you can write to.`,
    );
  });
  const release = await lock(`${link}.lock`, what, progress);
  const dir = path.join(cache, `.${name}-${key}.${process.pid}.${randomBytes(4).toString("hex")}`);
  const start = Date.now();
  let state = "";
  const news = setInterval(() => progress(`  ${what}: ${state}${since(start)}`), NEWS_EVERY);
  try {
    if (ready()) return link;
    await removeInterrupted(cache, `.${name}-${key}.`);
    progress(`Installing ${what} into ${path.relative(projectFolder, cache) || "."}/ (once)`);
    await mkdir(dir);
    await run(dir, (now) => {
      state = `${now}, `;
    });
    await symlink(path.basename(dir), `${dir}.link`);
    await rename(`${dir}.link`, link);
    progress(`Installed ${what} in ${since(start)}`);
    // Only now, so that a failed install does not cost a working one. Several projects can share the folder of the variable.
    if (process.env.HOLMES_AWS_MCP_CACHE === undefined) await removeOtherKeys(cache, name, key);
    return link;
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  } finally {
    clearInterval(news);
    await release();
  }
}

/** Removes folders of interrupted installs, whose process has ended. Called when no valid link exists. */
async function removeInterrupted(cache: string, prefix: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (entry.startsWith(prefix) && !isRunning(Number.parseInt(entry.slice(prefix.length), 10))) {
      await rm(path.join(cache, entry), { recursive: true, force: true });
    }
  }
}

/** Removes installs of earlier inputs, such as an earlier requirements file. */
async function removeOtherKeys(cache: string, name: string, key: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    const [, itsName, itsKey] = /^\.?(.+)-([0-9a-f]{16})(?:\.|$)/.exec(entry) ?? [];
    if (itsName === name && itsKey !== key) await rm(path.join(cache, entry), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Acquires a lock file. The holder touches it regularly, so that a lock is recognized as stale when its holder has
 * ended or another process has its pid.
 *
 * @returns a function that releases the lock.
 */
async function lock(file: string, what: string, progress: Progress): Promise<() => Promise<void>> {
  const start = Date.now();
  for (let told = 0; !(await created(file)); await sleep(200)) {
    const holder = await readFile(file, "utf8").then(Number, () => 0);
    const touched = await stat(file).then(({ mtimeMs }) => mtimeMs, Date.now);
    // An empty file is a lock that is being created. Only its age can make it stale.
    if (Date.now() - touched > STALE || (holder > 0 && !isRunning(holder))) {
      await rm(file, { force: true });
    } else if (Date.now() - told >= NEWS_EVERY) {
      told = Date.now();
      progress(`Waiting for process ${holder}, which is installing ${what} (${since(start)})`);
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, HEARTBEAT);
  beat.unref();
  return async () => {
    clearInterval(beat);
    await rm(file, { force: true });
  };
}

/** Creates a file with the pid of this process. Returns false if the file exists. */
const created = (file: string): Promise<boolean> =>
  writeFile(file, String(process.pid), { flag: "wx" }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      return false;
    },
  );

/** Finds a cause on this machine, such as a full disk, in the output of pip or npm. */
function localReason(output: string): string | undefined {
  if (/No space left on device|ENOSPC/.test(output)) return "the disk is full. Free some space";
  const denied =
    /(?:Read-only file system|Permission denied|EROFS|EACCES|error writing to the directory)[^\n]*?['"]?(\/[^\s'"]+)/;
  const [, file] = denied.exec(output) ?? [];
  if (file === undefined) return undefined;
  return `${file} cannot be written. Make it writable, or set HOME and HOLMES_AWS_MCP_CACHE to folders that you can write to`;
}

/**
 * Runs one step of an install to its end.
 *
 * @throws UserError with the last output when the step fails.
 */
export async function runStep(
  name: string,
  command: string,
  args: string[],
  { advice, ...options }: StartOptions & { advice?: string } = {},
): Promise<void> {
  const child = new Processes().start(name, command, args, options);
  const code = await child.exited;
  if (code === 0) return;
  const reason = localReason(child.output()) ?? advice;
  throw new UserError(`${name} failed (exit code ${code})${reason ? `: ${reason}` : ""}${tail(child)}`);
}

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, symlink, utimes } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UserError } from "../common/errors.js";
import { Processes, type StartOptions, tail } from "../common/processes.js";
import { type Progress, since } from "../common/progress.js";

/** The project's folder. */
export const projectDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
/** Where installs go: `HOLMES_AWS_MCP_CACHE`, default `.cache` in the project. It can be deleted at any time. */
export const cacheDir = path.resolve(process.env.HOLMES_AWS_MCP_CACHE ?? path.join(projectDir, ".cache"));

const HEARTBEAT = 2_000;
const STALE = 20_000;
const NEWS_EVERY = 10_000;

export interface Install {
  /** File name for it, without the key. */
  name: string;
  /** Short hash of everything that decides the content: see `contentKey`. */
  key: string;
  /** What people read: "the MCP server's Python packages". */
  what: string;
  /** Whether a finished install still works here, looked at each time: cheap. */
  intact: (dir: string) => boolean;
  /** Does the work in an empty folder at its final path; `say` takes the state of the work in few words. */
  run: (dir: string, say: (state: string) => void) => Promise<void>;
  progress: Progress;
  /** Default: `.cache` of the project. */
  cache?: string;
}

/** First 16 hexadecimal characters of the SHA-256 over the parts. */
export function contentKey(...parts: (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/**
 * Gives the folder of an install, and makes it when it is not there.
 *
 * A virtual environment has its own path written into it and so cannot be renamed into place: every install goes to a
 * folder of its own, and a symbolic link `<name>-<key>` to it is put in place at the end, by rename. What was
 * interrupted therefore never looks finished, and two processes at once are right even without the lock, which only
 * saves the second one the work.
 *
 * @returns the link's path.
 * @throws UserError when the install fails, with the last words of what failed.
 */
export async function installOnce(install: Install): Promise<string> {
  const { name, key, what, intact, run, progress, cache = cacheDir } = install;
  const link = path.join(cache, `${name}-${key}`);
  const ready = () => existsSync(link) && intact(link);
  if (ready()) return link;

  await mkdir(cache, { recursive: true }).catch((error: Error) => {
    throw new UserError(`${cache}: ${error.message}. Set HOLMES_AWS_MCP_CACHE to a folder that can be written.`);
  });
  const release = await lock(`${link}.lock`, ready, (holder, start) =>
    progress(`Waiting for process ${holder}, which is installing ${what} (${since(start)})`),
  );
  if (release === undefined) return link;
  const dir = path.join(cache, `.${name}-${key}.${process.pid}.${randomBytes(4).toString("hex")}`);
  const start = Date.now();
  let state = "";
  const news = setInterval(() => progress(`  ${what}: ${state === "" ? "" : `${state}, `}${since(start)}`), NEWS_EVERY);
  try {
    if (ready()) return link;
    await removeLeftovers(cache, `.${name}-${key}.`);
    progress(`Installing ${what} into ${path.relative(projectDir, cache) || "."}/ (once)`);
    await mkdir(dir);
    await run(dir, (now) => {
      state = now;
    });
    await symlink(path.basename(dir), `${dir}.link`);
    await rename(`${dir}.link`, link);
    progress(`Installed ${what} in ${since(start)}`);
    return link;
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  } finally {
    clearInterval(news);
    await release();
  }
}

/** What interrupted installs left: folders whose process is gone. Called when no link leads to a good one. */
async function removeLeftovers(cache: string, prefix: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (entry.startsWith(prefix) && !isRunning(Number.parseInt(entry.slice(prefix.length), 10))) {
      await rm(path.join(cache, entry), { recursive: true, force: true });
    }
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
 * Takes a lock file; its holder touches it, so that a lock whose holder was ended (or whose pid has gone to another
 * process) is seen to be stale.
 *
 * @returns how to give it back, or undefined when `ready` came true while waiting.
 */
async function lock(
  file: string,
  ready: () => boolean,
  waiting: (holder: number, start: number) => void,
): Promise<(() => Promise<void>) | undefined> {
  const start = Date.now();
  let told = 0;
  for (;;) {
    try {
      const handle = await open(file, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
      const beat = setInterval(() => {
        const now = new Date();
        utimes(file, now, now).catch(() => {});
      }, HEARTBEAT);
      beat.unref();
      return async () => {
        clearInterval(beat);
        await rm(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (ready()) return undefined;
    const [holder, age] = await Promise.all([
      readFile(file, "utf8").then(Number, () => 0),
      stat(file).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      ),
    ]);
    // An empty file is a lock in the making: only its age can make it stale.
    if (age > STALE || (holder > 0 && !isRunning(holder))) {
      await rm(file, { force: true });
      continue;
    }
    if (Date.now() - told >= NEWS_EVERY) {
      told = Date.now();
      waiting(holder, start);
    }
    await sleep(200);
  }
}

/** A cause on this machine that pip and npm report somewhere in their output. */
function localReason(output: string): string | undefined {
  if (/No space left on device|ENOSPC/.test(output)) return "the disk is full. Free some space";
  const path = /(?:Read-only file system|Permission denied|EROFS|EACCES)[^\n]*?['"]?(\/[^\s'"]+)/.exec(output)?.[1];
  return path === undefined
    ? undefined
    : `${path} cannot be written. Make it writable, or set HOME and HOLMES_AWS_MCP_CACHE to folders that are`;
}

/**
 * Runs one step of an install to its end.
 *
 * @throws UserError with the tail of its output when it fails.
 */
export async function runStep(
  name: string,
  command: string,
  args: string[],
  { advice, ...options }: StartOptions & { advice?: string } = {},
): Promise<void> {
  const processes = new Processes();
  const child = processes.start(name, command, args, options);
  const code = await child.exited;
  if (code !== 0) {
    const reason = localReason(child.output());
    throw new UserError(
      `${name} failed (exit code ${code})${(reason ?? advice) ? `: ${reason ?? advice}` : ""}${tail(child)}`,
    );
  }
}

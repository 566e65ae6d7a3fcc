import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { Processes, type StartOptions, tail } from "../common/processes.js";
import { since, toStderr } from "../common/progress.js";
import { clip } from "../common/terminal.js";

/** Folder of the installs: `HOLMES_AWS_MCP_CACHE`, default `.cache` in the project. It can be deleted at any time. */
export const cacheDir = path.resolve(process.env.HOLMES_AWS_MCP_CACHE ?? path.join(projectFolder, ".cache"));

/** Time between two messages about the progress, in milliseconds. */
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
  /** Installs into an empty folder at its final path. `onOutput` receives output, whose last line shows the progress. */
  run: (dir: string, onOutput: (text: string) => void) => Promise<void>;
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
 * complete, and of concurrent installs the first one is used.
 *
 * @returns the path of the link.
 * @throws UserError when the install fails, with the last output.
 */
export async function installOnce(install: Install): Promise<string> {
  const { name, key, what, file, run, cache = cacheDir } = install;
  const link = path.join(cache, `${name}-${key}`);
  const isReady = () => existsSync(path.join(link, file));
  if (isReady()) return link;

  const prefix = `.${name}-${key}.`;
  const dir = path.join(cache, `${prefix}${process.pid}.${randomBytes(4).toString("hex")}`);
  await mkdir(dir, { recursive: true }).catch((error: Error) => {
    throw new UserError(
      `${cache}: the folder cannot be created (${error.message}). Set HOLMES_AWS_MCP_CACHE to a folder that you can write to.`,
    );
  });
  toStderr(`Installing ${what} into ${cache} (once)`);
  const start = Date.now();
  let last = "";
  const news = setInterval(() => toStderr(`  ${what}, ${since(start)}${last}`), NEWS_EVERY);
  let isUsed = false;
  try {
    // Before the install, because they can fill the disk.
    await removeEntries(cache, (entry) => {
      const isInterrupted = entry.startsWith(prefix) && hasEnded(Number.parseInt(entry.slice(prefix.length), 10));
      // If its process has ended and the link is not ready, no link will ever point to the folder.
      return isInterrupted && !isReady();
    });
    await run(dir, (text) => {
      last = `: ${clip(text.trim().split("\n").at(-1)!, 80)}`;
    });
    if (!isReady()) {
      await symlink(path.basename(dir), `${dir}.link`);
      await rename(`${dir}.link`, link);
      isUsed = true;
    }
  } catch (error) {
    if (!isReady()) throw error;
  } finally {
    clearInterval(news);
    // Another process has installed it in the meantime, or the install has failed.
    if (!isUsed) await rm(dir, { recursive: true, force: true });
  }
  toStderr(`Installed ${what} in ${since(start)}`);
  // Several projects can share the folder of the variable.
  if (isUsed && process.env.HOLMES_AWS_MCP_CACHE === undefined) {
    // Installs of earlier inputs. Only now, so that a failed install does not cost a working one.
    await removeEntries(cache, (entry) => {
      const [, itsName, itsKey] = /^\.?(.+)-([0-9a-f]{16})(?:\.|$)/.exec(entry) ?? [];
      return itsName === name && itsKey !== key;
    });
  }
  return link;
}

/** Removes entries of a folder. Those that cannot be removed stay, for example those of another user. */
async function removeEntries(folder: string, isObsolete: (entry: string) => boolean): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (isObsolete(entry)) await rm(path.join(folder, entry), { recursive: true, force: true }).catch(() => {});
  }
}

function hasEnded(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch (error) {
    // EPERM: a process of another user.
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

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

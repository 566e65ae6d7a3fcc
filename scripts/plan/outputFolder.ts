/** The folder of `plan --out`: it replaces the files of an earlier plan and never touches anything else. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { UserError } from "../common/errors.js";

/** Lists the files of the plan in the folder, one a line. Only what it lists is ever replaced or deleted. */
export const marker = ".holmes-aws-mcp-plan";
const heading = "# Files that `npm run plan -- --out` wrote here. It replaces and deletes these, and nothing else.";

/**
 * Writes all files or none. Files of an earlier plan that the new one no longer has are deleted.
 *
 * @param out absolute, or relative to the working directory
 * @param projectFolder never written to directly, nor are its parents
 * @param files content by path relative to the folder
 * @throws UserError when the folder cannot be used; nothing is changed then
 */
export function writeFiles(out: string, projectFolder: string, files: ReadonlyMap<string, string>): void {
  const folder = resolve(out);
  const created: string[] = [];
  let staging: string | undefined;
  try {
    createFolder(folder, created);
    if (!/^\.\.(\/|$)/.test(relative(realpathSync(folder), realpathSync(projectFolder)))) {
      throw new Error("this is the project's folder or one of its parents");
    }
    const earlier = earlierFiles(folder);
    for (const path of files.keys()) checkTarget(folder, path, earlier);

    staging = mkdtempSync(join(folder, `${marker}.`));
    // The marker is first, so that it lists every file of the plan after an interruption too.
    const all = new Map([[marker, `${heading}\n${[...files.keys()].sort().join("\n")}\n`], ...files]);
    for (const [path, content] of all) {
      mkdirSync(join(staging, dirname(path)), { recursive: true });
      writeFileSync(join(staging, path), content);
    }
    for (const path of earlier) if (!files.has(path)) deleteFile(folder, path);
    for (const path of all.keys()) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      renameSync(join(staging, path), join(folder, path));
    }
    rmSync(staging, { recursive: true });
  } catch (error) {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
    created.reverse().forEach(removeIfEmpty);
    throw new UserError(
      `--out ${JSON.stringify(out)}: ${(error as Error).message}. Nothing was written. Specify a new or an empty folder, or move the files that are not from an earlier plan.`,
    );
  }
}

/**
 * Creates what is missing of the path, one folder at a time: a recursive mkdir does not return below /proc.
 *
 * @param created receives the folders that were created
 */
function createFolder(folder: string, created: string[]): void {
  if (existsSync(folder)) return;
  createFolder(dirname(folder), created);
  mkdirSync(folder);
  created.push(folder);
}

/** Files in the folder that its marker lists. Links are not followed. */
function earlierFiles(folder: string): Set<string> {
  const names = readdirSync(folder);
  if (names.length === 0) return new Set();
  if (!names.includes(marker)) {
    throw new Error(`the folder has other content (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`);
  }
  const listed = readFileSync(join(folder, marker), "utf8").split("\n");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
  return new Set(paths.filter((path) => listed.includes(path)));
}

/** A plan's file may replace one of an earlier plan, in folders that are not links. */
function checkTarget(folder: string, path: string, earlier: ReadonlySet<string>): void {
  const statOf = (name: string) => lstatSync(join(folder, name), { throwIfNoEntry: false });
  const link = parentsOf(path).find((parent) => statOf(parent)?.isDirectory() === false);
  if (link !== undefined) throw new Error(`${link} is not a folder`);
  if (statOf(path) !== undefined && !earlier.has(path)) {
    throw new Error(`${path} exists and is not a file of an earlier plan`);
  }
}

/** `a/b/c` gives `a/b`, `a`. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [parent, ...parentsOf(parent)];
}

function deleteFile(folder: string, path: string): void {
  rmSync(join(folder, path));
  for (const parent of parentsOf(path)) removeIfEmpty(join(folder, parent));
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {}
}

/** The folder of `plan --out`: it replaces the files of an earlier plan and never touches anything else. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
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
 * Deletes the files of an earlier plan and writes the new ones.
 *
 * @param out absolute, or relative to the working directory
 * @param projectFolder never written to directly, nor are its parents
 * @param files content by path relative to the folder
 * @throws UserError when the folder cannot be used; nothing is changed then. Or when a file cannot be written.
 */
export function writeFiles(out: string, projectFolder: string, files: ReadonlyMap<string, string>): void {
  const folder = resolve(out);
  const created: string[] = [];
  let hint = "Specify a new or an empty folder, or move the files that are not from an earlier plan.";
  try {
    createFolder(folder, created);
    if (!/^\.\.(\/|$)/.test(relative(realpathSync(folder), realpathSync(projectFolder)))) {
      throw new Error("this is the project's folder or one of its parents");
    }
    const earlier = earlierFiles(folder, [...files.keys()]);
    if (created.length === 0)
      hint = "The plan in the folder can be incomplete. Fix the cause and run the command again.";
    for (const path of earlier) deleteFile(folder, path);
    // The marker is first, so that it lists every file of the plan after an interruption too.
    const all = new Map([[marker, `${heading}\n${[...files.keys()].sort().join("\n")}\n`], ...files]);
    for (const [path, content] of all) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      // Never through a link or over a file that appeared in the meantime.
      writeFileSync(join(folder, path), content, { flag: "wx" });
    }
  } catch (error) {
    if (created[0] !== undefined) rmSync(created[0], { recursive: true });
    throw new UserError(`--out ${JSON.stringify(out)}: ${(error as Error).message}. ${hint}`);
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

/**
 * Returns the marker and the files that it lists, in the order in which to delete them. Links are not followed.
 *
 * @throws Error when the folder has no marker, or other content at the path of a new file
 */
function earlierFiles(folder: string, newPaths: readonly string[]): string[] {
  const names = readdirSync(folder);
  if (names.length === 0) return [];
  if (!names.includes(marker)) {
    throw new Error(`the folder has other content (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`);
  }
  const listed = new Set(readFileSync(join(folder, marker), "utf8").split("\n"));
  const planned = new Set(newPaths);
  const earlier: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name));
    if (path === marker) continue;
    if (entry.isFile() && listed.has(path)) {
      earlier.push(path);
      continue;
    }
    const isParent = !entry.isDirectory() && newPaths.some((one) => one.startsWith(`${path}/`));
    if (isParent || planned.has(path)) throw new Error(`${path} exists and is not a file of an earlier plan`);
  }
  // The marker is last, so that it lists what is left after an interruption.
  return [...earlier, marker];
}

/** Deletes a file, or a link itself, and its folders that are empty then. */
function deleteFile(folder: string, path: string): void {
  rmSync(join(folder, path));
  try {
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) rmdirSync(join(folder, parent));
  } catch {
    // The folder has other content.
  }
}

/** The folder of `plan --out`: it replaces the files of an earlier plan and never touches anything else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
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
 * @throws UserError when the folder cannot be used
 */
export function writeFiles(out: string, projectFolder: string, files: ReadonlyMap<string, string>): void {
  const folder = resolve(out);
  const created: string[] = [];
  try {
    createFolder(folder, created);
    if (!/^\.\.(\/|$)/.test(relative(realpathSync(folder), realpathSync(projectFolder)))) {
      throw new Error("this is the project's folder or one of its parents");
    }
    deleteEarlierFiles(folder, [...files.keys()]);
    // The marker is first, so that it lists every file of the plan after an interruption too.
    const all = new Map([[marker, `${heading}\n${[...files.keys()].sort().join("\n")}\n`], ...files]);
    for (const [path, content] of all) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
  } catch (error) {
    if (created[0] !== undefined) rmSync(created[0], { recursive: true });
    throw new UserError(
      `--out ${JSON.stringify(out)}: ${(error as Error).message}. Specify a new or an empty folder, or move the files that are not from an earlier plan.`,
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

/**
 * Deletes the files that the marker lists. Links are not followed.
 *
 * @throws Error, before it deletes a file, when the folder has no marker, or other content at the path of a new file
 */
function deleteEarlierFiles(folder: string, newPaths: readonly string[]): void {
  const names = readdirSync(folder);
  if (names.length === 0) return;
  if (!names.includes(marker)) {
    throw new Error(`the folder has other content (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`);
  }
  const listed = readFileSync(join(folder, marker), "utf8").split("\n");
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => ({ path: relative(folder, join(entry.parentPath, entry.name)), isFile: entry.isFile() }));
  const isEarlier = ({ path, isFile }: (typeof entries)[number]) => isFile && listed.includes(path);
  const others = entries.filter((entry) => !isEarlier(entry));
  const conflict = others.find(({ path }) => newPaths.some((one) => one === path || one.startsWith(`${path}/`)));
  if (conflict !== undefined) throw new Error(`${conflict.path} exists and is not a file of an earlier plan`);
  for (const { path } of entries.filter(isEarlier)) rmSync(join(folder, path));
  // Otherwise a link in its place would be followed.
  rmSync(join(folder, marker));
}

/** The folder of `plan --out`: it replaces the files of an earlier plan and never touches anything else. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, normalize, relative, resolve, sep } from "node:path";
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
  if (out.trim() === "") throw refusal(out, "the path is empty", "Name a new or an empty folder, such as plan-out");
  const created: string[] = [];
  let staging: string | undefined;
  try {
    const folder = resolve(out);
    createFolder(folder, out, created);
    const inside = relative(realpathSync(folder), realpathSync(projectFolder));
    if (inside !== ".." && !inside.startsWith(`..${sep}`)) {
      throw refusal(
        out,
        "this is the project's folder or one of its parents",
        "Name a folder of its own, such as plan-out",
      );
    }
    const earlier = earlierFiles(folder, out);
    for (const path of files.keys()) checkTarget(folder, path, earlier, out);

    staging = mkdtempSync(join(folder, `${marker}.`));
    const staged = [...files].map(([path, content], index) => {
      const file = join(staging!, String(index));
      writeFileSync(file, content);
      return { path, file };
    });
    // The marker lists old and new files before the first is moved, so that an interruption loses none of them.
    writeMarker(folder, staging, new Set([...earlier, ...files.keys()]));
    for (const { path, file } of staged) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      renameSync(file, join(folder, path));
    }
    for (const path of earlier) if (!files.has(path)) deleteFile(folder, path);
    writeMarker(folder, staging, new Set(files.keys()));
    rmSync(staging, { recursive: true });
  } catch (error) {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
    // rmdir deletes empty folders only.
    for (const path of created.reverse()) ignoreErrors(() => rmdirSync(path));
    throw error instanceof UserError
      ? error
      : refusal(out, (error as Error).message, "Name a new or an empty folder that can be written");
  }
}

const refusal = (out: string, problem: string, remedy: string) =>
  new UserError(`--out ${JSON.stringify(out)}: ${problem}. Nothing was written. ${remedy}.`);

function ignoreErrors(action: () => void): void {
  try {
    action();
  } catch {}
}

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/**
 * Creates what is missing of the path, one folder at a time: a recursive mkdir does not return below /proc.
 *
 * @param created receives the folders that were created
 */
function createFolder(folder: string, out: string, created: string[]): void {
  const missing: string[] = [];
  let path = folder;
  for (; statOf(path) === undefined; path = dirname(path)) missing.unshift(path);
  if (!lstatSync(realpathSync(path)).isDirectory()) {
    throw refusal(out, `${path} is not a folder`, "Name a new or an empty folder");
  }
  for (const next of missing) {
    mkdirSync(next);
    created.push(next);
  }
}

/** Files that an earlier plan wrote to the folder. */
function earlierFiles(folder: string, out: string): Set<string> {
  const entries = readdirSync(folder);
  if (entries.length === 0) return new Set();
  if (!entries.includes(marker)) {
    throw refusal(
      out,
      `the folder has other content (${entries.slice(0, 3).join(", ")}${entries.length > 3 ? ", …" : ""})`,
      "Name a new or an empty folder, or one that an earlier plan was written to",
    );
  }
  const paths = readFileSync(join(folder, marker), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const wrong = paths.find((path) => path !== normalize(path) || path.startsWith("..") || path.startsWith(sep));
  if (wrong !== undefined) {
    throw refusal(out, `${marker} lists ${JSON.stringify(wrong)}, which no plan writes`, "Name a new folder");
  }
  return new Set(paths);
}

/** A plan's file may replace one of an earlier plan, in folders that are no links to elsewhere. */
function checkTarget(folder: string, path: string, earlier: ReadonlySet<string>, out: string): void {
  const stat = statOf(join(folder, path));
  if (stat !== undefined && (!stat.isFile() || !earlier.has(path))) {
    throw refusal(out, `${path} exists and is not a file of an earlier plan`, "Move it away, or name another folder");
  }
  const link = parentsOf(path).find((parent) => statOf(join(folder, parent))?.isDirectory() === false);
  if (link !== undefined) throw refusal(out, `${link} is not a folder`, "Move it away, or name another folder");
}

/** `a/b/c` gives `a/b`, `a`. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [parent, ...parentsOf(parent)];
}

function deleteFile(folder: string, path: string): void {
  const parents = parentsOf(path);
  if (parents.some((parent) => !statOf(join(folder, parent))?.isDirectory())) return;
  if (statOf(join(folder, path))?.isFile()) rmSync(join(folder, path));
  for (const parent of parents) ignoreErrors(() => rmdirSync(join(folder, parent)));
}

function writeMarker(folder: string, staging: string, paths: ReadonlySet<string>): void {
  const file = join(staging, marker);
  writeFileSync(file, `${heading}\n${[...paths].sort().join("\n")}\n`);
  renameSync(file, join(folder, basename(file)));
}

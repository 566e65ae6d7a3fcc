import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { marker, writeFiles } from "../../../scripts/plan/outputFolder.js";

let place: string;
let project: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "plan-out-"));
  project = join(place, "parent/project");
  mkdirSync(join(project, ".git"), { recursive: true });
  writeFileSync(join(project, "index.ts"), "");
});
afterEach(() => rmSync(place, { recursive: true }));

const plan = new Map([
  ["plan.json", "{}\n"],
  ["accounts/dev/policy.json", "[]\n"],
]);
const write = (folder: string, files: ReadonlyMap<string, string> = plan) => writeFiles(folder, project, files);
/** Every file below a folder with its content, links not followed. */
const tree = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]),
  );
const refused = (folder: string, message: RegExp, files?: ReadonlyMap<string, string>) => {
  const before = readdirSync(place, { recursive: true });
  expect(() => write(folder, files)).toThrow(message);
  expect(() => write(folder, files)).toThrow(
    "Specify a new or an empty folder, or move the files that are not from an earlier plan.",
  );
  expect(readdirSync(place, { recursive: true })).toEqual(before);
};

test("a new folder, below other new ones", () => {
  write(join(place, "a/b/c"));
  expect(tree(join(place, "a/b/c"))).toEqual({ ...Object.fromEntries(plan), [marker]: expect.any(String) });
});

test("an empty folder", () => {
  mkdirSync(join(place, "empty"));
  write(join(place, "empty/"));
  expect(Object.keys(tree(join(place, "empty")))).toEqual([marker, "accounts/dev/policy.json", "plan.json"]);
});

test("a second plan replaces the first and keeps other files", () => {
  const folder = join(place, "out");
  write(folder);
  writeFileSync(join(folder, "notes.md"), "mine");
  mkdirSync(join(folder, "accounts/mine"));
  write(folder, new Map([["plan.json", "new"]]));
  expect(tree(folder)).toEqual({
    "plan.json": "new",
    "notes.md": "mine",
    [marker]: expect.stringMatching(/plan\.json\n$/),
  });
  expect(existsSync(join(folder, "accounts/dev"))).toBe(false);
  expect(existsSync(join(folder, "accounts/mine"))).toBe(true);
});

test("a folder with other content, even with a plan.json", () => {
  const folder = join(place, "terraform");
  mkdirSync(folder);
  writeFileSync(join(folder, "main.tf"), "");
  writeFileSync(join(folder, "plan.json"), "");
  refused(folder, /other content \(main\.tf, plan\.json\)/);
});

test.each([
  ["the project's folder", "parent/project"],
  ["a parent of the project", "parent"],
  ["a parent two levels above", "."],
  ["a link to the project", "link"],
])("%s, also with a marker", (_, path) => {
  symlinkSync(project, join(place, "link"));
  writeFileSync(join(place, path, marker), "index.ts\n");
  refused(join(place, path), /project's folder or one of its parents/);
  expect(existsSync(join(project, "index.ts"))).toBe(true);
});

test.each([
  ["a path below /proc", "/proc/x", /ENOENT|no such file/],
  ["a path two levels below /proc", "/proc/x/y", /ENOENT|no such file/],
  ["a path below a device", "/dev/null/x", /ENOTDIR/],
])("%s", (_, path, message) => refused(path, message));

test("a file, a path below a file, a dangling link", () => {
  writeFileSync(join(place, "file"), "");
  symlinkSync(join(place, "nowhere"), join(place, "dangling"));
  refused(join(place, "file"), /ENOTDIR: not a directory/);
  refused(join(place, "file/below"), /ENOTDIR: not a directory/);
  refused(join(place, "dangling"), /EEXIST: file already exists/);
});

test("a file that no earlier plan wrote is not replaced", () => {
  const folder = join(place, "out");
  write(folder, new Map([["plan.json", "1"]]));
  mkdirSync(join(folder, "accounts/dev"), { recursive: true });
  writeFileSync(join(folder, "accounts/dev/policy.json"), "mine");
  refused(folder, /accounts\/dev\/policy\.json exists and is not a file of an earlier plan/);
  expect(readFileSync(join(folder, "plan.json"), "utf8")).toBe("1");
});

test("a file of an earlier plan that is now a folder or a link is not replaced, and nothing is deleted", () => {
  const folder = join(place, "out");
  write(folder);
  rmSync(join(folder, "plan.json"));
  mkdirSync(join(folder, "plan.json"));
  writeFileSync(join(folder, "plan.json/mine"), "mine");
  const before = tree(folder);
  refused(folder, /plan\.json exists and is not a file of an earlier plan/);
  expect(tree(folder)).toEqual(before);
  rmSync(join(folder, "plan.json"), { recursive: true });
  writeFileSync(join(place, "victim"), "mine");
  symlinkSync(join(place, "victim"), join(folder, "plan.json"));
  refused(folder, /plan\.json exists and is not a file of an earlier plan/);
  expect(tree(folder)).toEqual({ ...before, "plan.json": "mine", "plan.json/mine": undefined });
});

test("a link in place of the marker is replaced, and its target stays", () => {
  const folder = join(place, "out");
  write(folder);
  cpSync(join(folder, marker), join(place, "victim"));
  rmSync(join(folder, marker));
  symlinkSync(join(place, "victim"), join(folder, marker));
  write(folder, new Map([["plan.json", "2"]]));
  expect(Object.keys(tree(folder))).toEqual([marker, "plan.json"]);
  expect(readFileSync(join(place, "victim"), "utf8")).toContain("accounts/dev/policy.json");
});

test("a plan that cannot be written completely: the message says so, other files stay, and the next plan is complete", () => {
  const folder = join(place, "out");
  write(folder);
  writeFileSync(join(folder, "accounts/dev/mine"), "mine");
  // No file system accepts this name.
  const failing = new Map([...plan, [`accounts/${"x".repeat(300)}`, ""]]);
  expect(() => write(folder, failing)).toThrow(
    /ENAMETOOLONG.*\. The plan in the folder can be incomplete\. Fix the cause and run the command again\.$/,
  );
  write(folder);
  expect(tree(folder)).toEqual({
    ...Object.fromEntries(plan),
    "accounts/dev/mine": "mine",
    [marker]: expect.any(String),
  });
});

test("files behind links in the folder are not replaced or deleted", () => {
  const folder = join(place, "out");
  write(folder);
  const elsewhere = join(place, "elsewhere");
  cpSync(join(folder, "accounts"), elsewhere, { recursive: true });
  rmSync(join(folder, "accounts"), { recursive: true });
  symlinkSync(elsewhere, join(folder, "accounts"));
  refused(folder, /accounts exists and is not a file of an earlier plan/);
  write(folder, new Map([["plan.json", "2"]]));
  expect(tree(elsewhere)).toEqual({ "dev/policy.json": "[]\n" });
});

test.each(["../victim", "/etc/passwd", "a/../../victim", "..", "accounts", "own/victim"])(
  "a marker that lists %s: nothing outside the folder, no folder and nothing behind a link is deleted",
  (path) => {
    const folder = join(place, "out");
    write(folder);
    writeFileSync(join(place, "victim"), "");
    symlinkSync(place, join(folder, "own"));
    writeFileSync(join(folder, marker), `${path}\nplan.json\n`);
    write(folder, new Map([["plan.json", "2"]]));
    expect(existsSync(join(place, "victim"))).toBe(true);
    expect(readFileSync(join(folder, "accounts/dev/policy.json"), "utf8")).toBe("[]\n");
  },
);

test("folders that were created for a plan that cannot be written are deleted", () => {
  refused(join(place, "new/folder"), /ENAMETOOLONG/, new Map([["x".repeat(300), ""]]));
});

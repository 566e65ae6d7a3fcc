/** The command line of every npm command. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectFolder } from "../../../scripts/common/command.js";

const npm = (args: string, cwd = projectFolder) => {
  const { stdout, stderr, status } = spawnSync("bash", ["-o", "pipefail", "-c", `npm run --silent ${args}`], {
    cwd,
    encoding: "utf8",
  });
  return { stdout, stderr, status };
};

test.each(["plan", "rehearse", "ask", "doctor", "verify", "convert", "docs"])(
  "npm run %s -- --help shows usage, options, an example and the exit codes",
  (name) => {
    const { stdout, stderr, status } = npm(`${name} -- --help`);
    for (const part of [`Usage: npm run ${name} -- `, "Options:", "Examples:", "Exit codes:\n  0  "]) {
      expect(stdout).toContain(part);
    }
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  },
);

test("a surplus argument is an error", () => {
  const { stdout, stderr, status } = npm("plan -- surplus");
  expect(stderr).toContain('unexpected argument "surplus". npm passes options on only after "--"');
  expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
});

test.each([
  ["plan --stack prod", "--stack", "npm run plan -- --stack prod"],
  ["plan --stack=prod", "--stack", "npm run plan -- --stack prod"],
  ["plan --stack=prod --out x", "--stack, --out", "npm run plan -- --stack prod --out x"],
  ["plan --json", "--json", "npm run plan -- --json"],
  ["convert a.yaml --stack prod", "--stack", "npm run convert -- --stack <name>"],
])("%s reports the missing --", (args, taken, remedy) => {
  const { stdout, stderr, status } = npm(args);
  expect(stderr).toContain(`npm took ${taken} for itself. Put "--" before the options: ${remedy}\n`);
  expect(status).toBe(1);
  // npm with --json reports the exit code of a script as JSON of its own.
  if (taken === "--json") expect(JSON.parse(stdout)).toEqual({ error: expect.objectContaining({ code: 1 }) });
  else expect(stdout).toBe("");
});

test("plan | head ends without an error", () => {
  const { stdout, stderr, status } = npm("plan -- --json | head -n 1");
  expect({ stdout, stderr, status }).toEqual({ stdout: "{\n", stderr: "", status: 0 });
});

test("plan --out is relative to the user's current folder", () => {
  const file = npm("plan -- --out sub/..", join(projectFolder, "docs"));
  expect(file.stderr).toContain(`--out "${join(projectFolder, "docs")}": the folder has other content`);
  expect(file.status).toBe(1);
});

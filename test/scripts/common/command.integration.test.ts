/** The command line of every npm command. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { projectFolder } from "../../../scripts/common/command.js";

const npm = (args: string) => {
  const { stdout, stderr, status } = spawnSync("bash", ["-o", "pipefail", "-c", `npm run --silent ${args}`], {
    cwd: projectFolder,
    encoding: "utf8",
  });
  return { stdout, stderr, status };
};

test.each([
  ["plan --stack prod", "--stack", "npm run plan -- --stack <name>"],
  ["plan --stack=prod --out x", "--stack, --out", "npm run plan -- --stack <name> --out <folder>"],
  ["plan --json", "--json", "npm run plan -- --json"],
  ["convert a.yaml --stack prod", "--stack", "npm run convert -- --stack <name>"],
])("%s reports the missing --", (args, taken, remedy) => {
  const { stdout, stderr, status } = npm(args);
  expect(stderr).toContain(`npm consumed ${taken}. Put "--" before the options: ${remedy}\n`);
  expect(status).toBe(1);
  // npm with --json reports the exit code of a script as JSON of its own.
  if (taken === "--json") expect(JSON.parse(stdout)).toEqual({ error: expect.objectContaining({ code: 1 }) });
  else expect(stdout).toBe("");
});

test("plan | head ends without an error", () => {
  const { stdout, stderr, status } = npm("plan -- --json | head -n 1");
  expect({ stdout, stderr, status }).toEqual({ stdout: "{\n", stderr: "", status: 0 });
});

test("a command ends with its error, also when other steps have not ended", () => {
  const program = `
    import { npmCommand, run } from "./scripts/common/command.js";
    import { UserError } from "./scripts/common/errors.js";
    const command = npmCommand({ name: "x", summary: "x", examples: ["x"], exitCodes: { 0: "x", 1: "x" } });
    await run(command, async () => {
      setTimeout(() => console.error("progress"), 1_000);
      throw new UserError("no Python");
    });`;
  const options = { cwd: projectFolder, encoding: "utf8" } as const;
  const args = ["--import", "tsx", "--input-type=module", "-e", program];
  const { stderr, status } = spawnSync(process.execPath, args, options);
  expect({ stderr, status }).toEqual({ stderr: "no Python\n", status: 1 });
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { npmCommand, path, projectFolder, stackOption, text } from "../../../scripts/common/command.js";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Parses the arguments of a command that requires a file and a stack. Returns its options, or its error output. */
function parse(...args: string[]): unknown {
  let errors = "";
  const command = npmCommand({ name: "demo", summary: "s", examples: ["--stack x"], exitCodes: { 0: "", 1: "" } })
    .argument("<file>")
    .addOption(stackOption())
    .option("--adopt")
    .option("--kubectl <command>", "", text)
    .option("--out <folder>", "", path);
  const { outputError } = command.configureOutput();
  command.configureOutput({ writeErr: (line) => (errors += line), outputError });
  try {
    return command.parse(args, { from: "user" }).opts();
  } catch {
    return errors;
  }
}

test("options are parsed, and paths are relative to the user's folder", () => {
  vi.stubEnv("INIT_CWD", "/home/me");
  expect(parse("a.yaml", "--stack", "my.stack-1_a", "--kubectl", "k", "--out", "plan")).toEqual({
    stack: "my.stack-1_a",
    kubectl: "k",
    out: join("/home/me", "plan"),
  });
});

describe("usage errors", () => {
  test.each([
    ["a missing argument", ["--stack", "x"], "missing required argument 'file'"],
    ["a missing stack", ["a.yaml"], "required option '--stack <name>' not specified"],
    ["an option without its value", ["a.yaml", "--stack"], "option '--stack <name>' argument missing"],
    ["an unknown option", ["a.yaml", "--stack", "x", "--adpt"], "unknown option '--adpt'\n(Did you mean --adopt?)"],
    ["a surplus argument", ["a.yaml", "prod", "--stack", "x"], "too many arguments. Expected 1 argument but got 2."],
    ["an empty text", ["a.yaml", "--stack", "x", "--kubectl", " "], "Expected a value that is not empty."],
    ["an empty path", ["a.yaml", "--stack", "x", "--out", ""], "Expected a value that is not empty."],
    ...["", "a/b", "a b", "x".repeat(101)].map((name): [string, string[], string] => [
      `the stack name "${name}"`,
      ["a.yaml", "--stack", name],
      'Expected letters, digits, "_", "." and "-", without an organization.',
    ]),
  ])("report %s, and name --help", (_, args, message) => {
    const errors = parse(...args);
    expect(errors).toContain(message);
    expect(errors).toMatch(/\nRun npm run demo -- --help for usage\.\n$/);
  });
});

describe.each(readdirSync(join(projectFolder, "scripts")).filter((name) => name !== "common" && name !== "emulation"))(
  "npm run %s",
  (name) => {
    test("starts the command", () => {
      const { scripts } = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8"));
      expect(scripts[name]).toBe(`node --import tsx scripts/${name}/main.ts`);
    });

    test("-- --help shows usage, options, an example and the exit codes", async () => {
      let stdout = "";
      vi.spyOn(process.stdout, "write").mockImplementation((piece) => {
        stdout += piece;
        return true;
      });
      const { argv, exitCode } = process;
      process.argv = [process.execPath, "main.ts", "--help"];
      try {
        await import(/* @vite-ignore */ `../../../scripts/${name}/main.ts`);
        expect(process.exitCode).toBe(0);
      } finally {
        process.argv = argv;
        process.exitCode = exitCode;
      }
      for (const part of [`Usage: npm run ${name} -- `, "Options:", "Examples:", "Exit codes:\n  0  "]) {
        expect(stdout).toContain(part);
      }
    });
  },
);

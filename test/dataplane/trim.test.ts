import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { ensureGateway } from "../../scripts/emulation/gateway.js";
import { cacheDir } from "../../scripts/emulation/install.js";
import { callTool } from "../../scripts/emulation/mcpClient.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { startLab } from "./lab.js";

const exec = promisify(execFile);
const run = async (command: string, ...args: string[]) =>
  (await exec(command, args, { maxBuffer: 64 * 1_048_576, env: { ...process.env, PYTHONDONTWRITEBYTECODE: "" } }))
    .stdout;
/** Size of the files in a folder without bytecode, which depends on the modules that ran before. */
const megabytes = (folder: string) => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"),
  );
  const bytes = files.reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
  return Math.round(bytes / 1_048_576);
};

let folder: string;
let venv: string;
let original: string;
let gateway: string;
beforeAll(async () => {
  const { serverPython } = await ensurePython();
  original = path.dirname(path.dirname(serverPython));
  const installed = path.resolve(path.dirname(await ensureGateway()), "../..");
  // On the file system of the cache and with its timestamps, as in the build of the image.
  folder = await mkdtemp(path.join(cacheDir, ".trim-"));
  venv = path.join(folder, "venv");
  gateway = path.join(folder, "gateway");
  await run("cp", "-a", await realpath(original), venv);
  await run("cp", "-a", await realpath(installed), gateway);
  await run("sh", path.join(projectFolder, "image/trim.sh"), venv, gateway);
});
afterAll(() => (folder ? rm(folder, { recursive: true, force: true }) : undefined));

describe("the environment after trim.sh", () => {
  test("has every command of the AWS CLI, with every operation and waiter, as before", async () => {
    const script = path.join(projectFolder, "test/dataplane/commands.py");
    const before = JSON.parse(await run(path.join(original, "bin/python"), script)) as Record<string, string[]>;
    const after = JSON.parse(await run(path.join(venv, "bin/python"), script));
    expect(Object.keys(before).length).toBeGreaterThan(400);
    expect(before.ec2).toContain("describe-instances");
    expect(after).toEqual(before);
  });

  test("runs the aws command", async () => {
    const python = path.join(venv, "bin/python");
    expect(await run(python, "-m", "awscli", "--version")).toContain("aws-cli/1.");
    const offline = ["--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1"];
    const skeleton = ["ec2", "describe-instances", "--generate-cli-skeleton", "output"];
    expect(await run(python, "-m", "awscli", ...skeleton, ...offline)).toContain("Reservations");
  });

  test("is smaller by more than 120 MB, bytecode not counted, and has no installer", async () => {
    const [before, after] = [megabytes(await realpath(original)), megabytes(venv)];
    process.stderr.write(`Python packages: ${before} MB, trimmed ${after} MB; gateway ${megabytes(gateway)} MB\n`);
    expect(before - after).toBeGreaterThan(120);
    await expect(run(path.join(venv, "bin/python"), "-m", "pip", "--version")).rejects.toThrow("No module named pip");
  });

  test("responds over both transports, including customizations of the CLI", async () => {
    const server = [path.join(venv, "bin/python"), path.join(venv, "bin/awslabs.aws-api-mcp-server")];
    const lab = await startLab({ server, gateway: path.join(gateway, "node_modules/.bin/supergateway") });
    try {
      for (const transport of ["sse", "streamable-http"] as const) {
        const { endpoint, stop } = await lab.start(transport);
        const ask = async (command: string) =>
          (await callTool(endpoint, "call_aws", { cli_command: command })).text.replaceAll('\\"', '"');
        const { command, arn } = lab.marked(0);
        expect(await ask(command)).toContain(arn);
        const families = [
          "s3 ls",
          "s3api list-buckets",
          "ec2 describe-vpcs",
          "iam list-roles",
          "logs describe-log-groups",
        ];
        for (const family of families) {
          const answer = await ask(`aws ${family} --profile mark-0`);
          expect(answer, family).toContain('"response":');
          expect(answer, family).not.toMatch(/"error":"[^"]/);
        }
        await stop();
      }
    } finally {
      await lab.close();
    }
  });
});

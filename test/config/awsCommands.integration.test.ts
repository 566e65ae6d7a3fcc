import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ensurePython } from "../../scripts/emulation/python.js";

const besideThisFile = (path: string) => fileURLToPath(new URL(path, import.meta.url));

test("config/awsCommands.txt is the command table of the installed AWS CLI (update: vitest run -u)", async () => {
  const { serverPython } = await ensurePython();
  const { stdout } = await promisify(execFile)(serverPython, [besideThisFile("awsCommands.py")], {
    maxBuffer: 10_000_000,
  });
  await expect(stdout).toMatchFileSnapshot(besideThisFile("../../config/awsCommands.txt"));
}, 900_000);

import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { freePort } from "../../scripts/common/processes.js";
import { findPython } from "../../scripts/emulation/python.js";

let python: string;
beforeAll(async () => {
  python = await findPython();
});

const probe = (host: string, port: number, index = "0") =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const args = [join(projectFolder, "verification/probe.py"), host, String(port)];
    const env = { ...process.env, JOB_COMPLETION_INDEX: index };
    execFile(python, args, { env }, (error, output) => resolve({ code: Number(error?.code ?? 0), output }));
  });

test("succeeds when every attempt is blocked", async () => {
  expect(await probe("127.0.0.1", await freePort())).toMatchObject({ code: 0, output: expect.stringMatching(/^ok /) });
});

test("fails when a connection succeeds", async () => {
  const server = createServer((socket) => socket.end());
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { code, output } = await probe("127.0.0.1", port);
  server.close();
  expect(code).toBe(1);
  expect(output).toContain("does not enforce the NetworkPolicy");
});

test("does not count an unresolved name as a blocked connection", async () => {
  expect((await probe("server.invalid", 8000)).code).toBe(2);
});

test("the second index of the Job succeeds without a connection", async () => {
  expect(await probe("server.invalid", 8000, "1")).toEqual({ code: 0, output: "" });
});

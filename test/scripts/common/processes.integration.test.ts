import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createConnection } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { projectFolder } from "../../../scripts/common/command.js";
import { UserError } from "../../../scripts/common/errors.js";
import { freePort, Processes, waitForHttp } from "../../../scripts/common/processes.js";

const processes = new Processes();
afterEach(() => processes.stopAll());

const node = (script: string, options = {}) => processes.start("a script", process.execPath, ["-e", script], options);

/** Whether a process runs. A zombie (in a container without init) does not run. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // No /proc, or it has just ended.
    return !existsSync("/proc/self/stat");
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

/** A process that starts another one, prints its pid, and waits. */
const PARENT = `const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"]);
console.log("child " + child.pid); setInterval(() => {}, 1e6);`;

async function grandchildOf(child: { output(): string }): Promise<number> {
  await until(() => /child \d+/.test(child.output()));
  return Number(/child (\d+)/.exec(child.output())![1]);
}

describe("Processes", () => {
  test("keeps the output and the exit code", async () => {
    const child = node("console.log('out'); console.error('err'); process.exitCode = 3");
    expect(await child.exited).toBe(3);
    expect(child.exitCode).toBe(3);
    expect(child.output().split("\n").sort()).toEqual(["", "err", "out"]);
  });

  test("keeps only the end of a long output, and passes on all of it", async () => {
    let seen = 0;
    const script = "for (let i = 0; i < 2000; i += 1) console.log('0123456789'); console.log('last')";
    const child = node(script, { outputLimit: 100, onOutput: (text: string) => (seen += text.length) });
    await child.exited;
    expect(child.output()).toHaveLength(100);
    expect(child.output()).toMatch(/last\n$/);
    expect(seen).toBe(2000 * 11 + 5);
  });

  test("returns 128 + the signal number after a signal", async () => {
    const child = node("setInterval(() => {}, 1e6)");
    process.kill(child.pid, "SIGKILL");
    expect(await child.exited).toBe(137);
  });

  test("provides a writable standard input if it is piped, and an empty one otherwise", async () => {
    const script = "process.stdin.on('data', (d) => console.log('got ' + d)).on('end', () => console.log('end'))";
    const piped = node(script, { stdin: "pipe" });
    piped.stdin!.end("words");
    expect(await piped.exited).toBe(0);
    expect(piped.output()).toBe("got words\nend\n");
    const empty = node(script);
    await empty.exited;
    expect(empty.output()).toBe("end\n");
  });

  test("reports a command that does not exist", () => {
    expect(() => processes.start("the server", "/no/such/command", [])).toThrow(
      new UserError('the server: cannot start "/no/such/command": command not found'),
    );
  });

  test("stops a process and its children", async () => {
    const child = node(PARENT);
    const grandchild = await grandchildOf(child);
    await processes.stopAll();
    expect(isRunning(child.pid)).toBe(false);
    await until(() => !isRunning(grandchild));
  });

  test("cleans up after a process that ends by itself", async () => {
    const child = node(`${PARENT} setTimeout(() => process.exit(0), 300)`);
    const grandchild = await grandchildOf(child);
    await child.exited;
    await until(() => !isRunning(grandchild));
  });

  test("runs the other cleanups when one fails, and reports the failure", async () => {
    const done: string[] = [];
    const processes = new Processes();
    processes.onStop(() => void done.push("first"));
    processes.onStop(() => Promise.reject(new Error("the Job was not deleted")));
    await expect(processes.stopAll()).rejects.toThrow("the Job was not deleted");
    expect(done).toEqual(["first"]);
    await processes.stopAll();
  });

  test("runs cleanups once, last in, first out, after the processes have ended", async () => {
    const done: string[] = [];
    const child = node("setInterval(() => {}, 1e6)");
    processes.onStop(() => void done.push(`first, running: ${isRunning(child.pid)}`));
    processes.onStop(() => void done.push("second"));
    await processes.stopAll();
    await processes.stopAll();
    expect(done).toEqual(["second", "first, running: false"]);
  });
});

describe("when the Node process that started them ends", () => {
  const module = path.join(projectFolder, "scripts/common/processes.ts");
  const owner = `
    import { Processes } from ${JSON.stringify(module)};
    const processes = new Processes();
    processes.onStop(() => console.log("cleaned"));
    const child = processes.start("child", process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6)"]);
    console.log("child " + child.pid);
    child.exited.then(() => console.log("reported as a failure"));
    if (process.argv.includes("exit")) process.exit(0);
    if (process.argv.includes("throw")) throw new Error("on purpose");
  `;

  async function startOwner(...args: string[]) {
    const started = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", owner, ...args], {
      cwd: projectFolder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let text = "";
    started.stdout.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    const exited = new Promise<number | null>((resolve) => started.once("close", resolve));
    const pid = await grandchildOf({ output: () => text });
    return { started, pid, exited, output: () => text };
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s: no process is left, cleanups run, no failure is reported, exit code %d", async (signal, code) => {
    const { started, pid, exited, output } = await startOwner();
    started.kill(signal);
    expect(await exited).toBe(code);
    expect(isRunning(pid)).toBe(false);
    expect(output()).toContain("cleaned");
    expect(output()).not.toContain("reported as a failure");
  });

  async function interruptedDuringCleanup(script: string) {
    const text = `
      import { setTimeout as sleep } from "node:timers/promises";
      import { Processes } from ${JSON.stringify(module)};
      const processes = new Processes();
      ${script}
    `;
    const args = ["--import", "tsx", "--input-type=module", "-e", text];
    const child = processes.start("owner", process.execPath, args, { cwd: projectFolder });
    await until(() => child.output().includes("starts"));
    process.kill(child.pid, "SIGTERM");
    expect(await child.exited).toBe(143);
    return child.output();
  }

  test("by SIGTERM while a cleanup runs: the program waits for it and runs the others", async () => {
    const output = await interruptedDuringCleanup(`
      processes.onStop(() => console.log("second cleanup"));
      processes.onStop(async () => {
        console.log("first cleanup starts");
        await sleep(500);
        console.log("first cleanup ends");
      });
      await processes.stopAll();
      await sleep(60_000);
    `);
    expect(output).toBe("first cleanup starts\nfirst cleanup ends\nsecond cleanup\n");
  });

  test("by SIGTERM: a cleanup that fails is reported", async () => {
    const output = await interruptedDuringCleanup(`
      processes.onStop(() => Promise.reject(new Error("the Job was not deleted")));
      console.log("starts");
      await sleep(60_000);
    `);
    expect(output).toBe("starts\nthe Job was not deleted\n");
  });

  test("by process.exit: no temporary folder is left", async () => {
    const text = `
      import { Processes } from ${JSON.stringify(module)};
      console.log(new Processes().temporaryFolder());
      process.exit(3);
    `;
    const args = ["--import", "tsx", "--input-type=module", "-e", text];
    const child = processes.start("owner", process.execPath, args, { cwd: projectFolder });
    expect(await child.exited).toBe(3);
    const folder = child.output().trim();
    expect(folder).toContain("holmes-aws-mcp-");
    expect(existsSync(folder)).toBe(false);
  });

  test("by SIGKILL, when no handler can run: no process is left", async () => {
    const { started, pid, exited } = await startOwner();
    started.kill("SIGKILL");
    await exited;
    await until(() => !isRunning(pid));
  });

  test.each(["exit", "throw"])("by process.exit or an error (%s): no process is left", async (how) => {
    const { pid, exited } = await startOwner(how);
    await exited;
    await until(() => !isRunning(pid));
  });
});

describe("freePort", () => {
  const canConnect = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });

  test("returns a port without a listener", async () => {
    const port = await freePort();
    // No outgoing connection takes it: Linux assigns ports from 32768 to those.
    expect(port).toBeLessThan(32_768);
    expect(port).toBeGreaterThan(1023);
    expect(await canConnect(port)).toBe(false);
  });
});

describe("waitForHttp", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  test("waits until the server responds, with any status but 503 Service Unavailable", async () => {
    const port = await freePort();
    const waiting = waitForHttp(`http://127.0.0.1:${port}/`);
    await sleep(100);
    const statuses = [503, 503, 404];
    server = createServer((_, response) => response.writeHead(statuses.shift()!).end()).listen(port, "127.0.0.1");
    await expect(waiting).resolves.toBeUndefined();
    expect(statuses).toEqual([]);
  });

  test("fails with the last output when the process ends", async () => {
    const child = node("console.error('cannot do it'); process.exit(1)");
    const failure = await waitForHttp(`http://127.0.0.1:${await freePort()}/`, { child }).catch(
      (error: Error) => error,
    );
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toContain("a script ended with code 1 before it responded");
    expect((failure as Error).message).toContain("cannot do it");
  });

  test("fails at its deadline, also if a connection stays without a response", async () => {
    server = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => server!.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await expect(waitForHttp(url, { timeoutMs: 300 })).rejects.toThrow(`did not respond at ${url} within 0.3 s`);
    server.closeAllConnections();
  });
});

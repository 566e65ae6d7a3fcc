import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./errors.js";
import { listen } from "./loopback.js";

/** Time between SIGTERM and SIGKILL, in milliseconds. */
const GRACE = 5_000;

export interface StartOptions {
  /** Complete environment of the process. Default: the environment of this process. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** `ignore` (default) provides empty input. `pipe` keeps `child.stdin` open for the caller to write. */
  stdin?: "ignore" | "pipe";
  /** Amount of the last output to keep, in characters. Default: 65,536. */
  outputLimit?: number;
  /** Receives each chunk of output on arrival, standard output and standard error combined. */
  onOutput?: (text: string) => void;
}

/** A running process. It has a separate process group, so that stopping it also stops its children. */
export class Child {
  readonly pid: number;
  /**
   * Resolves to the exit code when the process has ended, or to 128 + the signal number. Never rejects. Remains pending
   * when a signal ends this program, so that callers do not treat this as a failure of the process.
   */
  readonly exited: Promise<number>;
  private text = "";
  private ended: number | undefined;

  constructor(
    readonly name: string,
    private readonly process: ChildProcess,
    private readonly guard: ChildProcess,
    { outputLimit = 65_536, onOutput }: StartOptions,
  ) {
    this.pid = process.pid!;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding("utf8").on("data", (piece: string) => {
        this.text = (this.text + piece).slice(-outputLimit);
        onOutput?.(piece);
      });
    }
    this.exited = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.ended = code ?? 128 + (signal ? constants.signals[signal] : 0);
        this.killNow();
      });
      // "close" is emitted after all output has been read, so the output is complete when `exited` resolves.
      process.once("close", () => {
        if (!interrupted()) resolve(this.ended!);
      });
    });
  }

  /** The last part of standard output and standard error, combined in order of arrival. */
  output(): string {
    return this.text;
  }

  /** Exit code when the process has ended, otherwise undefined. */
  get exitCode(): number | undefined {
    return interrupted() ? undefined : this.ended;
  }

  /** Standard input of a process that was started with `stdin: "pipe"`. */
  get stdin() {
    return this.process.stdin;
  }

  /** Stops the process and its children with SIGTERM, and after 5 s with SIGKILL. */
  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    const closed = once(this.process, "close");
    signalGroup(this.pid, "SIGTERM");
    const timer = setTimeout(() => signalGroup(this.pid, "SIGKILL"), GRACE);
    await closed;
    clearTimeout(timer);
  }

  /** Sends SIGKILL, for handlers that cannot wait. */
  killNow(): void {
    signalGroup(this.pid, "SIGKILL");
    this.guard.kill("SIGKILL");
  }
}

/** Every instance of this Node.js process, so that nothing remains after a signal or a missing stop. */
const all: Processes[] = [];

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * Starts a shell that waits on a pipe from this process and ends the group when the pipe closes. It also works when
 * SIGKILL ends this process, which cannot run handlers then.
 */
function startGuard(pid: number): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", 'read -r _; kill -KILL "-$0"', String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.stdin.on("error", () => {});
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

/**
 * Stops every process that this Node.js process started, and runs all cleanups. The latest `Processes` first.
 *
 * @throws the error of a cleanup that failed. The others have run.
 */
export const stopEverything = () =>
  all.reduceRight((stopped, processes) => stopped.finally(() => processes.stopAll()), Promise.resolve());

let signalled = false;
/** Whether a signal is ending this program. Do not report failures after that. */
export function interrupted(): boolean {
  return signalled;
}

function watchForTheEnd(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // `on` and not `once`: npm relays the signal that the terminal has already sent, and the second one would end the
    // cleanup.
    process.on(signal, () => {
      if (signalled) return;
      signalled = true;
      stopEverything()
        .catch((error: Error) => console.error(error.message))
        .finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
  process.once("exit", () => {
    for (const processes of all) processes.killNow();
  });
}

/** The processes that one command or test starts. All of them end with this Node.js process, even after SIGKILL. */
export class Processes {
  private readonly children = new Set<Child>();
  private readonly cleanups: (() => void | Promise<void>)[] = [];
  private readonly folders: string[] = [];
  private stopping = Promise.resolve();

  constructor() {
    if (all.length === 0) watchForTheEnd();
    all.push(this);
  }

  /**
   * Starts a process without waiting until it is ready.
   *
   * @throws UserError when the command does not exist.
   */
  start(name: string, command: string, args: string[], options: StartOptions = {}): Child {
    const process_ = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
      detached: true,
    });
    process_.on("error", () => {});
    if (process_.pid === undefined) throw new UserError(`${name}: cannot start "${command}": command not found`);
    const child = new Child(name, process_, startGuard(process_.pid), options);
    this.children.add(child);
    // As soon as it ends, because the system can use its pid again.
    process_.once("exit", () => this.children.delete(child));
    return child;
  }

  /** Runs `cleanup` at stopAll and on SIGINT, SIGTERM and SIGHUP, in reverse order. */
  onStop(cleanup: () => void | Promise<void>): void {
    this.cleanups.push(cleanup);
  }

  /** Creates a temporary folder that is removed after everything else, at the latest when this Node.js process exits. */
  temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-"));
    this.folders.push(folder);
    return folder;
  }

  /**
   * Stops every process started here and its children, then runs the cleanups. Can be called more than once. A call
   * waits for the earlier ones, so that a signal during a cleanup does not end this program before the cleanup.
   */
  stopAll(): Promise<void> {
    this.stopping = this.stopping.catch(() => {}).then(() => this.stopRemaining());
    return this.stopping;
  }

  private async stopRemaining(): Promise<void> {
    await Promise.all([...this.children].map((child) => child.stop()));
    await this.runCleanups();
  }

  /** A cleanup that fails does not prevent the others. */
  private async runCleanups(): Promise<void> {
    const cleanup = this.cleanups.pop();
    if (cleanup === undefined) return this.removeFolders();
    try {
      await cleanup();
    } finally {
      await this.runCleanups();
    }
  }

  /** Sends SIGKILL to every process and removes the folders, for handlers that cannot wait. */
  killNow(): void {
    for (const child of this.children) child.killNow();
    this.removeFolders();
  }

  /** After a signal, this program can still write into the folders until it exits. They are removed again then. */
  private removeFolders(): void {
    // Processes that SIGKILL has just ended can still hold or create files: try again.
    for (const folder of this.folders) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    }
  }
}

/**
 * Finds a free TCP port on 127.0.0.1. It is below the ports of outgoing connections (32768 on Linux, 49152 on macOS), so
 * that none of them takes it before the caller listens.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(20_000, 30_000);
  try {
    await (await listen(createServer(), port)).close();
    return port;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return freePort();
  }
}

/**
 * Waits until a URL returns any HTTP response except 503.
 *
 * @param timeoutMs default 180,000
 * @param child the process of the server. Waiting fails when it ends.
 * @throws UserError with the last output of the process when it ends first or the timeout expires.
 */
export async function waitForHttp(
  url: string,
  { timeoutMs = 180_000, child }: { timeoutMs?: number; child?: Child } = {},
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (child?.exitCode === undefined && Date.now() < end) {
    const status = await fetch(url, { signal: AbortSignal.timeout(Math.max(1, end - Date.now())) })
      .then(async (answer) => {
        await answer.body?.cancel();
        return answer.status;
      })
      .catch(() => 503);
    // 503 Service Unavailable: nothing listens yet, or the MCP server of the gateway does not respond yet.
    if (status !== 503) return;
    await sleep(25);
  }
  const reason =
    child?.exitCode === undefined
      ? `did not respond at ${url} within ${timeoutMs / 1000} s`
      : `ended with code ${child.exitCode} before it responded at ${url}`;
  throw new UserError(`${child?.name ?? "server"} ${reason}${child ? tail(child) : ""}`);
}

/** The last lines of a process's output, for error messages. Empty if there is no output. */
export function tail(child: Child, lines = 8): string {
  const last = child.output().trimEnd().split("\n").slice(-lines).join("\n  ");
  return last === "" ? "" : `; last output:\n  ${last}`;
}

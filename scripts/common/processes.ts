import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./errors.js";

const LOOPBACK = "127.0.0.1";
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
  /** Resolves to the exit code in any case, for this module. */
  readonly gone: Promise<number>;
  private text = "";
  private readonly limit: number;
  private ended: number | undefined;

  constructor(
    readonly name: string,
    private readonly process: ChildProcess,
    private readonly guard: ChildProcess,
    { outputLimit = 65_536, onOutput }: StartOptions,
  ) {
    this.pid = process.pid!;
    this.limit = outputLimit;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding("utf8").on("data", (piece: string) => {
        this.text = (this.text + piece).slice(-this.limit);
        onOutput?.(piece);
      });
    }
    this.gone = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.ended = code ?? 128 + (signal ? constants.signals[signal] : 0);
        signalGroup(this.pid, "SIGKILL");
        this.guard.kill("SIGKILL");
        live.delete(this);
      });
      // "close" is emitted after all output has been read, so the output is complete when `exited` resolves.
      process.once("close", () => resolve(this.ended!));
    });
    this.exited = this.gone.then((code) => (interrupted() ? new Promise<never>(() => {}) : code));
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
    signalGroup(this.pid, "SIGTERM");
    const timer = setTimeout(() => signalGroup(this.pid, "SIGKILL"), GRACE);
    await this.gone;
    clearTimeout(timer);
  }

  /** Sends SIGKILL, for handlers that cannot wait. */
  killNow(): void {
    signalGroup(this.pid, "SIGKILL");
    this.guard.kill("SIGKILL");
  }
}

/** Every running child of this Node.js process, so that none remains after a signal or a missing stop. */
const live = new Set<Child>();
const cleanups = new Set<() => void | Promise<void>>();

/** Temporary folders. After a signal, this program can still write into them until it exits. */
const folders = new Set<string>();

function removeFolder(folder: string): void {
  // Processes that SIGKILL has just ended can still hold or create files: try again.
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  folders.delete(folder);
}

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

/** Stops every process that this Node.js process started, and runs all cleanups. */
export async function stopEverything(): Promise<void> {
  await Promise.allSettled([...live].map((child) => child.stop()));
  for (const cleanup of [...cleanups].reverse()) await cleanup();
  cleanups.clear();
}

let signalled = false;
/** Whether a signal is ending this program. Do not report failures after that. */
export function interrupted(): boolean {
  return signalled;
}

let watching = false;
function watchForTheEnd(): void {
  if (watching) return;
  watching = true;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // `on` and not `once`: npm relays the signal that the terminal has already sent, and the second one would end the
    // cleanup.
    process.on(signal, () => {
      if (signalled) return;
      signalled = true;
      stopEverything().finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
  process.once("exit", () => {
    for (const child of live) child.killNow();
    for (const folder of folders) removeFolder(folder);
  });
}

/** The processes that one command or test starts. All of them end with this Node.js process, even after SIGKILL. */
export class Processes {
  private readonly children = new Set<Child>();
  private readonly mine = new Set<() => void | Promise<void>>();

  /**
   * Starts a process without waiting until it is ready.
   *
   * @throws UserError when the command does not exist.
   */
  start(name: string, command: string, args: string[], options: StartOptions = {}): Child {
    watchForTheEnd();
    const process_ = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
      detached: true,
    });
    process_.on("error", () => {});
    if (process_.pid === undefined) throw new UserError(`${name}: cannot start "${command}": command not found`);
    const child = new Child(name, process_, startGuard(process_.pid), options);
    live.add(child);
    this.children.add(child);
    void child.gone.then(() => this.children.delete(child));
    return child;
  }

  /** Runs `cleanup`, such as removing a folder, at stopAll and on SIGINT, SIGTERM and SIGHUP, in reverse order. */
  onStop(cleanup: () => void | Promise<void>): void {
    watchForTheEnd();
    this.mine.add(cleanup);
    cleanups.add(cleanup);
  }

  /** Creates a temporary folder that is removed after everything else, at the latest when this Node.js process exits. */
  temporaryFolder(): string {
    watchForTheEnd();
    const folder = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-"));
    folders.add(folder);
    this.onStop(() => removeFolder(folder));
    return folder;
  }

  /** Stops every process started here and its children, then runs the cleanups. Can be called more than once. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.children].map((child) => child.stop()));
    for (const cleanup of [...this.mine].reverse()) {
      this.mine.delete(cleanup);
      cleanups.delete(cleanup);
      await cleanup();
    }
  }
}

/**
 * Finds a free TCP port on 127.0.0.1.
 *
 * @param wanted the required port. Default: any.
 * @throws UserError when the required port is in use.
 */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE" || error.code === "EACCES"
          ? new UserError(
              `port ${wanted} on ${LOOPBACK} is in use or not allowed. Stop the process that listens there, or choose another port.`,
            )
          : error,
      );
    });
    server.listen(wanted, LOOPBACK, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface WaitOptions {
  /** Default 120,000. */
  timeoutMs?: number;
  /** The process of the server. Waiting fails when it ends. */
  child?: Child;
}

/**
 * Waits until a URL returns any HTTP response except 503.
 *
 * @throws UserError with the last output of the process when it ends first or the timeout expires.
 */
export async function waitForHttp(url: string, { timeoutMs = 120_000, child }: WaitOptions = {}): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (child?.exitCode !== undefined) {
      throw new UserError(`${child.name} ended with code ${child.exitCode} before it answered at ${url}${tail(child)}`);
    }
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(Math.max(1, end - Date.now())) });
      await answer.body?.cancel();
      // 503 Service Unavailable: the gateway runs, but its MCP server does not respond yet.
      if (answer.status !== 503) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() >= end) {
      throw new UserError(
        `${child?.name ?? "server"} did not answer at ${url} within ${timeoutMs / 1000} s${child ? tail(child) : ""}`,
      );
    }
    await sleep(25);
  }
}

/** The last lines of a process's output, for error messages. Empty if there is no output. */
export function tail(child: Child, lines = 8): string {
  const last = child.output().trimEnd().split("\n").slice(-lines).join("\n  ");
  return last === "" ? "" : `; last output:\n  ${last}`;
}

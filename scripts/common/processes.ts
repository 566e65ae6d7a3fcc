import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./errors.js";

const LOOPBACK = "127.0.0.1";
/** How long a process may take to end by itself after SIGTERM, in milliseconds. */
const GRACE = 5_000;

export interface StartOptions {
  /** The whole environment of the process; default: this process's own. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** `ignore` (default) reads as empty; `pipe` leaves `child.stdin` open for the caller to write. */
  stdin?: "ignore" | "pipe";
  /** How much of the last output is kept, in characters; default 65,536. */
  outputLimit?: number;
  /** Gets every piece of output as it comes, standard output and error mixed. */
  onOutput?: (text: string) => void;
}

/** A running process, in a process group of its own so that what it starts ends with it. */
export class Child {
  readonly pid: number;
  /**
   * Settles when the process has ended: its exit code, or 128 + the signal's number. Never rejects. Stays open when
   * this program itself is being ended by a signal, so that nobody takes that for a failure of the process.
   */
  readonly exited: Promise<number>;
  /** The end itself, for this module. */
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
      // "close" comes when the output has been read to its end: whoever awaits the exit sees all of it.
      process.once("close", () => resolve(this.ended!));
    });
    this.exited = this.gone.then((code) => (interrupted() ? new Promise<never>(() => {}) : code));
  }

  /** The tail of standard output and error, mixed as they came. */
  output(): string {
    return this.text;
  }

  /** Exit code when the process has ended, else undefined. */
  get exitCode(): number | undefined {
    return interrupted() ? undefined : this.ended;
  }

  /** Standard input, when it was started with `stdin: "pipe"`. */
  get stdin() {
    return this.process.stdin;
  }

  /** Signals this process alone. */
  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Ends it and all that it started: SIGTERM, and after 5 s SIGKILL. */
  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    signalGroup(this.pid, "SIGTERM");
    const timer = setTimeout(() => signalGroup(this.pid, "SIGKILL"), GRACE);
    await this.gone;
    clearTimeout(timer);
  }

  /** The hard end, for handlers that cannot wait. */
  killNow(): void {
    signalGroup(this.pid, "SIGKILL");
    this.guard.kill("SIGKILL");
  }
}

/** Every running child of this Node process, whoever holds it: a signal or a forgotten stop must leave none. */
const live = new Set<Child>();
const cleanups = new Set<() => void | Promise<void>>();

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * A shell that waits on a pipe from this process and ends the group when the pipe closes. It is what still works when
 * this process is ended by SIGKILL and can run no handler.
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

/** Stops every process that this Node process started, and runs all cleanups. */
export async function stopEverything(): Promise<void> {
  await Promise.allSettled([...live].map((child) => child.stop()));
  for (const cleanup of [...cleanups].reverse()) await cleanup();
  cleanups.clear();
}

let signalled = false;
/** Whether a signal is ending this program: what fails from here on is no news. */
export function interrupted(): boolean {
  return signalled;
}

let watching = false;
function watchForTheEnd(): void {
  if (watching) return;
  watching = true;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Not once: npm relays a signal that the terminal has sent already, and the second one would end the cleanup.
    process.on(signal, () => {
      if (signalled) return;
      signalled = true;
      stopEverything().finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
  process.once("exit", () => {
    for (const child of live) child.killNow();
  });
}

/** The processes that one command or test starts. Nothing of them outlives this Node process, however it ends. */
export class Processes {
  private readonly children = new Set<Child>();
  private readonly mine = new Set<() => void | Promise<void>>();

  /**
   * Starts a process; the caller waits for what it needs of it.
   *
   * @throws UserError when there is no such command.
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
    if (process_.pid === undefined) throw new UserError(`${name}: cannot start "${command}": no such command here`);
    const child = new Child(name, process_, startGuard(process_.pid), options);
    live.add(child);
    this.children.add(child);
    void child.gone.then(() => this.children.delete(child));
    return child;
  }

  /** Runs `cleanup` (remove a folder, close a server) at stopAll, and on SIGINT, SIGTERM and SIGHUP too; last in, first out. */
  onStop(cleanup: () => void | Promise<void>): void {
    watchForTheEnd();
    this.mine.add(cleanup);
    cleanups.add(cleanup);
  }

  /** Ends every process started here and what it started, then runs the cleanups. May be called twice. */
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
 * A TCP port on 127.0.0.1 that nobody listens on.
 *
 * @param wanted this port and no other; default: any.
 * @throws UserError when the wanted port is busy.
 */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE" || error.code === "EACCES"
          ? new UserError(
              `port ${wanted} on ${LOOPBACK} is busy or not allowed: stop what listens there, or name another`,
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
  /** Default 30,000. */
  timeoutMs?: number;
  /** The process that is to answer: when it ends, waiting ends. */
  child?: Child;
}

/**
 * Waits until a URL gives any HTTP answer.
 *
 * @throws UserError with the tail of the process's output when it ends first, or when the time is over.
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
      // 503 Service Unavailable: the gateway runs, its MCP server does not answer yet.
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

/** The last lines of a process's output, for an error message; empty when it printed nothing. */
export function tail(child: Child, lines = 8): string {
  const last = child.output().trimEnd().split("\n").slice(-lines).join("\n  ");
  return last === "" ? "" : `; its last words:\n  ${last}`;
}

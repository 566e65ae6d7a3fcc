/** kubectl for one cluster. */
import { execFile } from "node:child_process";
import { UserError } from "../common/errors.js";
import { type Processes, tail } from "../common/processes.js";

/** Maximum size of the output, in bytes. Lists of Pods are far below it. */
const maxBuffer = 16 * 1024 * 1024;

export class Kubectl {
  /**
   * @param command to run
   * @param cluster name, for messages
   * @param flags that select the cluster and the namespace: `--kubeconfig`, `--context`, `--namespace`
   */
  constructor(
    private readonly command: string,
    private readonly cluster: string,
    private readonly flags: readonly string[],
  ) {}

  /**
   * Runs one command.
   *
   * @param input standard input
   * @returns standard output
   * @throws UserError with the error output of kubectl
   */
  run(args: readonly string[], input = ""): Promise<string> {
    const { command, cluster } = this;
    return new Promise((resolve, reject) => {
      const child = execFile(command, [...this.flags, ...args], { maxBuffer }, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
        const message = missing
          ? "command not found. Install kubectl, or pass its path with --kubectl."
          : stderr.trim();
        reject(new UserError(`cluster ${cluster}: ${command} ${args[0]}: ${message || error.message}`));
      });
      // A kubectl that ends early does not read its input. Its own error is reported.
      child.stdin?.on("error", () => {}).end(input);
    });
  }

  /** Reads an object or a list. */
  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.run(["get", ...args, "--output=json"])) as T;
  }

  /** Creates an object. Returns it as stored by the API server. */
  async create<T>(object: object): Promise<T> {
    return JSON.parse(await this.run(["create", "--filename=-", "--output=json"], JSON.stringify(object))) as T;
  }

  /** Follows the log of a pod to its end. An interrupted log is reported, and is not a failure of the pod. */
  async follow(processes: Processes, pod: string, show: (text: string) => void, tell: (line: string) => void) {
    const args = [...this.flags, "logs", "--follow", `pod/${pod}`];
    const child = processes.start("kubectl logs", this.command, args, { onOutput: show });
    const code = await child.exited;
    if (code !== 0) tell(`cluster ${this.cluster}: kubectl logs ended with code ${code}${tail(child, 1)}`);
  }
}

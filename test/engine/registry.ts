/** A container registry on loopback, which keeps its content in memory. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, type Processes, waitForHttp } from "../../scripts/common/processes.js";
import { contentKey, installOnce } from "../../scripts/emulation/install.js";

const CRANE = "github.com/google/go-containerregistry/cmd/crane@v0.20.6";

export interface Registry {
  /** Host and port. */
  readonly address: string;
  /** Path of crane, a client of registries. */
  readonly crane: string;
}

/** Starts the registry. Needs Go. */
export async function startRegistry(processes: Processes): Promise<Registry> {
  const folder = await installOnce({
    name: "crane",
    key: contentKey(CRANE),
    what: "a container registry",
    file: "crane",
    run: async (dir) => {
      // -mod=mod: this repository has no Go module that depends on the tool; the version pins it.
      const env = { ...process.env, GOBIN: dir, GOFLAGS: "-mod=mod" };
      await promisify(execFile)("go", ["install", CRANE], { env });
    },
  });
  const address = `127.0.0.1:${await freePort()}`;
  const crane = join(folder, "crane");
  const child = processes.start("registry", crane, ["registry", "serve", "--address", address]);
  await waitForHttp(`http://${address}/v2/`, { child });
  return { address, crane };
}

import { execFileSync } from "node:child_process";
import { ensureMoto } from "../../scripts/emulation/python.js";

/** Why the engine tests cannot run here; undefined when they can. */
export const missing: string | undefined = (() => {
  try {
    execFileSync("pulumi", ["version"], { stdio: "pipe" });
    return undefined;
  } catch {
    return "no pulumi CLI on the PATH";
  }
})();

/** Vitest's global setup: reports the reason, or installs moto, once instead of once for each file or worker. */
export default async function setup(): Promise<void> {
  if (missing === undefined) await ensureMoto();
  else console.log(`engine tests: skipped, ${missing}`);
}

import { execFileSync } from "node:child_process";

/** Why the engine tests cannot run here; undefined when they can. */
export const missing: string | undefined = (() => {
  try {
    execFileSync("pulumi", ["version"], { stdio: "pipe" });
    return undefined;
  } catch {
    return "no pulumi CLI on the PATH";
  }
})();

/** Vitest's global setup: reports the reason once instead of once for each file. */
export default function setup(): void {
  if (missing !== undefined) console.log(`engine tests: skipped, ${missing}`);
}

import { ensureHolmes } from "../../scripts/emulation/python.js";

/** Global setup, as test/installs.ts. */
export async function setup(): Promise<void> {
  await ensureHolmes();
}

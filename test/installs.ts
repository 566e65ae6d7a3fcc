import { ensureGateway } from "../scripts/emulation/gateway.js";
import { ensurePython } from "../scripts/emulation/python.js";

/** Global setup: installs the packages once, before the workers start and each install them. */
export async function setup(): Promise<void> {
  await Promise.all([ensurePython(), ensureGateway()]);
}

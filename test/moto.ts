import { Processes } from "../scripts/common/processes.js";
import { startMoto } from "../scripts/emulation/moto.js";

let started: Promise<{ url: string }> | undefined;

/** Returns an empty moto. The test files of a worker, which run one after the other, share its process. */
export async function emptyMoto(): Promise<{ url: string }> {
  started ??= startMoto(new Processes());
  const { url } = await started;
  const { ok, status } = await fetch(`${url}/moto-api/reset`, { method: "POST" });
  if (!ok) throw new Error(`moto was not reset (HTTP ${status}): a test file would see the resources of another one.`);
  return { url };
}

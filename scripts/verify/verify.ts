/** Verifies the clusters of a stack in sequence. */
import { profilesByCluster, withAnyIssuer } from "../../config/profiles.js";
import type { ClusterSettings } from "../../config/settings.js";
import { workloadOf } from "../../documents/workload.js";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { stackSettings } from "../common/stackFile.js";
import { accessFlags, clustersToVerify, type Given } from "./access.js";
import { verifyInCluster } from "./job.js";
import { Kubectl } from "./kubectl.js";

export interface VerifyOptions extends Given {
  readonly stack: string;
  readonly kubectl: string;
}

/** @returns the exit code */
export async function verify({ stack, kubectl, ...given }: VerifyOptions): Promise<number> {
  const settings = await stackSettings(projectFolder, stack);
  const profiles = profilesByCluster(settings, withAnyIssuer(settings.clusters));
  const failed: string[] = [];
  const wanted = clustersToVerify(settings, given);
  const verifyCluster = async (cluster: ClusterSettings): Promise<boolean> => {
    const { name } = cluster;
    const processes = new Processes();
    try {
      const flags = [...accessFlags(cluster, given, processes), `--namespace=${settings.kubernetes.namespace}`];
      return await verifyInCluster({
        kubectl: new Kubectl(kubectl, name, flags),
        processes,
        workload: workloadOf(settings, cluster, profiles.get(name)!, ""),
        show: (output) => process.stdout.write(output),
        tell: toStderr,
      });
    } finally {
      await processes.stopAll();
    }
  };
  for (const cluster of wanted) {
    const passed = await verifyCluster(cluster).catch((error: Error) => {
      if (!(error instanceof UserError)) throw error;
      // An unreachable cluster does not prevent the verification of the others.
      toStderr(error.message);
      return false;
    });
    if (!passed) failed.push(cluster.name);
  }
  toStderr(
    failed.length === 0
      ? `verified: every account passes in ${wanted.map(({ name }) => name).join(", ")}`
      : `not verified: ${failed.join(", ")} (docs/verify.md explains each line)`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** Verifies the clusters of a stack in sequence. */
import { profilesByCluster } from "../../documents/profiles.js";
import { workloadOf } from "../../documents/workload.js";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { evaluate } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { accessFlags, clustersToVerify, type Given } from "./access.js";
import { verifyInCluster } from "./job.js";
import { Kubectl } from "./kubectl.js";

export interface VerifyOptions extends Given {
  readonly stack: string;
  readonly kubectl: string;
}

/** @returns the exit code */
export async function verify({ stack, kubectl: command, ...given }: VerifyOptions): Promise<number> {
  process.chdir(projectFolder);
  const evaluation = await evaluate(stack, readStackFile(projectFolder, stack));
  const { settings, clusters } = evaluation;
  const failed: string[] = [];
  const wanted = clustersToVerify(evaluation, given);
  for (const cluster of wanted) {
    const processes = new Processes();
    try {
      const flags = accessFlags(cluster, given, processes);
      const { namespace } = settings.kubernetes;
      const passed = await verifyInCluster({
        kubectl: new Kubectl({ command, cluster: cluster.name, flags, namespace }),
        processes,
        // The image is that of the running Deployment.
        workload: workloadOf(settings, cluster, profilesByCluster(settings, clusters).get(cluster.name)!, ""),
        show: (output) => process.stdout.write(output),
        tell: toStderr,
      });
      if (!passed) failed.push(cluster.name);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // An unreachable cluster does not prevent the verification of the others.
      toStderr(error.message);
      failed.push(cluster.name);
    } finally {
      await processes.stopAll();
    }
  }
  toStderr(
    failed.length === 0
      ? `verified: every account passes in ${wanted.map(({ name }) => name).join(", ")}`
      : `not verified: ${failed.join(", ")} (docs/verify.md explains each line)`,
  );
  return failed.length === 0 ? 0 : 1;
}

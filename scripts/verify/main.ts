/** `npm run verify`: asks for every account from inside the clusters, as `pulumi up` does at its end. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { profilesByCluster } from "../../documents/profiles.js";
import { workloadOf } from "../../documents/workload.js";
import { npmCommand, path, projectFolder, run, stackOption, text } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { evaluate } from "../common/evaluate.js";
import { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { readStackFile } from "../common/stackFile.js";
import { accessFlags, clustersToVerify, type Given } from "./access.js";
import { verifyInCluster } from "./job.js";
import { Kubectl } from "./kubectl.js";

interface Options extends Given {
  readonly stack: string;
  readonly kubectl: string;
}

await run<Options>(
  npmCommand({
    name: "verify",
    summary: "Verifies from inside the clusters that the deployed server reaches every account, as pulumi up does.",
    examples: ["--stack prod", "--stack prod --cluster prod-eu --context admin@prod-eu"],
    exitCodes: {
      0: "every account answers in every cluster",
      1: "an account or a cluster does not, see docs/verify.md",
    },
  })
    .addOption(stackOption())
    .option("--cluster <name>", "verify one cluster; default: every cluster that the server is deployed to", text)
    .option("--context <name>", "kubeconfig context of that cluster; default: the config's", text)
    .option("--kubeconfig <file>", "kubeconfig of that cluster; default: the config's", existingFile)
    .option("--kubectl <command>", "name or path of kubectl", executable, "kubectl"),
  async ({ stack, kubectl: command, ...given }) => {
    process.chdir(projectFolder);
    const evaluation = await evaluate(stack, readStackFile(projectFolder, stack));
    const { settings, clusters } = evaluation;
    const script = readFileSync(join(projectFolder, "verification/verify.py"), "utf8");
    const failed: string[] = [];
    const wanted = clustersToVerify(evaluation, given);
    for (const cluster of wanted) {
      const processes = new Processes();
      try {
        const flags = accessFlags(cluster, given, processes);
        const { namespace } = settings.kubernetes;
        const right = await verifyInCluster({
          kubectl: new Kubectl({ command, cluster: cluster.name, flags, namespace }),
          processes,
          // The image is the running Deployment's.
          workload: workloadOf(settings, cluster.name, profilesByCluster(settings, clusters).get(cluster.name)!, ""),
          script,
          show: (output) => process.stdout.write(output),
          tell: toStderr,
        });
        if (!right) failed.push(cluster.name);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        // One cluster out of reach keeps nobody from the others.
        toStderr(error.message);
        failed.push(cluster.name);
      } finally {
        await processes.stopAll();
      }
    }
    toStderr(
      failed.length === 0
        ? `verified: every account answers in ${wanted.map(({ name }) => name).join(", ")}`
        : `not verified: ${failed.join(", ")} (docs/verify.md says how to read each line)`,
    );
    return failed.length === 0 ? 0 : 1;
  },
);

function existingFile(value: string): string {
  const file = path(value);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  throw new InvalidArgumentError(`Expected a file; ${file} is not one.`);
}

/** A name without a slash is looked up on the PATH. */
function executable(value: string): string {
  return value.includes("/") ? path(value) : text(value);
}

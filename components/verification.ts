import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labels } from "../config/names.js";
import { probeJobSpec, probeScript, verificationData, verificationJobSpec } from "../documents/jobs.js";
import { networkPolicySpec } from "../documents/networkPolicy.js";
import { configData, hashOf, type Workload } from "../documents/workload.js";
import { childrenOf } from "./renamed.js";

export interface VerificationArgs {
  /** The server to verify, as it is deployed. */
  readonly workload: Workload;
  /** Name of the ConfigMap with the AWS config file. */
  readonly config: pulumi.Input<string>;
  /** The Job starts after these resources. */
  readonly after: pulumi.Resource[];
}

/**
 * A Job that fails the update when an account cannot be reached through the server, and one that checks the
 * NetworkPolicy. A Job runs when its inputs change. A failed Job runs again in the next update.
 */
export class Verification extends pulumi.ComponentResource {
  constructor(cluster: string, args: VerificationArgs, opts: pulumi.ComponentResourceOptions) {
    const { workload, config, after: dependsOn } = args;
    const { namespace, serviceName, permissions } = workload;
    const { timeoutSeconds, requireNetworkPolicy, skipProfiles } = workload.verify;
    super(
      "holmes-aws-mcp:index:Verification",
      `${cluster}/verification`,
      // The ConfigMap's state contains the script and the list of accounts.
      { namespace, timeoutSeconds, requireNetworkPolicy, skipProfiles },
      opts,
    );
    const child = childrenOf(this, cluster, workload.previousName);
    const name = `${serviceName}-verify`;
    const metadata = { namespace, labels: labels(serviceName, "verification") };
    const data = verificationData(workload);
    const object = { metadata: { ...metadata, name }, data };
    const map = child("verification/config", k8s.core.v1.ConfigMap, object, { dependsOn });
    // Includes trust and permissions: a Job that ran before a role changed does not verify the changed role.
    const changes = pulumi
      .output(workload.image)
      .apply((image) => hashOf(image, JSON.stringify(data), configData(workload).config, permissions));
    const annotations = {
      // A failed Job cannot be restarted. The next update replaces it.
      "pulumi.com/replaceUnready": "true",
      "pulumi.com/timeoutSeconds": String(timeoutSeconds + 60),
    };
    // The name contains a hash of the inputs: unchanged accounts need no second Job.
    const job = (kind: string, jobName: pulumi.Input<string>, spec: k8s.types.input.batch.v1.JobSpec) =>
      child(
        `verification/${kind}`,
        k8s.batch.v1.Job,
        { metadata: { ...metadata, name: jobName, annotations }, spec },
        // A failed Job and its replacement have the same name.
        { dependsOn, deleteBeforeReplace: true },
      );
    job(
      "job",
      pulumi.interpolate`${name}-${changes}`,
      verificationJobSpec(workload, config, map.metadata.name, changes),
    );
    if (workload.networkPolicy.enabled) {
      const policy = JSON.stringify(networkPolicySpec(workload));
      // Pods of an Indexed Job are named after it: at most 63 characters with "-0".
      const probeName = changes.apply(
        (hash) => `${serviceName}-probe-${hashOf(hash, policy, probeScript).slice(0, 12)}`,
      );
      const { status } = job("probe", probeName, probeJobSpec(workload));
      pulumi.all([status, probeName]).apply(([found, id]) => {
        if (pulumi.runtime.isDryRun() || !found?.failedIndexes) return;
        pulumi.log.warn(
          `${cluster}: the cluster does not enforce the NetworkPolicy, or the check failed. Each pod of the cluster can then reach ` +
            `the MCP server. See kubectl -n ${namespace} logs job/${id}, and docs/server.md#networkpolicy. ` +
            "verify.requireNetworkPolicy: true makes the update fail instead.",
          this,
        );
      });
    }
    this.registerOutputs();
  }
}

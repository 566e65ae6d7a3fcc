import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { probeJobSpec, type VerificationOptions, verificationData, verificationJobSpec } from "../documents/jobs.js";
import { labels } from "../documents/names.js";
import { networkPolicySpec } from "../documents/networkPolicy.js";
import { configData, hashOf, type Workload } from "../documents/workload.js";
import { renamed } from "./renamed.js";

export interface VerificationArgs extends VerificationOptions {
  /** The server to verify, as it is deployed. */
  readonly workload: Workload;
  /** Previous name of a renamed cluster. */
  readonly previousName?: string | undefined;
  /** Name of the ConfigMap with the AWS config file. */
  readonly config: pulumi.Input<string>;
  /** Python script of the Job. */
  readonly script: string;
  /** Python script of the Job that checks whether the cluster enforces the NetworkPolicy, if any. Default: no check. */
  readonly probe?: string | undefined;
  /** Text that changes with the trust and permissions of the accounts. */
  readonly permissions: string;
  /** The Job starts after these resources. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A Job that fails the update when an account cannot be reached through the server, and one that checks the
 * NetworkPolicy. A Job runs when its inputs change. A failed Job runs again in the next update.
 */
export class Verification extends pulumi.ComponentResource {
  constructor(cluster: string, args: VerificationArgs, opts: pulumi.ComponentResourceOptions) {
    const { workload, previousName, config, script, probe, permissions, after } = args;
    const { timeoutSeconds, requireNetworkPolicy, skipProfiles } = args;
    const { namespace, serviceName, networkPolicy } = workload;
    super(
      "holmes-aws-mcp:index:Verification",
      `${cluster}/verification`,
      // The ConfigMap's state contains the script and the list of accounts.
      { namespace, timeoutSeconds, requireNetworkPolicy, skipProfiles },
      opts,
    );
    const name = `${serviceName}-verify`;
    const metadata = { namespace, labels: labels(serviceName, "verification") };
    const data = verificationData(workload, args, script);
    const map = new k8s.core.v1.ConfigMap(
      `${cluster}/verification/config`,
      { metadata: { ...metadata, name }, data },
      { parent: this, dependsOn: [...after], ...renamed(previousName, "/verification/config") },
    );
    // Includes trust and permissions: a Job that ran before a role changed does not verify the changed role.
    const changes = pulumi
      .output(workload.image)
      .apply((image) => hashOf(image, JSON.stringify(data), configData(workload).config!, permissions));
    const job = (kind: string, jobName: pulumi.Input<string>, spec: k8s.types.input.batch.v1.JobSpec) =>
      new k8s.batch.v1.Job(
        `${cluster}/verification/${kind}`,
        {
          metadata: {
            ...metadata,
            // The name contains a hash of the inputs: unchanged accounts need no second Job.
            name: jobName,
            annotations: {
              // A failed Job cannot be restarted. The next update replaces it.
              "pulumi.com/replaceUnready": "true",
              "pulumi.com/timeoutSeconds": String(timeoutSeconds + 60),
            },
          },
          spec,
        },
        {
          parent: this,
          dependsOn: [...after],
          // A failed Job and its replacement have the same name.
          deleteBeforeReplace: true,
          ...renamed(previousName, `/verification/${kind}`),
        },
      );
    job(
      "job",
      pulumi.interpolate`${name}-${changes}`,
      verificationJobSpec(workload, args, config, map.metadata.name, changes),
    );
    if (probe !== undefined && networkPolicy !== undefined) {
      const policy = JSON.stringify(networkPolicySpec(networkPolicy, workload));
      // Pods of an Indexed Job are named after it: at most 63 characters with "-0".
      const jobName = changes.apply((hash) => `${serviceName}-probe-${hashOf(hash, policy, probe).slice(0, 12)}`);
      const { status } = job("probe", jobName, probeJobSpec(workload, args, probe));
      pulumi.all([status, jobName]).apply(([found, id]) => {
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

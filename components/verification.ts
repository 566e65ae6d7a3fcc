import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labels } from "../documents/names.js";
import { verificationData } from "../documents/verification.js";
import { configData, hashOf, verificationJobSpec, type Workload } from "../documents/workload.js";

export interface VerificationArgs {
  readonly workload: Workload;
  /** ConfigMap with the AWS config file. */
  readonly config: pulumi.Input<string>;
  readonly deployment: k8s.apps.v1.Deployment;
  readonly accounts: readonly pulumi.Resource[];
}

/**
 * A Job that fails the update when an account does not answer through the server. It runs when what it verifies
 * changed, and a Job that failed runs again with the next update.
 */
export class Verification extends pulumi.ComponentResource {
  constructor({ workload, config, deployment, accounts }: VerificationArgs, opts: pulumi.ComponentResourceOptions) {
    super("holmes-aws-mcp:index:Verification", `${workload.cluster}/verification`, {}, opts);
    const { settings, cluster } = workload;
    const name = `${settings.mcp.serviceName}-verify`;
    const metadata = {
      namespace: settings.kubernetes.namespace,
      labels: labels(settings.mcp.serviceName, "verification"),
    };
    const data = verificationData(workload, readFileSync("verification/verify.py", "utf8"));
    const map = new k8s.core.v1.ConfigMap(
      `${cluster}/verification/config`,
      { metadata: { ...metadata, name }, data },
      { parent: this, dependsOn: deployment },
    );
    // Trust and permissions too: a Job that ran before a role changed has proved nothing about it.
    const changes = pulumi
      .output(workload.image)
      .apply((image) => hashOf(image, JSON.stringify(data), JSON.stringify(configData(workload)), iamOf(workload)));
    new k8s.batch.v1.Job(
      `${cluster}/verification/job`,
      {
        metadata: {
          ...metadata,
          // Named by what it verifies: the same question is not asked twice, another one is another Job.
          name: pulumi.interpolate`${name}-${changes}`,
          annotations: {
            "pulumi.com/replaceUnready": "true",
            "pulumi.com/timeoutSeconds": String(settings.verify.timeoutSeconds + 60),
          },
        },
        spec: verificationJobSpec(workload, config, map.metadata.name, changes),
      },
      { parent: this, dependsOn: [deployment, ...accounts], deleteBeforeReplace: true },
    );
  }
}

function iamOf({ settings }: Workload): string {
  return JSON.stringify(
    settings.targetAccounts.map(({ profile, permissions }) => [profile, permissions, settings.subjects]),
  );
}

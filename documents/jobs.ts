/** The Jobs that check the image and verify the server. */
import { readFileSync } from "node:fs";
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { annotations, container, endpoint, labels, paths, port, serviceHosts } from "../config/names.js";
import { containerSecurity, environment, mounts, podAnnotations, podBase, withStorage } from "./pod.js";
import type { Workload } from "./workload.js";

type PodSpec = types.input.core.v1.PodSpec;
type Container = types.input.core.v1.Container;
type JobSpec = types.input.batch.v1.JobSpec;

const verifyScript = readFileSync(new URL("../verification/verify.py", import.meta.url), "utf8");
/** Python script of the Job that checks whether the cluster enforces the NetworkPolicy. */
export const probeScript = readFileSync(new URL("../verification/probe.py", import.meta.url), "utf8");

/** ConfigMap data: the script, and the accounts that must be reachable. */
export function verificationData(workload: Workload) {
  const { timeoutSeconds, skipProfiles } = workload.verify;
  const accounts = workload.profiles
    .filter(({ name }) => !skipProfiles.includes(name))
    .map(({ name, accountId, roleArn }) => ({ profile: name, accountId, roleArn }));
  const job = {
    endpoint: endpoint(workload, workload.namespace),
    transport: workload.transport,
    timeoutSeconds: timeoutSeconds - 15,
    accounts,
  };
  return { "verify.py": verifyScript, "accounts.json": `${JSON.stringify(job, null, 2)}\n` };
}

/** Resources of the Jobs that start the server's code. */
const jobResources = { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } };

/** A Job with one container that runs once with the workload's image. */
function jobSpec(
  { image }: Workload,
  activeDeadlineSeconds: number,
  metadata: types.input.meta.v1.ObjectMeta,
  base: PodSpec,
  { command, env, resources, volumeMounts, volumes }: Partial<Container> & Pick<PodSpec, "volumes">,
) {
  const terminationMessagePolicy = "FallbackToLogsOnError";
  const securityContext = containerSecurity;
  const spec = {
    ...base,
    restartPolicy: "Never",
    volumes,
    containers: [
      { name: container, image, command, env, resources, terminationMessagePolicy, securityContext, volumeMounts },
    ],
  };
  return { backoffLimit: 0, activeDeadlineSeconds, template: { metadata, spec } };
}

/** The Job that verifies every account from inside the cluster, with the server's config and through the server. */
export function verificationJobSpec(
  workload: Workload,
  configMap: pulumi.Input<string>,
  verificationMap: pulumi.Input<string>,
  changes: pulumi.Input<string>,
): JobSpec {
  const metadata = {
    labels: labels(workload.serviceName, "verification"),
    annotations: { ...podAnnotations(workload), [annotations.verifies]: changes },
  };
  return jobSpec(workload, workload.verify.timeoutSeconds, metadata, podBase(workload), {
    command: [paths.python, `${paths.verification}/verify.py`, `${paths.verification}/accounts.json`],
    env: environment(workload),
    resources: withStorage(jobResources),
    ...mounts(workload, configMap, [
      { name: "verify", mountPath: paths.verification, readOnly: true, configMap: { name: verificationMap } },
    ]),
  });
}

/**
 * The Job that tries to reach the server from a pod that the NetworkPolicy does not admit: without Holmes' labels and
 * without the labels of the server's own pods. It has no AWS access. With `requireNetworkPolicy` it fails when
 * the attempt succeeds. Without, it succeeds, with the attempt in `status.failedIndexes`.
 */
export function probeJobSpec(workload: Workload): JobSpec {
  const { serviceName, namespace, verify } = workload;
  const { serviceAccountName: _, ...base } = podBase(workload);
  const host = serviceHosts(serviceName, namespace).at(-1)!;
  const metadata = { labels: { app: "aws-api-mcp-probe" } };
  const { backoffLimit, ...job } = jobSpec(workload, verify.timeoutSeconds, metadata, base, {
    command: [paths.python, "-c", probeScript, host, String(port)],
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
  });
  if (verify.requireNetworkPolicy) return { backoffLimit, ...job };
  // One index after the other: 0 connects, 1 succeeds and with it the Job, whose status then names index 0 if it failed.
  // Index 2 never runs: a Job whose indexes are all finished fails if one failed. Kubernetes 1.31 and later.
  return {
    completionMode: "Indexed",
    completions: 3,
    parallelism: 1,
    backoffLimitPerIndex: 0,
    successPolicy: { rules: [{ succeededIndexes: "1" }] },
    ...job,
  };
}

/** The Job that checks a given image before the Deployment runs it: images of earlier releases have no launcher. */
export function imageCheckJobSpec(workload: Workload): JobSpec {
  const missing = `the image has no ${paths.server}. Build it again with this release (docs/image.md).`;
  const check = `[ -x ${paths.server} ] || { echo "image.prebuilt: ${missing}"; exit 1; }; exec ${paths.server} --check`;
  return jobSpec(workload, 300, { labels: { app: "aws-api-mcp-image-check" } }, podBase(workload), {
    command: ["/bin/sh", "-c", check],
    env: ["HOME", "TMPDIR"].map((name) => ({ name, value: paths.tmp })),
    resources: jobResources,
    volumeMounts: [{ name: "tmp", mountPath: paths.tmp }],
    volumes: [{ name: "tmp", emptyDir: { sizeLimit: "64Mi" } }],
  });
}

/** Runs the verification Job of `pulumi up` on demand: creates it with kubectl and deletes it at the end. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { types } from "@pulumi/kubernetes";
import { container, labels } from "../../config/names.js";
import { verificationData, verificationJobSpec } from "../../documents/jobs.js";
import type { Workload } from "../../documents/workload.js";
import { UserError } from "../common/errors.js";
import type { Processes } from "../common/processes.js";
import type { Kubectl } from "./kubectl.js";

type Deployment = types.output.apps.v1.Deployment;
type Job = types.output.batch.v1.Job;
type Pod = types.output.core.v1.Pod;
type Event = types.output.core.v1.Event;

export interface VerificationRun {
  readonly kubectl: Kubectl;
  readonly processes: Processes;
  /** The workload of the stack. Its image is not used: the Job has that of the running Deployment. */
  readonly workload: Workload;
  /** Receives the log of the Job. */
  readonly show: (text: string) => void;
  /** Receives one line of progress. */
  readonly tell: (line: string) => void;
  /** Polling interval in milliseconds. Default: 1,000. */
  readonly pause?: number;
}

/** Seconds after the Job's deadline in which the Job controller must set the Job's condition. */
const GRACE_SECONDS = 60;

/**
 * Runs the Job with the image and the accounts of the Deployment, shows its log, and deletes the Job and its ConfigMap.
 *
 * @returns whether every account passes
 * @throws UserError if the cluster is not reachable or does not have the Deployment
 */
export async function verifyInCluster(run: VerificationRun): Promise<boolean> {
  const { kubectl, processes, workload, tell } = run;
  const name = `holmes-aws-mcp-verify-${randomBytes(4).toString("hex")}`;
  const { image, configMap } = await readDeployment(run);
  const started = start({ ...run, workload: { ...workload, image } }, name, configMap);
  processes.onStop(async () => {
    // A creation that is in progress at a signal must not follow the deletion.
    await started.catch(() => {});
    await kubectl.run(["delete", "job,configmap", name, "--ignore-not-found", "--wait=false"]);
  });
  await started;
  tell(`cluster ${workload.cluster}: Job ${name} started with image ${image}`);
  return finished(run, name);
}

/** Image and accounts of the running Deployment. */
async function readDeployment({ kubectl, workload }: VerificationRun): Promise<{ image: string; configMap: string }> {
  const { serviceName, namespace } = workload;
  const deployment = await kubectl.get<Deployment>("deployment", serviceName).catch((error) => {
    const hint = ". Check the context, and run pulumi up for this stack.";
    throw /NotFound/.test(error.message) ? new UserError(`${error.message}${hint}`) : error;
  });
  const pod = deployment.spec.template.spec;
  const image = pod.containers.find(({ name }) => name === container)?.image;
  const configMap = pod.volumes?.find((volume) => volume.name === "aws-config")?.configMap?.name;
  if (image === undefined || configMap === undefined) {
    throw new UserError(
      `cluster ${workload.cluster}: Deployment ${namespace}/${serviceName} was not created by this program. Expected a container "${container}" and a volume "aws-config". Run pulumi up.`,
    );
  }
  return { image, configMap };
}

/** Creates the Job first, because it owns the ConfigMap: Kubernetes deletes both even if this process is killed. */
async function start({ kubectl, workload }: VerificationRun, name: string, configMap: string): Promise<void> {
  const { serviceName, namespace } = workload;
  const metadata = {
    name,
    namespace,
    labels: { ...labels(serviceName, "verification"), "app.kubernetes.io/managed-by": "kubectl" },
  };
  const owner = { apiVersion: "batch/v1", kind: "Job" };
  const spec = verificationJobSpec(workload, configMap, name, name);
  const job = await kubectl.create<Job>({ ...owner, metadata, spec: { ...spec, ttlSecondsAfterFinished: 600 } });
  await kubectl.create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata, ownerReferences: [{ ...owner, name, uid: job.metadata.uid }] },
    data: verificationData(workload),
  });
}

/** Waits until the Job has ended. Shows the log of its pod as soon as it starts, and warning events until then. */
async function finished(run: VerificationRun, name: string): Promise<boolean> {
  const { kubectl, processes, workload, show, pause = 1_000 } = run;
  const { cluster, verify } = workload;
  const tell = (line: string) => run.tell(`cluster ${cluster}: ${line}`);
  const end = Date.now() + (verify.timeoutSeconds + GRACE_SECONDS) * 1_000;
  const told = new Set<string>();
  let followed = false;
  while (Date.now() < end) {
    const pod = followed ? undefined : await startedPod(kubectl, name);
    if (pod !== undefined) {
      await kubectl.follow(processes, pod, show, run.tell);
      followed = true;
    }
    const { status } = await kubectl.get<Job>("job", name);
    // The reason why a pod is not created, is not scheduled or cannot pull its image.
    for (const warning of followed ? [] : await warnings(kubectl, name)) {
      if (!told.has(warning)) tell(warning);
      told.add(warning);
    }
    const verdict = status?.conditions?.find(
      (item) => ["Complete", "Failed"].includes(item.type) && item.status === "True",
    );
    if (verdict?.type === "Complete") return true;
    if (verdict !== undefined) {
      tell(`the Job failed (${verdict.reason ?? "Failed"}: ${verdict.message ?? "no message"})`);
      return false;
    }
    await sleep(pause);
  }
  tell("the Job did not end within its deadline");
  return false;
}

/** Name of the pod of a Job, if it has started. */
async function startedPod(kubectl: Kubectl, job: string): Promise<string | undefined> {
  const { items } = await kubectl.get<{ items: Pod[] }>("pods", `--selector=batch.kubernetes.io/job-name=${job}`);
  const started = items.find(({ status }) => ["Running", "Succeeded", "Failed"].includes(status.phase));
  return started?.metadata.name;
}

/**
 * Warning events of a Job and its pods, whose names begin with the name of the Job. An error, such as a missing
 * permission, is the only message then, because events only explain the result.
 */
async function warnings(kubectl: Kubectl, job: string): Promise<string[]> {
  try {
    const { items } = await kubectl.get<{ items: Event[] }>("events", "--field-selector=type=Warning");
    const own = items.filter(({ involvedObject }) => involvedObject.name?.startsWith(job));
    // A Job names each pod that it cannot create. Without their names, repeated events have one message.
    return own.map(({ message, reason }) =>
      (message ?? reason ?? "").replaceAll(new RegExp(`${job}-\\w{5}\\b`, "g"), job),
    );
  } catch (error) {
    return [`warning events cannot be read: ${(error as Error).message}`];
  }
}

/** The verification of `up`, run once more in a cluster: the same Job, made and removed with kubectl. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type VerificationOptions, verificationData, verificationJobSpec } from "../../documents/jobs.js";
import { container, labels } from "../../documents/names.js";
import type { Workload } from "../../documents/workload.js";
import { UserError } from "../common/errors.js";
import type { Processes } from "../common/processes.js";
import type { Kubectl } from "./kubectl.js";

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly { readonly name: string; readonly image: string }[];
        readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}

interface Job {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

interface Event {
  readonly type?: string;
  readonly message?: string;
}

export interface VerificationRun {
  readonly kubectl: Kubectl;
  readonly processes: Processes;
  /** The workload as the stack has it; its image is the one that runs. */
  readonly workload: Omit<Workload, "image">;
  /** Timeout, and the profiles that are not verified. */
  readonly options: VerificationOptions;
  /** Text of verification/verify.py. */
  readonly script: string;
  /** Gets the Job's own output. */
  readonly show: (text: string) => void;
  /** Gets one line of news about the Job. */
  readonly tell: (line: string) => void;
  /** Between two looks at the Job, in milliseconds. Default 1,000. */
  readonly pause?: number;
}

/** Seconds beyond the Job's own deadline in which the Job controller has to say what became of it. */
const grace = 60;

/**
 * Runs the Job with the image and the accounts of the Deployment, shows its log, and removes what it made.
 *
 * @returns whether every account answers
 * @throws UserError when the cluster cannot be asked, or has no such Deployment
 */
export async function verifyInCluster(run: VerificationRun): Promise<boolean> {
  const { kubectl, processes, tell } = run;
  const name = `holmes-aws-mcp-verify-${randomBytes(4).toString("hex")}`;
  const { image, configMap } = await whatRuns(run);
  const remove = async () => {
    await kubectl.run(["delete", "job,configmap", name, "--ignore-not-found", "--wait=false"]);
  };
  processes.onStop(remove);
  const job = await start(run, name, image, configMap);
  tell(`cluster ${run.workload.cluster}: Job ${name} started with image ${image}`);
  return finished(run, job.metadata.name);
}

/** Image and accounts of the Deployment as it is now. */
async function whatRuns({ kubectl, workload }: VerificationRun): Promise<{ image: string; configMap: string }> {
  const { serviceName, namespace } = workload;
  const deployment = await kubectl.get<Deployment | { items: [] }>("deployment", serviceName).catch((error) => {
    const hint = `; is it the right context, and has pulumi up run for this stack?`;
    throw /NotFound/.test(error.message) ? new UserError(`${error.message}${hint}`) : error;
  });
  const pod = "spec" in deployment ? deployment.spec.template.spec : undefined;
  const image = pod?.containers.find(({ name }) => name === container)?.image;
  const configMap = pod?.volumes?.find((volume) => volume.name === "aws-config")?.configMap?.name;
  if (image === undefined || configMap === undefined) {
    throw new UserError(
      `cluster ${workload.cluster}: Deployment ${namespace}/${serviceName} is not this program's: expected a container "${container}" and a volume "aws-config"; run pulumi up`,
    );
  }
  return { image, configMap };
}

/** The Job first: it owns the ConfigMap, so that nothing stays behind even when this process is killed. */
async function start(
  { kubectl, workload, options, script }: VerificationRun,
  name: string,
  image: string,
  configMap: string,
) {
  const { serviceName, namespace } = workload;
  const metadata = {
    name,
    namespace,
    labels: { ...labels(serviceName, "verification"), "app.kubernetes.io/managed-by": "kubectl" },
  };
  const job = await kubectl.create<Job>({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata,
    spec: {
      ...verificationJobSpec({ ...workload, image }, options, configMap, name, name),
      ttlSecondsAfterFinished: 600,
    },
  });
  await kubectl.create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata, ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid: job.metadata.uid }] },
    data: verificationData({ ...workload, image }, options, script),
  });
  return job;
}

/** Waits for the Job's end, and shows the log of its pod as soon as there is one. */
async function finished(run: VerificationRun, name: string): Promise<boolean> {
  const { kubectl, processes, workload, options, show, tell, pause = 1_000 } = run;
  const { cluster } = workload;
  const end = Date.now() + (options.timeoutSeconds + grace) * 1_000;
  let followed = false;
  let told = "";
  while (Date.now() < end) {
    const pod = followed ? undefined : (await podsOf(kubectl, name))[0];
    if (pod !== undefined && started(pod)) {
      await kubectl.follow(processes, pod.metadata.name, show, tell);
      followed = true;
    }
    const { status } = await kubectl.get<Job>("job", name);
    const verdict = status?.conditions?.find(
      (item) => ["Complete", "Failed"].includes(item.type) && item.status === "True",
    );
    if (verdict?.type === "Complete") return true;
    if (verdict !== undefined) {
      const why = `${verdict.reason ?? "Failed"}: ${verdict.message ?? "no message"}`;
      tell(`cluster ${cluster}: the Job failed (${why})${followed ? "" : await hindrances(kubectl, name)}`);
      return false;
    }
    const news = pod === undefined ? "" : waiting(pod);
    if (news !== told && news !== "") tell(`cluster ${cluster}: waiting for pod ${pod?.metadata.name}: ${news}`);
    told = news;
    await sleep(pause);
  }
  tell(`cluster ${cluster}: the Job did not end in time${await hindrances(kubectl, name)}`);
  return false;
}

async function podsOf(kubectl: Kubectl, job: string): Promise<readonly Pod[]> {
  return (await kubectl.get<{ items: Pod[] }>("pods", `--selector=batch.kubernetes.io/job-name=${job}`)).items;
}

const started = ({ status }: Pod) => ["Running", "Succeeded", "Failed"].includes(status?.phase ?? "");

/** Why a pod has not started: what its container waits for, or why no node takes it. */
function waiting({ status }: Pod): string {
  const container = status?.containerStatuses?.[0]?.state?.waiting;
  const unscheduled = status?.conditions?.find(({ type, status: is }) => type === "PodScheduled" && is === "False");
  const { reason, message } = container ?? unscheduled ?? {};
  return [reason, message].filter((part) => part !== undefined && part !== "").join(": ");
}

/** What the cluster says about a Job without a pod, or a pod that did not start. */
async function hindrances(kubectl: Kubectl, job: string): Promise<string> {
  const names = [job, ...(await podsOf(kubectl, job)).map(({ metadata }) => metadata.name)];
  const lists = await Promise.all(
    names.map((name) => kubectl.get<{ items: Event[] }>("events", `--field-selector=involvedObject.name=${name}`)),
  );
  const warnings = lists.flatMap(({ items }) => items).filter(({ type }) => type === "Warning");
  const messages = [...new Set(warnings.map(({ message }) => message ?? ""))];
  return messages.map((message) => `\n  ${message}`).join("");
}

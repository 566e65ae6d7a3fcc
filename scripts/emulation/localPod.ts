/**
 * Runs a container of a rendered pod as a process on this machine: its command, environment, ConfigMaps, Secrets and
 * token, with paths rewritten to a folder and addresses to loopback. Everything is read from the manifest.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { types } from "@pulumi/kubernetes";
import { paths } from "../../documents/names.js";
import { UserError } from "../common/errors.js";
import type { Registered } from "../common/evaluate.js";
import { type Child, freePort, type Processes, waitForHttp } from "../common/processes.js";
import { shellWord } from "./install.js";

type Pod = types.output.core.v1.PodSpec;
/** Fields that a manifest can omit are undefined. */
type Volume = Partial<types.output.core.v1.Volume>;
type Container = Partial<types.output.core.v1.Container>;

export interface LocalPodArgs {
  /** Deployment or Job, as registered. */
  readonly workload: Registered;
  /** The stack's resources, for the ConfigMaps and Secrets of the workload's cluster. */
  readonly resources: readonly Registered[];
  readonly folder: string;
  /** Programs of the image: path in the image to command line on this machine. */
  readonly image: Readonly<Record<string, readonly string[]>>;
  /** Additional environment for this machine: endpoints of the emulated AWS, proxy. */
  readonly environment: Readonly<Record<string, string>>;
  /** Creates the token of the pod's service account. */
  readonly token: (subject: {
    namespace: string;
    serviceAccount: string;
    audience: string;
    expiresInSeconds: number;
  }) => Promise<string>;
}

export interface LocalPod {
  readonly child: Child;
  readonly port: number;
  /** File of the projected token. */
  readonly tokenFile: string;
  /** Bearer token for clients of the server, if required. */
  readonly bearerToken: string | undefined;
  /** Environment of the process. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
}

/** Starts the pod's container and waits until it responds. */
export async function startLocalPod(processes: Processes, args: LocalPodArgs): Promise<LocalPod> {
  const { workload, folder } = args;
  const object = workload.open as { metadata: { namespace: string }; spec: { template: { spec: Pod } } };
  const pod = object.spec.template.spec;
  const container: Container = pod.containers[0]!;
  if (container.command === undefined) {
    throw new UserError(
      `${workload.name}: the image has its own command, which only a container can run. Rehearse a stack that builds its image.`,
    );
  }
  const rewrite = pathRewriter(folder, container.volumeMounts!);
  const port = await freePort();
  const local = loopback(port);
  const tokenFile = await placeVolumes(args, object.metadata.namespace, pod, rewrite);
  const environment = Object.fromEntries(
    container.env!.map(({ name, value, valueFrom }) => {
      const text =
        valueFrom === undefined
          ? value!
          : dataOf(args, "Secret", object.metadata.namespace, valueFrom.secretKeyRef.name)[valueFrom.secretKeyRef.key]!;
      return [name, local[name] ?? rewrite(text)];
    }),
  );
  const options = container.args ?? [];
  const words = [...container.command, ...options.map((word, index) => local[options[index - 1] ?? ""] ?? word)];
  const [command, ...rest] = words.flatMap((word, index) =>
    words[index - 1] === "--stdio" ? shellCommand(word, args.image) : (args.image[word] ?? rewrite(word)),
  );
  const env = { ...environment, ...args.environment, PATH: process.env.PATH };
  const child = processes.start("MCP server", command!, rest, { cwd: folder, env });
  await waitForHttp(`http://127.0.0.1:${port}${container.startupProbe?.httpGet?.path ?? "/"}`, {
    child,
    timeoutMs: 180_000,
  });
  const tokens = environment.HOLMES_AWS_MCP_TOKENS_FILE;
  const bearerToken = tokens === undefined ? undefined : readFileSync(tokens, "utf8").split("\n")[0];
  return { child, port, tokenFile, bearerToken, environment: env };
}

/** Rewrites the mount paths of the pod in one pass, so that no path is rewritten twice. */
function pathRewriter(folder: string, mounts: readonly { readonly mountPath: string }[]): (text: string) => string {
  const longestFirst = mounts.map(({ mountPath }) => mountPath).sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(?<![\\w./-])(${longestFirst.map(escapeRegExp).join("|")})(?![\\w.-])`, "g");
  return (text) => text.replace(pattern, (path) => join(folder, path));
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Replaces the programs in a shell command with those of this machine. Paths can contain spaces and apostrophes. */
function shellCommand(command: string, image: LocalPodArgs["image"]): string {
  return command
    .split(" ")
    .map((word) => image[word]?.map(shellWord).join(" ") ?? word)
    .join(" ");
}

/** Values of the environment variables and options that contain the address of the server. */
const loopback = (port: number): Readonly<Record<string, string>> => ({
  AWS_API_MCP_HOST: "127.0.0.1",
  AWS_API_MCP_PORT: String(port),
  "--host": "127.0.0.1",
  "--port": String(port),
});

async function placeVolumes(
  args: LocalPodArgs,
  namespace: string,
  pod: Pod,
  rewrite: (text: string) => string,
): Promise<string> {
  let tokenFile = "";
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o600 });
  };
  // Parent folders first, as in the kubelet.
  const mounts = [...pod.containers[0]!.volumeMounts].sort((a, b) => a.mountPath.length - b.mountPath.length);
  for (const { name, mountPath, subPath } of mounts) {
    const volume: Volume = pod.volumes.find((item) => item.name === name)!;
    const target = join(args.folder, mountPath);
    const source = volume.configMap ?? volume.secret;
    if (source !== undefined) {
      const data =
        volume.configMap !== undefined
          ? dataOf(args, "ConfigMap", namespace, volume.configMap.name)
          : dataOf(args, "Secret", namespace, volume.secret!.secretName);
      const items = source.items ?? Object.keys(data).map((key) => ({ key, path: key }));
      for (const { key, path } of items) {
        if (subPath === undefined) write(join(target, path), rewrite(data[key]!));
        else if (subPath === path) write(target, rewrite(data[key]!));
      }
    } else if (volume.projected !== undefined) {
      for (const { serviceAccountToken } of volume.projected.sources) {
        const { audience, expirationSeconds, path } = serviceAccountToken;
        tokenFile = join(target, path);
        const subject = {
          namespace,
          serviceAccount: pod.serviceAccountName,
          audience,
          expiresInSeconds: expirationSeconds,
        };
        write(tokenFile, await args.token(subject));
      }
    } else if (volume.emptyDir !== undefined) {
      mkdirSync(target, { recursive: true });
    } else {
      throw new UserError(
        `${args.workload.name}: volume ${name} is of a kind that only a cluster has. Remove it (mcp.extraVolumes) from the config that you rehearse.`,
      );
    }
  }
  return tokenFile;
}

/** Data of a ConfigMap or Secret of the workload's cluster. */
function dataOf(
  { resources, workload }: LocalPodArgs,
  kind: "ConfigMap" | "Secret",
  namespace: string,
  name: string,
): Record<string, string> {
  const found = resources.find(({ type, provider, open }) => {
    const metadata = open.metadata as { name?: string; namespace?: string } | undefined;
    return (
      type === `kubernetes:core/v1:${kind}` &&
      provider === workload.provider &&
      metadata?.name === name &&
      metadata.namespace === namespace
    );
  });
  if (found === undefined) {
    throw new UserError(
      `${workload.name}: ${kind} ${namespace}/${name} is managed outside this stack. The rehearsal cannot read it. Remove its volume (mcp.extraVolumes) from the config that you rehearse.`,
    );
  }
  const { data, stringData } = found.open as Record<string, Record<string, string> | undefined>;
  if (kind === "ConfigMap") return data ?? {};
  const decoded = Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return { ...Object.fromEntries(decoded), ...stringData };
}

/** Programs of the image that a pod uses, and their command lines on this machine. */
export function imageCommands(
  server: readonly string[],
  python: string,
  gateway: string,
): Record<string, readonly string[]> {
  return { [paths.server]: server, [paths.python]: [python], [paths.gateway]: [process.execPath, gateway] };
}

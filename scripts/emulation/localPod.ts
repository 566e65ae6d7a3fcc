/**
 * Runs a container of a rendered pod as a process on this machine: its command, environment, ConfigMaps, Secrets and
 * token, with paths rewritten to a folder and addresses to loopback. Everything is read from the manifest.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { types } from "@pulumi/kubernetes";
import { paths } from "../../config/names.js";
import { UserError } from "../common/errors.js";
import type { Registered } from "../common/evaluate.js";
import { freePort, type Processes, waitForHttp } from "../common/processes.js";
import type { TokenArgs } from "./tokens.js";

type Pod = types.output.core.v1.PodSpec;
/** Fields that a manifest can omit are undefined. */
type Volume = Partial<types.output.core.v1.Volume>;
type Container = Partial<types.output.core.v1.Container>;

export interface LocalPodArgs {
  /** Deployment, as registered. */
  readonly workload: Registered;
  /** The stack's resources, for the ConfigMaps and Secrets of the workload's cluster. */
  readonly resources: readonly Registered[];
  readonly folder: string;
  /** Programs of the image: path in the image to command line on this machine. */
  readonly image: Readonly<Record<string, readonly string[]>>;
  /** Additional environment for this machine: endpoints of the emulated AWS, proxy. */
  readonly environment: Readonly<Record<string, string>>;
  /** Creates the token of the pod's service account. */
  readonly token: (token: TokenArgs) => Promise<string>;
}

/** Starts the pod's container and waits until it responds. */
export async function startLocalPod(processes: Processes, args: LocalPodArgs) {
  const { workload, folder } = args;
  const object = workload.open as { metadata: { namespace: string }; spec: { template: { spec: Pod } } };
  const pod = object.spec.template.spec;
  const container: Container = pod.containers[0]!;
  if (container.command === undefined) {
    throw new UserError(
      `${workload.name}: the image has its own command, which only a container can run. Rehearse a stack that builds its image.`,
    );
  }
  const dataOf = dataReader(args, object.metadata.namespace);
  const rewrite = pathRewriter(folder, container.volumeMounts!);
  const port = await freePort();
  /** Values of the environment variables and options that contain the address of the server. */
  const local: Readonly<Record<string, string>> = {
    AWS_API_MCP_HOST: "127.0.0.1",
    AWS_API_MCP_PORT: String(port),
    "--host": "127.0.0.1",
    "--port": String(port),
  };
  for (const { name, mountPath } of container.volumeMounts!) {
    const { configMap, secret, projected, emptyDir }: Volume = pod.volumes.find((volume) => volume.name === name)!;
    const target = join(folder, mountPath);
    const write = (file: string, content: string) => {
      const path = join(target, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content, { mode: 0o600 });
    };
    if (configMap !== undefined || secret !== undefined) {
      const data = configMap ? dataOf("ConfigMap", configMap.name) : dataOf("Secret", secret!.secretName);
      for (const [key, value] of Object.entries(data)) write(key, rewrite(value));
    } else if (projected?.sources.every(({ serviceAccountToken }) => serviceAccountToken !== undefined)) {
      const subject = { namespace: object.metadata.namespace, serviceAccount: pod.serviceAccountName };
      for (const { serviceAccountToken } of projected.sources) {
        const { audience, expirationSeconds, path } = serviceAccountToken;
        write(path, await args.token({ ...subject, audience, expiresInSeconds: expirationSeconds }));
      }
    } else if (emptyDir !== undefined) {
      mkdirSync(target, { recursive: true });
    } else {
      throw new UserError(
        `${workload.name}: volume ${name} is of a kind that only a cluster has. Remove it (mcp.extraVolumes) from the config that you rehearse.`,
      );
    }
  }
  const environment = Object.fromEntries(
    container.env!.map(({ name, value, valueFrom }) => {
      const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
      return [name, local[name] ?? rewrite(secret === undefined ? value! : dataOf("Secret", secret)[key!]!)];
    }),
  );
  const options = container.args ?? [];
  const words = [...container.command, ...options.map((word, index) => local[options[index - 1] ?? ""] ?? word)];
  const [command, ...rest] = words.flatMap((word, index) =>
    words[index - 1] === "--stdio" ? shellCommand(word, args.image) : (args.image[word] ?? rewrite(word)),
  );
  const env = { ...environment, ...args.environment, PATH: process.env.PATH };
  const child = processes.start("MCP server", command!, rest, { cwd: folder, env });
  await waitForHttp(`http://127.0.0.1:${port}${container.startupProbe!.httpGet.path}`, { child });
  const tokens = environment.HOLMES_AWS_MCP_TOKENS_FILE;
  return {
    child,
    port,
    /** File of the projected token. */
    tokenFile: join(folder, paths.token, "token"),
    /** Bearer token for clients of the server, if required. */
    bearerToken: tokens && readFileSync(tokens, "utf8").split("\n")[0],
    /** Environment of the process. */
    environment: env,
  };
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

const shellWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Returns a function that reads a ConfigMap or a Secret of the workload's cluster. */
const dataReader =
  ({ resources, workload }: LocalPodArgs, namespace: string) =>
  (kind: "ConfigMap" | "Secret", name: string): Record<string, string> => {
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
    return (found.open.data ?? found.open.stringData) as Record<string, string>;
  };

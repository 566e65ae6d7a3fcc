/**
 * Runs a container of a rendered pod as a process of this machine: its command, environment, ConfigMaps and token,
 * moved to a folder and to loopback. What the pod is given is read from the manifest and nowhere else.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { paths } from "../../documents/workload.js";
import { UserError } from "../common/errors.js";
import type { Registered } from "../common/evaluate.js";
import { type Child, freePort, type Processes, waitForHttp } from "../common/processes.js";

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
}

interface Volume {
  readonly name: string;
  readonly configMap?: {
    readonly name: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly projected?: {
    readonly sources: readonly {
      readonly serviceAccountToken: {
        readonly audience: string;
        readonly expirationSeconds: number;
        readonly path: string;
      };
    }[];
  };
  readonly emptyDir?: object;
}

interface Pod {
  readonly serviceAccountName: string;
  readonly volumes: readonly Volume[];
  readonly containers: readonly {
    readonly command?: readonly string[];
    readonly args?: readonly string[];
    readonly env: readonly { readonly name: string; readonly value: string }[];
    readonly volumeMounts: readonly Mount[];
    readonly startupProbe?: { readonly httpGet?: { readonly path: string } };
  }[];
}

export interface LocalPodArgs {
  /** Deployment or Job, as registered. */
  readonly workload: Registered;
  /** The stack's resources: where the ConfigMaps are. */
  readonly resources: readonly Registered[];
  readonly folder: string;
  /** What lies in the image: paths there to paths here. */
  readonly image: Readonly<Record<string, string>>;
  /** Environment of this machine: where the emulated AWS is, how to get out. */
  readonly environment: Readonly<Record<string, string>>;
  /** Makes the token of the pod's service account. */
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
}

/** Starts the pod's container and waits until it answers. */
export async function startLocalPod(processes: Processes, args: LocalPodArgs): Promise<LocalPod> {
  const { workload, folder } = args;
  const object = workload.open as { metadata: { namespace: string }; spec: { template: { spec: Pod } } };
  const pod = object.spec.template.spec;
  const container = pod.containers[0]!;
  if (container.command === undefined) {
    throw new UserError(
      `${workload.name}: the image brings a command of its own, which only a container can run; rehearse a stack that builds its image`,
    );
  }
  const moved = mover(folder, container.volumeMounts, args.image);
  const port = await freePort();
  const tokenFile = await placeVolumes(args, object.metadata.namespace, pod, moved);
  const environment = Object.fromEntries(
    container.env.map(({ name, value }) => [name, loopbackVariable(name, moved(value), port)]),
  );
  const [command, ...rest] = [...container.command, ...loopbackArguments([...(container.args ?? [])], port)].map(moved);
  const child = processes.start("MCP server", command!, rest, {
    cwd: folder,
    env: { ...environment, ...args.environment, PATH: process.env.PATH },
  });
  await waitForHttp(`http://127.0.0.1:${port}${container.startupProbe?.httpGet?.path ?? "/"}`, {
    child,
    timeoutMs: 60_000,
  });
  return { child, port, tokenFile };
}

/** Rewrites paths of the pod and of the image in one pass, so that no path is moved twice. */
function mover(
  folder: string,
  mounts: readonly Mount[],
  image: Readonly<Record<string, string>>,
): (text: string) => string {
  const places = new Map([
    ...Object.entries(image),
    ...mounts.map(({ mountPath }): [string, string] => [mountPath, join(folder, mountPath)]),
  ]);
  const longestFirst = [...places.keys()]
    .sort((a, b) => b.length - a.length)
    .map((path) => path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\w./-])(${longestFirst.join("|")})(?![\\w.-])`, "g");
  return (text) => text.replace(pattern, (path) => places.get(path)!);
}

const loopbackVariable = (name: string, value: string, port: number) =>
  name === "AWS_API_MCP_HOST" ? "127.0.0.1" : name === "AWS_API_MCP_PORT" ? String(port) : value;

function loopbackArguments(args: string[], port: number): string[] {
  return args.map((value, index) =>
    args[index - 1] === "--host" ? "127.0.0.1" : args[index - 1] === "--port" ? String(port) : value,
  );
}

async function placeVolumes(
  args: LocalPodArgs,
  namespace: string,
  pod: Pod,
  moved: (text: string) => string,
): Promise<string> {
  let tokenFile = "";
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o600 });
  };
  // Outer folders first, as the kubelet mounts them.
  const mounts = [...pod.containers[0]!.volumeMounts].sort((a, b) => a.mountPath.length - b.mountPath.length);
  for (const { name, mountPath, subPath } of mounts) {
    const volume = pod.volumes.find((item) => item.name === name)!;
    const target = join(args.folder, mountPath);
    if (volume.configMap !== undefined) {
      const data = configMap(args.resources, namespace, volume.configMap.name);
      const items = volume.configMap.items ?? Object.keys(data).map((key) => ({ key, path: key }));
      for (const { key, path } of items) {
        if (subPath === undefined) write(join(target, path), moved(data[key]!));
        else if (subPath === path) write(target, moved(data[key]!));
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
      throw new UserError(`${args.workload.name}: volume ${name} is of a kind that only a cluster has`);
    }
  }
  return tokenFile;
}

function configMap(resources: readonly Registered[], namespace: string, name: string): Record<string, string> {
  const found = resources.find(({ type, open }) => {
    const metadata = open.metadata as { name?: string; namespace?: string } | undefined;
    return type === "kubernetes:core/v1:ConfigMap" && metadata?.name === name && metadata.namespace === namespace;
  });
  if (found === undefined) throw new Error(`no ConfigMap ${namespace}/${name} is registered`);
  return found.open.data as Record<string, string>;
}

/** Paths of the image that a pod names, and what stands for them on this machine. */
export function imagePaths(server: string, python: string, gateway: string): Record<string, string> {
  return { [paths.server]: server, [paths.python]: python, [paths.gateway]: gateway };
}

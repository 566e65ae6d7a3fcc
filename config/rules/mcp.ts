import type { z } from "zod";
import { awsCommands } from "../awsCommands.js";
import { inBlock, type labelSelector } from "../kubernetesFields.js";
import { annotations, environmentNames, labels, metricsAnnotations, paths, volumes } from "../names.js";
import type { Reading } from "../reading.js";
import { entries, exists, keysOf, type Rule, rejectPasswords, requireSecret, unique, valuesOf } from "./rule.js";

/** Environment variables that the program sets or rejects, with the reason. */
const reservedEnvironment: ReadonlyArray<readonly [pattern: RegExp, why: string]> = [
  [
    /^AWS_(DEFAULT_)?(PROFILE|REGION)$/,
    "It overrides the profile of every account. Set accounts and regions in targetAccounts.",
  ],
  [
    /^(AWS_CREDENTIAL_FILE|BOTO_CONFIG|BOTO3?_.*)$|^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|EC2_METADATA_.*|CONTAINER_.*|LOGIN_CACHE_DIRECTORY)$/,
    "Credentials come from the profiles only.",
  ],
  [
    /^(READ_OPERATIONS_ONLY|AWS_API_MCP_.*|AUTH_.*|FASTMCP_.*)$/,
    "The program sets the protections and the transport of the server.",
  ],
  [/^ENDPOINT_SUGGEST_AWS_COMMANDS$/, "Use mcp.suggestCommands instead."],
  [
    /^AWS_(ENDPOINT_URL(_.*)?|IGNORE_CONFIGURED_ENDPOINT_URLS|USE_(FIPS|DUALSTACK)_ENDPOINT_URL)$/,
    "It sends signed requests to another host. Add the hosts of VPC endpoints to mcp.allowedEndpoints.",
  ],
  [
    /^(PYTHON.*|LD_.*|NODE_OPTIONS|NODE_PATH|AWS_DATA_PATH|BASH_ENV|ENV|GCONV_PATH|OPENSSL_(CONF|MODULES|ENGINES))$/,
    "It would change the code that runs in the container.",
  ],
  [
    /^(AWS_CSM_.*|SSLKEYLOGFILE|NODE_TLS_REJECT_UNAUTHORIZED)$/,
    "It would disclose calls or stop the verification of certificates.",
  ],
  [new RegExp(`^(HOLMES_AWS_MCP_.*|PATH|${environmentNames.join("|")})$`), "The program or the image sets it."],
];

/** Labels of the pod that the program or Kubernetes sets. */
const ownLabels = [...Object.keys(labels("")), "pod-template-hash"];

/** Directories of the image and the system. */
const systemDirectories = [
  ...["/bin", "/boot", "/dev", "/home", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/root", "/sbin", "/sys", "/usr"],
  ...["/etc/group", "/etc/holmes-aws-mcp", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/run/secrets"],
  ...["/var/run/secrets", ...Object.values(paths)],
];

/** Whether a mount would hide a directory of the system, or would be inside one. */
function isReserved(mountPath: string): boolean {
  const path = mountPath.replace(/\/+$/, "");
  const holds = (outer: string, inner: string) => `${inner}/`.startsWith(`${outer}/`);
  // A single certificate can be mounted into the directory.
  if (holds(path, "/etc/ssl/certs")) return true;
  return systemDirectories.some((directory) => holds(path, directory) || holds(directory, path));
}

/** Addresses of EC2 instance metadata, ECS credentials and EKS Pod Identity credentials. */
const metadataAddresses = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254"];

/** Whether a label selector selects everything. Every namespace has its name as a label. */
const isEmpty = ({ matchLabels = {}, matchExpressions = [] }: Selector) =>
  Object.keys(matchLabels).length === 0 &&
  matchExpressions.every(({ key, operator }) => key === "kubernetes.io/metadata.name" && operator === "Exists");
type Selector = Reading<z.output<typeof labelSelector>>;

/** Port of a URL whose scheme can be missing. Undefined if it is not a URL. */
function portOf(url: string): number | undefined {
  const full = url.includes("://") ? url : `http://${url}`;
  if (!URL.canParse(full)) return undefined;
  const { port, protocol } = new URL(full);
  return port === "" ? { "http:": 80, "https:": 443 }[protocol] : Number(port);
}

/** Converts a Kubernetes quantity to a number. */
function quantity(value: string | null | undefined): number | undefined {
  const [, number, unit = ""] = value?.match(/^([\d.]+)([a-zA-Z]*)$/) ?? [];
  if (number === undefined) return undefined;
  if (unit === "m") return Number(number) / 1000;
  const power = ["", "K", "M", "G", "T", "P", "E"].indexOf(unit.charAt(0).toUpperCase());
  return Number(number) * (unit.endsWith("i") ? 1024 : 1000) ** power;
}

export const mcpRules: readonly Rule[] = [
  {
    says: "`replicas` must be 1 unless `transport` is `streamable-http`.",
    check: ({ mcp: { replicas, transport } }, problems) => {
      if ((replicas ?? 1) === 1 || transport !== "sse") return;
      const expected = "1 with transport sse, because each session exists in a single process";
      problems.add(["mcp", "replicas"], replicas, expected, "Set mcp.transport: streamable-http for more replicas.");
    },
  },
  {
    says: "`env` must not contain variables that affect the identity, endpoints, protections or code of the server, such as `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL*`, AWS credentials and their files, `READ_OPERATIONS_ONLY`, `AWS_API_MCP_*`, `AUTH_*`, `FASTMCP_*`, `PYTHON*`, `LD_*`, `HOME`, `TMPDIR`, `PATH`.",
    check: ({ mcp }, problems) => {
      for (const [path, name] of keysOf(["mcp", "env"], mcp.env)) {
        const why = reservedEnvironment.find(([pattern]) => pattern.test(name))?.[1];
        if (why === undefined) continue;
        problems.say(path, "a reserved variable", "a variable that the program does not reserve", why);
      }
    },
  },
  {
    says: "A URL in `env` that contains a password must be a Pulumi secret.",
    check: ({ mcp }, problems, isSecret) => {
      if (!isSecret("mcp")) rejectPasswords(problems, ["mcp", "env"], mcp.env);
    },
  },
  {
    says: "The NetworkPolicy must allow the port of a proxy in `env`, with `networkPolicy.egressPorts` or `networkPolicy.additionalEgress`.",
    check: ({ mcp: { env, networkPolicy } }, problems) => {
      const { enabled, egressPorts, additionalEgress } = networkPolicy;
      if (enabled === false || additionalEgress.length > 0) return;
      for (const [name, value] of Object.entries(env)) {
        const proxyPort = /^(https?|all)_proxy$/i.test(name) ? portOf(value ?? "") : undefined;
        if (proxyPort === undefined || egressPorts.includes(proxyPort)) continue;
        const fix = `Add ${proxyPort} to mcp.networkPolicy.egressPorts, or a rule to mcp.networkPolicy.additionalEgress.`;
        problems.say(["mcp", "env", name], `a proxy on port ${proxyPort}`, "a port that the NetworkPolicy allows", fix);
      }
    },
  },
  {
    says: "`podLabels` and `podAnnotations` must not contain keys that the program or Kubernetes sets: `app`, the `app.kubernetes.io/*` set, `pod-template-hash`, `eks.amazonaws.com/skip-containers`, `holmes-aws-mcp/*`, and `prometheus.io/*` with `metrics.enabled`.",
    check: ({ mcp }, problems) => {
      const metrics = mcp.metrics.enabled ? metricsAnnotations(0) : {};
      const ownAnnotations = [...Object.values(annotations), ...Object.keys(metrics)];
      const reserved = [
        ...keysOf(["mcp", "podLabels"], mcp.podLabels).filter(([, name]) => ownLabels.includes(name)),
        ...keysOf(["mcp", "podAnnotations"], mcp.podAnnotations).filter(([, name]) => ownAnnotations.includes(name)),
      ];
      for (const [path] of reserved) problems.say(path, "a reserved key", "a key that the program does not set");
    },
  },
  {
    says: "`nodeSelector` must match the platform of a built image and must not select Windows nodes.",
    check: ({ mcp, image }, problems) => {
      const { "kubernetes.io/arch": architecture, "kubernetes.io/os": os } = mcp.nodeSelector;
      const platform = image?.build?.platform;
      const path = ["mcp", "nodeSelector"];
      if (platform && architecture && architecture !== platform.split("/").at(-1)) {
        const expected = `the architecture of image.build.platform, ${platform}`;
        problems.add([...path, "kubernetes.io/arch"], architecture, expected);
      }
      if (os && os !== "linux") {
        problems.add([...path, "kubernetes.io/os"], os, "linux, because the image is a Linux image");
      }
    },
  },
  {
    says: "A resource limit must be at least the request. The memory limit must be at least 384Mi.",
    check: ({ mcp }, problems) => {
      const { requests, limits } = mcp.resources;
      const path = ["mcp", "resources", "limits"];
      for (const key of ["cpu", "memory"] as const) {
        const [request, limit] = [quantity(requests[key]), quantity(limits[key])];
        if (request === undefined || limit === undefined || request <= limit) continue;
        problems.add([...path, key], limits[key], `at least requests.${key}, ${requests[key]}`);
      }
      if ((quantity(limits.memory) ?? Number.POSITIVE_INFINITY) < 384 * 1024 ** 2) {
        const fix = "The server used up to 317 MiB with 50 concurrent clients. A number without a unit is in bytes.";
        problems.add([...path, "memory"], limits.memory, "at least 384Mi", fix);
      }
    },
  },
  {
    says: "An extra volume must have a unique name and one source that Pod Security `restricted` permits. Its mount path must be unique and must not be a path of the program or of the system.",
    check: ({ mcp }, problems) => {
      const mounts = ["mcp", "extraVolumeMounts"];
      const mountPaths = valuesOf(mounts, mcp.extraVolumeMounts, "mountPath");
      const names = mcp.extraVolumes.map(({ name }) => name);
      unique(problems, valuesOf(["mcp", "extraVolumes"], mcp.extraVolumes, "name"), "a unique volume name", volumes);
      exists(problems, valuesOf(mounts, mcp.extraVolumeMounts, "name"), names, "a volume in mcp.extraVolumes");
      unique(problems, mountPaths, "a unique mount path");
      for (const [path, mountPath] of mountPaths) {
        if (mountPath === null || !isReserved(mountPath)) continue;
        problems.add(path, mountPath, "a path that the program or the system does not use");
      }
    },
  },
  {
    says: "`additionalPeers` and `metrics.peers` must not select the pods of all namespaces, or a CIDR block with a prefix length of less than 7.",
    check: ({ mcp }, problems) => {
      const { networkPolicy, metrics } = mcp;
      for (const [path, peer] of [
        ...entries(["mcp", "networkPolicy", "additionalPeers"], networkPolicy.additionalPeers),
        ...entries(["mcp", "metrics", "peers"], metrics.peers),
      ]) {
        const everyPod = peer.namespaceSelector && isEmpty(peer.namespaceSelector) && isEmpty(peer.podSelector ?? {});
        if (!everyPod && !/\/0*[0-6]$/.test(peer.ipBlock?.cidr ?? "")) continue;
        problems.add(path, peer, "specific pods, namespaces or addresses, not all of them");
      }
    },
  },
  {
    says: "`additionalEgress` must not contain the instance metadata and credential addresses.",
    check: ({ mcp }, problems) => {
      const egress = entries(["mcp", "networkPolicy", "additionalEgress"], mcp.networkPolicy.additionalEgress);
      const blocks = egress.flatMap(([path, { to }]) => valuesOf([...path, "to"], to, "ipBlock"));
      for (const [path, ipBlock] of blocks) {
        const within = (block: string | null | undefined, address: string) => inBlock(address, block ?? "");
        const address = metadataAddresses.find(
          (one) => within(ipBlock?.cidr, one) && !ipBlock?.except?.some((block) => within(block, one)),
        );
        if (address === undefined) continue;
        const expected = `a block without ${address}, which serves credentials of the node`;
        problems.add(path, ipBlock, expected, "Exclude the address with except.");
      }
    },
  },
  {
    says: "`denyList` must contain operations of the AWS CLI version in the image.",
    check: ({ mcp: { denyList } }, problems) => {
      const denied = entries(["mcp", "denyList"], denyList);
      const commands = denied.length === 0 ? [] : awsCommands();
      // The server compares service and operation exactly, so any other entry would deny nothing.
      exists(problems, denied, commands, "a service and an operation of the AWS CLI");
    },
  },
  {
    says: "`authentication.tokens` must be Pulumi secrets and require `type: bearer`.",
    check: ({ mcp: { authentication, transport } }, problems, isSecret) => {
      const { tokens = [], type = transport === "sse" ? "none" : "bearer" } = authentication;
      const path = ["mcp", "authentication"];
      for (const [place] of isSecret("mcp") ? [] : entries([...path, "tokens"], tokens))
        requireSecret(problems, place, "plain text");
      if (tokens.length > 0 && type === "none") problems.say([...path, "type"], "none with tokens", "bearer");
    },
  },
];

/**
 * What no single key can tell: names that must be unique or must exist, keys that contradict each other.
 * The checks read the raw config, so that they speak even when some key's type is wrong.
 */
import { sensitivePatterns } from "../policies/sensitiveReads.js";
import { dnsSuffixOf, limits, partitionOf, rules, type TextRule } from "./limits.js";
import { nearest, type Path, type Problems, pathText } from "./problems.js";
import { issuerUrl } from "./settings.js";

type Row = Record<string, unknown>;

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);
const row = (value: unknown): Row => (isRow(value) ? value : {});
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const rows = (value: unknown): Row[] => (Array.isArray(value) ? value.map(row) : []);
/** The texts of a list with their places; what is no text stands as undefined. */
const texts = (value: unknown): Array<string | undefined> => (Array.isArray(value) ? value.map(text) : []);
const known = (value: unknown): string[] => texts(value).filter((item) => item !== undefined);

/**
 * The image that the readme of the old resources names, wherever it was copied to: its gateway is stock Supergateway,
 * and it has no native HTTP.
 */
export const legacyImage =
  /genuine-flight-317411\/devel\/aws-api-mcp-server([:@]|$)|\/aws-api-mcp-server:1\.0\.1(@sha256:[0-9a-f]+)?$/;

/** Environment that the program sets or keeps out, and what goes wrong otherwise. */
const reservedEnvironment: ReadonlyArray<readonly [pattern: RegExp, why: string]> = [
  [
    /^AWS_(DEFAULT_)?(PROFILE|REGION)$/,
    "It would win over every account's profile; accounts and regions come from targetAccounts.",
  ],
  [
    /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|EC2_METADATA_.*|CONTAINER_.*)$/,
    "Credentials come from the profiles only.",
  ],
  [/^(READ_OPERATIONS_ONLY|AWS_API_MCP_.*|AUTH_.*|FASTMCP_.*)$/, "The program sets the server's guards and transport."],
  [/^ENDPOINT_SUGGEST_AWS_COMMANDS$/, "mcp.suggestCommands decides about it."],
  [/^(HOME|TMPDIR|PATH)$/, "The program or the image sets it."],
];

/** Labels and annotations of the pod that the program sets itself. */
const ownLabels = ["app", "name", "instance", "component", "part-of", "managed-by"].map((name) =>
  name === "app" ? name : `app.kubernetes.io/${name}`,
);
const ownAnnotations = ["eks.amazonaws.com/skip-containers", "holmes-aws-mcp/config-hash", "holmes-aws-mcp/verifies"];

/** Volumes and directories of the pod that the program makes itself. */
const ownVolumes = ["home", "home-aws", "home-aws-log", "tmp", "aws-config", "aws-token", "deny-list", "verify"];
const ownDirectories =
  /^\/(home\/mcp|tmp|etc\/holmes-aws-mcp|opt|proc|sys|dev|var\/run\/secrets\/(eks\.amazonaws\.com|kubernetes\.io))(\/|$)|^\/$/;

/** Parts of a kubeconfig that are credentials. */
const credential = /^\s*"?(token|password|client-key-data|id-token|refresh-token)"?:\s*\S/m;

/** Adds the contradictions in a raw config. */
export function crossChecks(
  config: Row,
  policyGroups: readonly string[],
  isSecret: (key: string) => boolean,
  problems: Problems,
): void {
  for (const check of [
    checkClusters,
    checkAccounts,
    checkOrganization,
    checkProfiles,
    checkIam,
    checkImage,
    checkWorkload,
    checkPod,
  ]) {
    check(config, problems);
  }
  for (const [index, group] of texts(row(config.iam).disabledPolicyGroups).entries()) {
    exists(
      problems,
      ["iam", "disabledPolicyGroups", index],
      group,
      policyGroups,
      "a service group of the default policy",
    );
  }
  for (const [index, pattern] of texts(row(config.iam).sensitiveReadsExcept).entries()) {
    exists(
      problems,
      ["iam", "sensitiveReadsExcept", index],
      pattern,
      sensitivePatterns,
      "an action that iam.sensitiveReads denies, as docs/permissions.md writes it",
    );
  }
  checkPlainSecrets(config, isSecret, problems);
  checkKeys([], config, problems);
}

/** Every value that stands at a second place, compared without case where AWS or a file system does not tell it. */
function unique(
  problems: Problems,
  entries: ReadonlyArray<readonly [Path, string | undefined]>,
  what: string,
  taken: readonly string[] = [],
): void {
  const first = new Map<string, string>(taken.map((name) => [name, "The program has it itself."]));
  for (const [path, value] of entries) {
    if (value === undefined) continue;
    const key = value.toLowerCase();
    const before = first.get(key);
    if (before === undefined) first.set(key, `It is at ${pathText(path)} already.`);
    else problems.add(path, value, what, before);
  }
}

/** A name that has to be one of those given. */
export function exists(
  problems: Problems,
  path: Path,
  name: string | undefined,
  names: readonly string[],
  what: string,
): void {
  if (name === undefined || names.includes(name)) return;
  const near = nearest(name, names);
  const all =
    names.length === 0 ? "there is none" : `one of ${names.length <= 20 ? names.join(", ") : `${names.length}`}`;
  problems.add(path, name, `${what}: ${all}`, near === undefined ? undefined : `Did you mean ${near}?`);
}

/** Text of the service account that signs: the workload's own, or Holmes' with the hosted server. */
function ownSubject(config: Row): string {
  const { kubernetes, holmes } = { kubernetes: row(config.kubernetes), holmes: row(config.holmes) };
  return holmes.hosted === true
    ? `${text(holmes.namespace) ?? "default"}:${text(holmes.serviceAccount) ?? "robusta-holmes-service-account"}`
    : `${text(kubernetes.namespace) ?? "holmes-aws-mcp"}:${text(kubernetes.serviceAccount) ?? "aws-api-mcp-sa"}`;
}

const workloadEnabled = (config: Row) => row(config.mcp).enabled !== false;

function issuerOf(cluster: Row): string | undefined {
  const id = text(cluster.oidcIssuerId);
  const region = text(cluster.region);
  return text(cluster.oidcIssuerUrl) ?? (id !== undefined && region !== undefined ? issuerUrl(region, id) : undefined);
}

/** Region, DNS suffix and id of an issuer of EKS; undefined for any other. */
function eksIssuer(url: string | undefined) {
  const [, region, suffix, id] = url?.match(/^https:\/\/oidc\.eks\.([^./]+)\.([^/]+)\/id\/(.*)$/) ?? [];
  return region === undefined || suffix === undefined || id === undefined ? undefined : { region, suffix, id };
}

/** Issuers of EKS have a dual-stack form as well, `https://oidc-eks.<region>.api.aws/id/<ID>`. */
const isEks = (url: string) => /^https:\/\/oidc(\.|-)eks\./.test(url);

function checkClusters(config: Row, problems: Problems): void {
  const clusters = rows(config.clusters);
  unique(
    problems,
    clusters.map((cluster, index) => [["clusters", index, "name"], text(cluster.name)]),
    "a name that no other cluster has",
  );
  unique(
    problems,
    clusters.flatMap((cluster, index) => {
      const key = cluster.oidcIssuerUrl === undefined ? "oidcIssuerId" : "oidcIssuerUrl";
      return [
        [["clusters", index, key], issuerOf(cluster)] as const,
        ...texts(cluster.previousIssuers).map((url, at) => [["clusters", index, "previousIssuers", at], url] as const),
      ];
    }),
    "an issuer that no other entry has",
  );
  for (const [index, cluster] of clusters.entries()) {
    checkIssuer(cluster, ["clusters", index], problems);
    if (workloadEnabled(config) && cluster.deploy !== false) checkReach(cluster, ["clusters", index], problems);
  }
  const issuers = clusters.reduce((sum, cluster) => sum + 1 + texts(cluster.previousIssuers).length, 0);
  if (issuers > limits.oidcProvidersPerAccount) {
    problems.say(
      ["clusters"],
      `${issuers} issuers`,
      `at most ${limits.oidcProvidersPerAccount}, IAM's quota of OIDC providers for an account`,
      "Split the clusters over stacks whose target accounts differ.",
    );
  }
}

function checkIssuer(cluster: Row, path: Path, problems: Problems): void {
  const id = text(cluster.oidcIssuerId);
  const url = text(cluster.oidcIssuerUrl);
  const region = text(cluster.region);
  if (id !== undefined && url !== undefined && url.split("/").at(-1) !== id) {
    problems.add(
      [...path, "oidcIssuerUrl"],
      url,
      `the URL that ends in ${id}, as oidcIssuerId says`,
      "Give one of the two.",
    );
  }
  if (cluster.oidcIssuerId === undefined && cluster.oidcIssuerUrl === undefined && cluster.profile === undefined) {
    problems.add(
      [...path, "oidcIssuerId"],
      undefined,
      "oidcIssuerId or oidcIssuerUrl, or profile to look the issuer up from EKS",
      "aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text",
    );
  }
  const issuers: Array<readonly [Path, string | undefined]> = [
    [[...path, "oidcIssuerUrl"], url],
    ...texts(cluster.previousIssuers).map((previous, at) => [[...path, "previousIssuers", at], previous] as const),
  ];
  for (const [place, issuer] of issuers) {
    const eks = eksIssuer(issuer);
    if (eks === undefined) continue;
    if (!rules.oidcIssuerId.pattern.test(eks.id)) {
      problems.add(place, issuer, `after /id/ ${rules.oidcIssuerId.expected}`, rules.oidcIssuerId.fix?.(eks.id));
    }
    if (region !== undefined && eks.region !== region) {
      problems.add(place, issuer, `an issuer in ${region}, the cluster's region`);
    } else if (eks.suffix !== dnsSuffixOf(eks.region)) {
      problems.add(place, issuer, `an issuer under ${dnsSuffixOf(eks.region)}, as EKS has it in ${eks.region}`);
    }
  }
}

/** Where the workload goes, the program has to get into the cluster. */
function checkReach(cluster: Row, path: Path, problems: Problems): void {
  if (cluster.kubeconfig !== undefined || cluster.context !== undefined) return;
  const url = text(cluster.oidcIssuerUrl);
  const selfHosted = url !== undefined && !isEks(url);
  if (cluster.profile !== undefined && !selfHosted) return;
  problems.add(
    [...path, "kubeconfig"],
    undefined,
    selfHosted
      ? "kubeconfig or context, because the issuer is not one of EKS"
      : "kubeconfig, context, or profile to make a kubeconfig from EKS",
    "Set one, or deploy: false when the server does not run there.",
  );
}

function checkAccounts(config: Row, problems: Problems): void {
  const accounts = rows(config.targetAccounts);
  const clusterNames = rows(config.clusters).flatMap((cluster) => text(cluster.name) ?? []);
  if (accounts.length === 0 && row(config.organization).accountsFile === undefined) {
    problems.add(
      ["targetAccounts"],
      config.targetAccounts,
      "at least one target account, or organization.accountsFile",
    );
  }
  unique(
    problems,
    accounts.map((account, index) => [["targetAccounts", index, "profile"], text(account.profile)]),
    "a profile that no other account has",
  );
  unique(
    problems,
    accounts.map((account, index) => [["targetAccounts", index, "accountId"], text(account.accountId)]),
    "an account that no other entry has",
  );
  for (const [index, account] of accounts.entries()) {
    const path = ["targetAccounts", index];
    const existing = texts(account.existingOidcProviders);
    for (const [at, name] of existing.entries()) {
      exists(problems, [...path, "existingOidcProviders", at], name, clusterNames, "a name in clusters");
    }
    for (const [at, name] of texts(row(account.adopt).oidcProviders).entries()) {
      const place = [...path, "adopt", "oidcProviders", at];
      exists(problems, place, name, clusterNames, "a name in clusters");
      if (name !== undefined && existing.includes(name)) {
        problems.add(
          place,
          name,
          "a cluster that is not in existingOidcProviders",
          "A provider is either taken over or left to its owner.",
        );
      }
    }
    for (const [at, name] of texts(account.clusters).entries()) {
      exists(problems, [...path, "clusters", at], name, clusterNames, "a name in clusters");
    }
    checkUnmanaged(account, path, problems);
    checkArns(config, account, path, problems);
  }
}

/** Clusters whose provider some accounts of the organization have. */
function checkOrganization(config: Row, problems: Problems): void {
  const clusterNames = rows(config.clusters).flatMap((cluster) => text(cluster.name) ?? []);
  for (const name of Object.keys(row(row(config.organization).existingOidcProviders))) {
    exists(problems, ["organization", "existingOidcProviders", name], name, clusterNames, "a name in clusters");
  }
}

/** Keys that say how the program makes something, beside one that says it makes nothing. */
function checkUnmanaged(account: Row, path: Path, problems: Problems): void {
  if (account.manage !== false) return;
  for (const key of ["adopt", "existingOidcProviders", "assumeRole", "permissionsBoundary", "policyFile"]) {
    const value = account[key];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    problems.add(
      [...path, key],
      value,
      "nothing here, because manage is false",
      "Remove the key, or manage the account.",
    );
  }
}

/** ARNs have to be of the account, and of the partition that its region is in. */
function checkArns(config: Row, account: Row, path: Path, problems: Problems): void {
  const accountId = text(account.accountId);
  const region = text(account.region) ?? text(rows(config.clusters)[0]?.region);
  const check = (place: Path, value: unknown, kind: string, fix?: string) => {
    const arn = text(value);
    if (arn?.startsWith("arn:") !== true) return;
    const [, partition, , , owner] = arn.split(":");
    if (accountId !== undefined && owner !== accountId && owner !== "aws") {
      problems.add(place, arn, `${kind} of account ${accountId} (accountId)`, fix);
    }
    if (region !== undefined && partition !== partitionOf(region)) {
      problems.add(place, arn, `${kind} in partition ${partitionOf(region)}, where region ${region} is`, fix);
    }
  };
  check([...path, "assumeRole", "roleArn"], row(account.assumeRole).roleArn, "a role");
  const byName = "Give the policy's name alone: it is then looked for in each account.";
  check([...path, "permissionsBoundary"], account.permissionsBoundary, "a policy", byName);
  if (account.permissionsBoundary === undefined && account.manage !== false) {
    check(["iam", "permissionsBoundary"], row(config.iam).permissionsBoundary, "a policy", byName);
  }
}

/** One profile is one account, wherever it is named. */
function checkProfiles(config: Row, problems: Problems): void {
  const organization = row(config.organization);
  const owners: Array<readonly [Path, Row]> = [
    ...rows(config.targetAccounts).map((account, index) => [["targetAccounts", index], account] as const),
    ...rows(config.clusters).map((cluster, index) => [["clusters", index], cluster] as const),
    [["organization"], organization],
  ];
  const first = new Map<string, readonly [Path, string]>();
  for (const [path, owner] of owners) {
    const { profile, accountId } = { profile: text(owner.profile), accountId: text(owner.accountId) };
    if (profile === undefined || accountId === undefined) continue;
    const before = first.get(profile);
    if (before === undefined) first.set(profile, [path, accountId]);
    // Two target accounts with one profile are told of as duplicates.
    else if (before[1] !== accountId && path[0] !== "targetAccounts") {
      problems.add(
        [...path, "profile"],
        profile,
        `a profile of account ${accountId} (accountId)`,
        `${pathText(before[0])} has it for account ${before[1]}.`,
      );
    }
  }
  if (organization.accountsFile !== undefined) return;
  checkProfileNames(
    config,
    rows(config.targetAccounts).flatMap((account) => text(account.profile) ?? []),
    problems,
  );
}

/** Keys that name a target account by its profile. */
export function checkProfileNames(config: Row, profiles: readonly string[], problems: Problems): void {
  const what = "a profile in targetAccounts";
  exists(problems, ["defaultProfile"], text(config.defaultProfile), profiles, what);
  for (const [index, profile] of texts(row(config.verify).skipProfiles).entries()) {
    exists(problems, ["verify", "skipProfiles", index], profile, profiles, what);
  }
}

function checkIam(config: Row, problems: Problems): void {
  const iam = row(config.iam);
  const tags = Object.keys(row(iam.tags));
  if (tags.length > limits.tags) {
    problems.say(["iam", "tags"], `${tags.length} tags`, `at most ${limits.tags}, IAM's limit for a resource`);
  }
  unique(
    problems,
    tags.map((key) => [["iam", "tags", key], key]),
    "a tag key that differs from the others in more than upper and lower case",
  );
  if (iam.policyFile !== undefined) {
    for (const key of ["disabledPolicyGroups", "additionalActions"]) {
      if (known(iam[key]).length > 0) {
        problems.add(["iam", key], iam[key], "nothing here, because iam.policyFile replaces the default policy");
      }
    }
  }
  unique(
    problems,
    texts(row(config.kubernetes).additionalSubjects).map((subject, index) => [
      ["kubernetes", "additionalSubjects", index],
      subject,
    ]),
    "a service account that is not trusted yet",
    [ownSubject(config)],
  );
}

function checkImage(config: Row, problems: Problems): void {
  const image = row(config.image);
  const { transport } = row(config.mcp);
  const deploys = workloadEnabled(config) && rows(config.clusters).some((cluster) => cluster.deploy !== false);
  if (image.prebuilt !== undefined && image.build !== undefined) {
    problems.say(["image"], "both prebuilt and build", "one of them", "Remove the other.");
  } else if (image.prebuilt === undefined && image.build === undefined && (deploys || config.image !== undefined)) {
    problems.add(["image"], config.image, "prebuilt (a reference) or build (repository, …)");
  }
  if (legacyImage.test(text(image.prebuilt) ?? "") && transport === "streamable-http") {
    problems.add(
      ["mcp", "transport"],
      transport,
      "sse with this prebuilt image: it has no native HTTP",
      "Build the image (image.build), or use sse.",
    );
  }
  if (image.build !== undefined) checkBuild(config, row(image.build), ["image", "build"], problems);
}

function checkBuild(config: Row, build: Row, path: Path, problems: Problems): void {
  const repository = text(build.repository);
  const wellFormed = repository !== undefined && rules.repository.pattern.test(repository);
  if (build.ecr === undefined) {
    if (wellFormed && !/^([^/]*[.:][^/]*|localhost)\//.test(repository)) {
      problems.add(
        [...path, "repository"],
        repository,
        "a repository with its registry's host in front",
        "Write docker.io/… for Docker Hub, or add image.build.ecr for ECR.",
      );
    }
    return;
  }
  if (wellFormed && (!rules.ecrRepository.pattern.test(repository) || /^\d{12}\.dkr\.ecr\./.test(repository))) {
    problems.add([...path, "repository"], repository, `${rules.ecrRepository.expected}, because ecr is set`);
  }
  if (build.registry !== undefined) {
    problems.say(
      [...path, "registry"],
      "registry beside ecr",
      "one of them",
      "Remove registry: the credentials for ECR come from the provider.",
    );
  }
  const owners = [...rows(config.targetAccounts).filter(({ manage }) => manage !== false), ...rows(config.clusters)];
  exists(
    problems,
    [...path, "ecr", "profile"],
    text(row(build.ecr).profile),
    [...new Set(owners.flatMap(({ profile }) => text(profile) ?? []))],
    "a profile in clusters or in targetAccounts (where manage is true)",
  );
}

function checkWorkload(config: Row, problems: Problems): void {
  const mcp = row(config.mcp);
  const holmes = row(config.holmes);
  const kubernetes = row(config.kubernetes);
  if (typeof mcp.replicas === "number" && mcp.replicas > 1 && (mcp.transport ?? "sse") === "sse") {
    problems.add(
      ["mcp", "replicas"],
      mcp.replicas,
      "1 with transport sse, because a session lives in one process",
      "Use mcp.transport: streamable-http for more.",
    );
  }
  if (mcp.serviceName === "aws-api-mcp") {
    problems.add(
      ["mcp", "serviceName"],
      mcp.serviceName,
      "another name",
      "Kubernetes would inject AWS_API_MCP_PORT=tcp://… into pods of the namespace, and the server stops at it.",
    );
  }
  if (holmes.hosted === true && mcp.enabled !== false) {
    problems.add(
      ["holmes", "hosted"],
      true,
      "mcp.enabled: false beside it, because the hosted server takes the place of ours",
    );
  }
  if (mcp.enabled === false) return;
  const namespace = text(kubernetes.namespace) ?? "holmes-aws-mcp";
  if (kubernetes.createNamespace !== false) {
    const path = ["kubernetes", "createNamespace"];
    if (/^(default|kube-.*)$/.test(namespace)) {
      problems.add(path, kubernetes.createNamespace, `false, because every cluster has the namespace ${namespace}`);
    } else if (namespace === text(holmes.namespace)) {
      problems.add(
        path,
        kubernetes.createNamespace,
        `false, because Holmes is in the namespace ${namespace} already`,
        "Or take a namespace of its own (kubernetes.namespace): the program enforces Pod Security restricted there.",
      );
    }
  }
  if (kubernetes.serviceAccount === "default") {
    problems.add(
      ["kubernetes", "serviceAccount"],
      "default",
      "another name",
      "Every pod of the namespace that names no service account would be trusted.",
    );
  }
}

function checkPod(config: Row, problems: Problems): void {
  const mcp = row(config.mcp);
  for (const name of Object.keys(row(mcp.env))) {
    const why = reservedEnvironment.find(([pattern]) => pattern.test(name))?.[1];
    if (why !== undefined) {
      problems.say(["mcp", "env", name], "a reserved variable", "one that the program does not own", why);
    }
  }
  const reserved = [
    ["podLabels", "label", ownLabels],
    ["podAnnotations", "annotation", ownAnnotations],
  ] as const;
  for (const [key, what, own] of reserved) {
    for (const name of Object.keys(row(mcp[key])).filter((name) => own.includes(name))) {
      problems.say(["mcp", key, name], `a reserved ${what}`, "one that the program does not set itself");
    }
  }
  const platform = text(row(row(config.image).build).platform) ?? "linux/amd64";
  const architecture = text(row(mcp.nodeSelector)["kubernetes.io/arch"]);
  if (
    row(config.image).build !== undefined &&
    architecture !== undefined &&
    architecture !== platform.split("/").at(-1)
  ) {
    problems.add(
      ["mcp", "nodeSelector", "kubernetes.io/arch"],
      architecture,
      `the architecture of image.build.platform, ${platform}`,
    );
  }
  const { requests, limits: most } = row(mcp.resources);
  for (const [key, rule, defaults] of [
    ["cpu", rules.quantity, { request: "100m", limit: undefined }],
    ["memory", rules.memory, { request: "256Mi", limit: "768Mi" }],
  ] as const) {
    const request = quantity(row(requests)[key] ?? defaults.request, rule);
    const limit = quantity(row(most)[key] ?? defaults.limit, rule);
    if (request !== undefined && limit !== undefined && request > limit) {
      problems.add(
        ["mcp", "resources", "limits", key],
        row(most)[key] ?? defaults.limit,
        `at least what requests.${key} says: ${row(requests)[key] ?? defaults.request}`,
      );
    }
  }
  checkVolumes(mcp, problems);
}

/** The number behind a Kubernetes quantity; undefined for what breaks the rule. */
function quantity(value: unknown, { pattern }: TextRule): number | undefined {
  const [, number, unit = ""] = text(value)?.match(/^([\d.]+)([a-zA-Z]*)$/) ?? [];
  if (number === undefined || !pattern.test(String(value))) return undefined;
  const decimal = ["", "k", "M", "G", "T", "P", "E"].indexOf(unit);
  const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].indexOf(unit);
  if (unit === "m") return Number(number) / 1000;
  if (decimal >= 0) return Number(number) * 1000 ** decimal;
  return binary >= 0 ? Number(number) * 1024 ** binary : undefined;
}

function checkVolumes(mcp: Row, problems: Problems): void {
  const volumes = rows(mcp.extraVolumes);
  for (const [index, volume] of volumes.entries()) {
    const path = ["mcp", "extraVolumes", index];
    const name = text(volume.name);
    if (name === undefined || !rules.dnsLabel.pattern.test(name)) {
      problems.add([...path, "name"], volume.name, rules.dnsLabel.expected);
    }
    const sources = Object.keys(volume).filter((key) => key !== "name");
    if (sources.length !== 1) {
      problems.say(path, sources.join(" and ") || "no source", "a name and one source, such as configMap");
    }
  }
  unique(
    problems,
    volumes.map((volume, index) => [["mcp", "extraVolumes", index, "name"], text(volume.name)]),
    "a volume name that is not taken",
    ownVolumes,
  );
  const mounts = rows(mcp.extraVolumeMounts);
  for (const [index, mount] of mounts.entries()) {
    const path = ["mcp", "extraVolumeMounts", index];
    const names = volumes.flatMap((volume) => text(volume.name) ?? []);
    exists(problems, [...path, "name"], text(mount.name), names, "a volume of mcp.extraVolumes");
    const at = text(mount.mountPath);
    if (at !== undefined && ownDirectories.test(at)) {
      problems.add([...path, "mountPath"], at, "a path that the program or the system does not use");
    }
  }
  unique(
    problems,
    mounts.map((mount, index) => [["mcp", "extraVolumeMounts", index, "mountPath"], text(mount.mountPath)]),
    "a path where nothing else is mounted",
  );
}

/** What the stack file shows to every reader of the repository. */
function checkPlainSecrets(config: Row, isSecret: (key: string) => boolean, problems: Problems): void {
  const { password } = row(row(row(config.image).build).registry);
  if (password !== undefined && !isSecret("image")) {
    problems.say(
      ["image", "build", "registry", "password"],
      "plain text",
      "a Pulumi secret",
      "pulumi config set --path --secret 'holmes-aws-mcp:image.build.registry.password'",
    );
  }
  if (row(row(config.mcp).authentication).tokens !== undefined && !isSecret("mcp")) {
    problems.say(
      ["mcp", "authentication", "tokens"],
      "plain text",
      "Pulumi secrets",
      "pulumi config set --path --secret 'holmes-aws-mcp:mcp.authentication.tokens[0]'",
    );
  }
  for (const [index, cluster] of rows(config.clusters).entries()) {
    if (!credential.test(text(cluster.kubeconfig) ?? "") || isSecret("clusters")) continue;
    problems.say(
      ["clusters", index, "kubeconfig"],
      "a credential in plain text",
      "a Pulumi secret, a path, or an exec credential",
      `pulumi config set --path --secret 'holmes-aws-mcp:clusters[${index}].kubeconfig' < FILE`,
    );
  }
}

/** The one key that JavaScript's objects, and so every other check, pass over in silence. */
function checkKeys(path: Path, value: unknown, problems: Problems): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = [...path, Array.isArray(value) ? Number(key) : key];
    if (key === "__proto__") problems.say(place, "a key that does not exist", "another name");
    checkKeys(place, inner, problems);
  }
}

/**
 * What no single key can tell: names that must be unique or must exist, keys that contradict each other.
 * The checks read the raw config, so that they speak even when some key's type is wrong.
 */
import { limits, rules } from "./limits.js";
import { nearest, type Path, type Problem } from "./problems.js";
import { issuerUrl } from "./settings.js";

type Row = Record<string, unknown>;

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);
const row = (value: unknown): Row => (isRow(value) ? value : {});
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
const rows = (value: unknown): Row[] => (Array.isArray(value) ? value.map(row) : []);

/** The image that the readme of the old resources names; its gateway is stock Supergateway. */
export const readmeImage = /\/aws-api-mcp-server:1\.0\.\d+$/;

/** Environment that the program sets or keeps out, and what goes wrong otherwise. */
const reservedEnvironment: ReadonlyArray<readonly [pattern: RegExp, why: string]> = [
  [
    /^AWS_(DEFAULT_)?PROFILE$|^AWS_REGION$/,
    "It would win over every account's profile; accounts and regions come from targetAccounts.",
  ],
  [
    /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|EC2_METADATA_DISABLED|CONTAINER_CREDENTIALS_.*)$/,
    "Credentials come from the profiles only.",
  ],
  [
    /^(READ_OPERATIONS_ONLY|AWS_API_MCP_.*|AUTH_TYPE|FASTMCP_.*)$/,
    "The program sets the server's guards and transport.",
  ],
  [/^(HOME|TMPDIR|AWS_DEFAULT_REGION)$/, "The program sets it."],
];

class Findings {
  readonly problems: Problem[] = [];

  add(path: Path, found: unknown, expected: string, fix?: string): void {
    this.problems.push({
      path,
      expected,
      ...(found === undefined ? {} : { found }),
      ...(fix === undefined ? {} : { fix }),
    });
  }

  /** Every value that stands at a second place, compared without case where AWS or a file system does not tell it. */
  unique(entries: ReadonlyArray<readonly [Path, string | undefined]>, what: string): void {
    const first = new Map<string, Path>();
    for (const [path, value] of entries) {
      if (value === undefined) continue;
      const key = value.toLowerCase();
      const before = first.get(key);
      if (before === undefined) first.set(key, path);
      else this.add(path, value, `${what} that no other entry has`, `It stands at ${before.join(".")} already.`);
    }
  }

  known(path: Path, name: string | undefined, names: readonly string[], what: string): void {
    if (name === undefined || names.includes(name)) return;
    const near = nearest(name, names);
    const fix = near === undefined ? undefined : `Did you mean ${JSON.stringify(near)}?`;
    this.add(path, name, `${what}: ${names.length === 0 ? "there is none" : `one of ${names.join(", ")}`}`, fix);
  }
}

/** Contradictions in a raw config; empty when it holds together. */
export function crossChecks(config: Row, policyGroups: readonly string[]): Problem[] {
  const findings = new Findings();
  checkClusters(config, findings);
  checkAccounts(config, findings);
  checkIam(config, findings, policyGroups);
  checkImage(config, findings);
  checkWorkload(config, findings);
  return findings.problems;
}

function issuerOf(cluster: Row): string | undefined {
  const id = text(cluster.oidcIssuerId);
  const region = text(cluster.region);
  return text(cluster.oidcIssuerUrl) ?? (id !== undefined && region !== undefined ? issuerUrl(region, id) : undefined);
}

function checkClusters(config: Row, findings: Findings): void {
  const clusters = rows(config.clusters);
  const workload = row(config.mcp).enabled !== false;
  findings.unique(
    clusters.map((cluster, index) => [["clusters", index, "name"], text(cluster.name)]),
    "a name",
  );
  findings.unique(
    clusters.flatMap(
      (cluster, index): Array<[Path, string | undefined]> => [
        [
          ["clusters", index, cluster.oidcIssuerUrl === undefined ? "oidcIssuerId" : "oidcIssuerUrl"],
          issuerOf(cluster),
        ],
        ...texts(cluster.previousIssuers).map((url, at): [Path, string] => [
          ["clusters", index, "previousIssuers", at],
          url,
        ]),
      ],
    ),
    "an issuer",
  );
  for (const [index, cluster] of clusters.entries()) {
    const path = ["clusters", index];
    const id = text(cluster.oidcIssuerId);
    const url = text(cluster.oidcIssuerUrl);
    const region = text(cluster.region);
    if (id !== undefined && url !== undefined && url.split("/").at(-1) !== id) {
      findings.add(
        [...path, "oidcIssuerUrl"],
        url,
        `the URL that ends in ${id}, as oidcIssuerId says`,
        "Give one of the two.",
      );
    }
    const urlRegion = url?.match(/^https:\/\/oidc\.eks\.([a-z0-9-]+)\./)?.[1];
    if (urlRegion !== undefined && region !== undefined && urlRegion !== region) {
      findings.add([...path, "region"], region, `${urlRegion}, the region in oidcIssuerUrl`);
    }
    if (cluster.oidcIssuerId === undefined && cluster.oidcIssuerUrl === undefined && cluster.profile === undefined) {
      findings.add(
        [...path, "oidcIssuerId"],
        undefined,
        "oidcIssuerId or oidcIssuerUrl, or profile to look the issuer up from EKS",
        "aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text",
      );
    }
    const reachable = cluster.kubeconfig ?? cluster.context ?? cluster.profile;
    if (workload && cluster.deploy !== false && reachable === undefined) {
      findings.add(
        [...path, "kubeconfig"],
        undefined,
        "kubeconfig, context, or profile to make a kubeconfig from EKS",
        "Set one, or deploy: false when the server does not run there.",
      );
    }
  }
  const perAccount = clusters.reduce((sum, cluster) => sum + 1 + texts(cluster.previousIssuers).length, 0);
  if (perAccount > limits.oidcProvidersPerAccount) {
    findings.add(
      ["clusters"],
      undefined,
      `at most ${limits.oidcProvidersPerAccount} issuers (IAM's quota of OIDC providers per account), not ${perAccount}`,
      "Split the clusters over stacks with target accounts of their own.",
    );
  }
}

function checkAccounts(config: Row, findings: Findings): void {
  const accounts = rows(config.targetAccounts);
  const clusterNames = rows(config.clusters).flatMap((cluster) => text(cluster.name) ?? []);
  const profiles = accounts.flatMap((account) => text(account.profile) ?? []);
  if (accounts.length === 0 && row(config.organization).accountsFile === undefined) {
    findings.add(
      ["targetAccounts"],
      config.targetAccounts,
      "at least one target account, or organization.accountsFile",
    );
  }
  findings.unique(
    accounts.map((account, index) => [["targetAccounts", index, "profile"], text(account.profile)]),
    "a profile",
  );
  findings.unique(
    accounts.map((account, index) => [["targetAccounts", index, "accountId"], text(account.accountId)]),
    "an account",
  );
  if (row(config.organization).accountsFile === undefined) {
    findings.known(["defaultProfile"], text(config.defaultProfile), profiles, "the profile of a target account");
    for (const [index, profile] of texts(row(config.verify).skipProfiles).entries()) {
      findings.known(["verify", "skipProfiles", index], profile, profiles, "the profile of a target account");
    }
  }
  const accountOfProfile = new Map(accounts.map((account) => [account.profile, account.accountId]));
  for (const [index, cluster] of rows(config.clusters).entries()) {
    const account = accountOfProfile.get(cluster.profile);
    if (cluster.profile !== undefined && account !== undefined && account !== cluster.accountId) {
      findings.add(
        ["clusters", index, "profile"],
        cluster.profile,
        `a profile of account ${String(cluster.accountId)}`,
        `targetAccounts has this profile for account ${String(account)}; one profile is one account.`,
      );
    }
  }
  for (const [index, account] of accounts.entries()) {
    const path = ["targetAccounts", index];
    const existing = texts(account.existingOidcProviders);
    for (const [at, name] of existing.entries()) {
      findings.known([...path, "existingOidcProviders", at], name, clusterNames, "the name of a cluster");
    }
    findings.unique(
      existing.map((name, at) => [[...path, "existingOidcProviders", at], name]),
      "a cluster",
    );
    const adopted = row(account.adopt).oidcProviders;
    for (const [at, name] of texts(adopted).entries()) {
      findings.known([...path, "adopt", "oidcProviders", at], name, clusterNames, "the name of a cluster");
      if (existing.includes(name)) {
        findings.add(
          [...path, "adopt", "oidcProviders", at],
          name,
          "a cluster that is not in existingOidcProviders",
          "A provider is either taken over or left to its owner.",
        );
      }
    }
    if (account.manage === false) {
      for (const key of ["adopt", "existingOidcProviders", "assumeRole", "permissionsBoundary", "policyFile"]) {
        const value = account[key];
        if (value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)) {
          findings.add(
            [...path, key],
            value,
            "nothing here, because manage is false",
            "Remove the key, or manage the account.",
          );
        }
      }
    }
    const roleAccount = text(row(account.assumeRole).roleArn)?.split(":")[4];
    if (roleAccount !== undefined && text(account.accountId) !== undefined && roleAccount !== account.accountId) {
      findings.add(
        [...path, "assumeRole", "roleArn"],
        row(account.assumeRole).roleArn,
        `a role of account ${String(account.accountId)}`,
      );
    }
    checkBoundary([...path, "permissionsBoundary"], account.permissionsBoundary, account.accountId, findings);
    if (account.permissionsBoundary === undefined && account.manage !== false) {
      checkBoundary(["iam", "permissionsBoundary"], row(config.iam).permissionsBoundary, account.accountId, findings);
    }
  }
}

function checkBoundary(path: Path, boundary: unknown, accountId: unknown, findings: Findings): void {
  const owner = text(boundary)?.startsWith("arn:") ? text(boundary)?.split(":")[4] : undefined;
  if (owner === undefined || owner === "aws" || text(accountId) === undefined || owner === accountId) return;
  findings.add(
    path,
    boundary,
    `a policy of account ${String(accountId)} or of AWS`,
    "Give the policy's name alone: it is then looked for in each account.",
  );
}

function checkIam(config: Row, findings: Findings, policyGroups: readonly string[]): void {
  const iam = row(config.iam);
  const tagCount = Object.keys(row(iam.tags)).length;
  if (tagCount > limits.tags)
    findings.add(["iam", "tags"], undefined, `at most ${limits.tags} tags (IAM's limit), not ${tagCount}`);
  for (const [index, group] of texts(iam.disabledPolicyGroups).entries()) {
    findings.known(
      ["iam", "disabledPolicyGroups", index],
      group,
      policyGroups,
      "a service group of the default policy",
    );
  }
  if (iam.policyFile !== undefined) {
    for (const key of ["disabledPolicyGroups", "additionalActions", "allowedRegions"]) {
      if (texts(iam[key]).length > 0) {
        findings.add(["iam", key], iam[key], "nothing here, because iam.policyFile replaces the default policy");
      }
    }
  }
  const kubernetes = row(config.kubernetes);
  const own = `${text(kubernetes.namespace) ?? "holmes-aws-mcp"}:${text(kubernetes.serviceAccount) ?? "aws-api-mcp-sa"}`;
  findings.unique(
    [
      [["kubernetes", "serviceAccount"], own],
      ...texts(kubernetes.additionalSubjects).map((subject, index): [Path, string] => [
        ["kubernetes", "additionalSubjects", index],
        subject,
      ]),
    ],
    "a subject",
  );
}

function checkImage(config: Row, findings: Findings): void {
  const image = row(config.image);
  const build = row(image.build);
  const mcp = row(config.mcp);
  const deploys = mcp.enabled !== false && rows(config.clusters).some((cluster) => cluster.deploy !== false);
  if (image.prebuilt !== undefined && image.build !== undefined) {
    findings.add(["image"], undefined, "either prebuilt or build, not both", "Remove one of them.");
  } else if (image.prebuilt === undefined && image.build === undefined && (deploys || config.image !== undefined)) {
    findings.add(["image"], config.image, "prebuilt (a reference) or build (repository, …)");
  }
  if (readmeImage.test(text(image.prebuilt) ?? "") && mcp.transport === "streamable-http") {
    findings.add(
      ["mcp", "transport"],
      mcp.transport,
      "sse with this prebuilt image: it has no native HTTP",
      "Build the image, or use sse.",
    );
  }
  if (image.build === undefined) return;
  const repository = text(build.repository);
  if (build.ecr === undefined) {
    if (repository !== undefined && !/^[^/]*[.:][^/]*\//.test(repository)) {
      findings.add(
        ["image", "build", "repository"],
        repository,
        "a repository with its registry's host",
        "Or add image.build.ecr for a repository in ECR.",
      );
    }
    return;
  }
  if (repository !== undefined && !rules.ecrRepository.pattern.test(repository)) {
    findings.add(["image", "build", "repository"], repository, `${rules.ecrRepository.expected}, because ecr is set`);
  } else if (/^\d{12}\.dkr\.ecr\./.test(repository ?? "")) {
    findings.add(["image", "build", "repository"], repository, `${rules.ecrRepository.expected}, because ecr is set`);
  }
  if (build.registry !== undefined) {
    findings.add(
      ["image", "build", "registry"],
      undefined,
      "nothing here with ecr: its credentials come from the provider",
    );
  }
  const profiles = [...rows(config.targetAccounts), ...rows(config.clusters)].flatMap((owner) =>
    owner.manage === false ? [] : (text(owner.profile) ?? []),
  );
  findings.known(
    ["image", "build", "ecr", "profile"],
    text(row(build.ecr).profile),
    [...new Set(profiles)],
    "the profile of a managed target account or of a cluster",
  );
}

function checkWorkload(config: Row, findings: Findings): void {
  const mcp = row(config.mcp);
  const kubernetes = row(config.kubernetes);
  if (typeof mcp.replicas === "number" && mcp.replicas > 1 && mcp.transport !== "streamable-http") {
    findings.add(
      ["mcp", "replicas"],
      mcp.replicas,
      "1 with transport sse, because a session lives in one process",
      "Use mcp.transport: streamable-http for more.",
    );
  }
  if (mcp.serviceName === "aws-api-mcp") {
    findings.add(
      ["mcp", "serviceName"],
      mcp.serviceName,
      "another name",
      "Kubernetes would inject AWS_API_MCP_PORT=tcp://… into pods of the namespace, and the server stops at it.",
    );
  }
  const namespace = text(kubernetes.namespace);
  if (/^(default|kube-.*)$/.test(namespace ?? "") && kubernetes.createNamespace !== false) {
    findings.add(
      ["kubernetes", "createNamespace"],
      kubernetes.createNamespace,
      `false, because every cluster has the namespace ${namespace}`,
    );
  }
  for (const name of Object.keys(row(mcp.env))) {
    const why = reservedEnvironment.find(([pattern]) => pattern.test(name))?.[1];
    if (why !== undefined)
      findings.add(["mcp", "env", name], undefined, "a variable that the program does not own", why);
  }
  const volumes = rows(mcp.extraVolumes);
  const own = ["home", "tmp", "aws-config", "aws-token", "deny-list", "verify"];
  findings.unique(
    [
      ...own.map((name): [Path, string] => [["the program's volumes"], name]),
      ...volumes.map((volume, index): [Path, string | undefined] => [
        ["mcp", "extraVolumes", index, "name"],
        text(volume.name),
      ]),
    ],
    "a volume name",
  );
  for (const [index, mount] of rows(mcp.extraVolumeMounts).entries()) {
    const path = ["mcp", "extraVolumeMounts", index];
    findings.known(
      [...path, "name"],
      text(mount.name) ?? "",
      volumes.flatMap((volume) => text(volume.name) ?? []),
      "a volume of mcp.extraVolumes",
    );
    const at = text(mount.mountPath);
    if (at === undefined || !at.startsWith("/"))
      findings.add([...path, "mountPath"], mount.mountPath, "an absolute path");
    else if (/^\/(home\/mcp|tmp|etc\/holmes-aws-mcp|opt|var\/run\/secrets\/eks\.amazonaws\.com)(\/|$)|^\/$/.test(at)) {
      findings.add([...path, "mountPath"], at, "a path that the program does not use");
    }
  }
  if (row(config.holmes).hosted === true && mcp.enabled !== false) {
    findings.add(["holmes", "hosted"], true, "mcp.enabled: false beside it: the hosted server takes the place of ours");
  }
}

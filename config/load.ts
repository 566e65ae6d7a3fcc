/** Reads the stack config. Returns the settings or reports all problems at once. */
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { SizeError } from "../policies/size.js";
import { issuerUrl, partitionOf } from "./limits.js";
import { OWNERSHIP_TAG, ownershipTag } from "./ownership.js";
import { PolicySource } from "./permissions.js";
import { nearest, type Problem, Problems, problemsText } from "./problems.js";
import { stackSetTemplate, trustRoles, withAnyIssuer } from "./profiles.js";
import { readingOf, unwrap } from "./reading.js";
import { ownSubject } from "./rules/kubernetes.js";
import { configRules } from "./rules.js";
import { type Config, configSchema, type TargetAccountConfig } from "./schema.js";
import { addIssue, bySection, rejectPrototypeKeys, schemaAt } from "./schemaProblems.js";
import { type ImageSigner, mcpSettings, project, type Settings, type TargetAccountSettings } from "./settings.js";
import { warningsOf } from "./warnings.js";

/** Contains all problems of a config. Pulumi prints it without a stack trace. */
export class ConfigError extends pulumi.RunError {
  constructor(
    stack: string,
    readonly problems: readonly Problem[],
  ) {
    super(problemsText(stack, problems));
  }
}

/**
 * Reads the settings of the running stack from Pulumi's config.
 *
 * @throws ConfigError with all problems
 */
export async function loadSettings(): Promise<Settings> {
  // Pulumi's types omit this function, the only way to distinguish a secret from plain text.
  const { isConfigSecret, hasEngine } = pulumi.runtime as unknown as {
    isConfigSecret(key: string): boolean;
    hasEngine(): boolean;
  };
  const values = pulumi.runtime.allConfig();
  const read = await readSettings(pulumi.getStack(), rawConfig(values), (key) => isConfigSecret(`${project}:${key}`));
  const settings = { ...read, warnings: [...defaultProviderWarnings(values), ...read.warnings] };
  const examples = exampleAccounts(settings);
  // AWS_ENDPOINT_URL means an emulator. Without an engine, nothing is created.
  if (examples.length === 0 || !hasEngine() || process.env.AWS_ENDPOINT_URL !== undefined) return settings;
  const message = `${examples.join(", ")}: example account IDs. Expected the IDs of your accounts. Replace every value marked "<--" in Pulumi.${settings.stack}.yaml.`;
  if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(message);
  return { ...settings, warnings: [message, ...settings.warnings] };
}

const packages = ["aws", "kubernetes", "docker"];

/** Warns about default providers, which use the environment's credentials for any account or cluster. */
export function defaultProviderWarnings(values: Readonly<Record<string, string>>): string[] {
  const key = "pulumi:disable-default-providers";
  const missing = packages.filter((name) => !new RegExp(`"(${name}|\\*)"`).test(values[key] ?? ""));
  if (missing.length === 0) return [];
  return [
    `${key}: without ${missing.join(", ")}. Expected [${packages.join(", ")}], so that no resource is created with the credentials of the environment. Add the key to the stack file.`,
  ];
}

/** Returns the distinct example account IDs of Pulumi.dev.yaml and Pulumi.prod.yaml that the stack uses. */
export function exampleAccounts({ clusters, targetAccounts, organization, image }: Settings): string[] {
  const pull = image.build?.ecr?.pullAccounts ?? [];
  const owners = [...clusters, ...targetAccounts, ...(organization === undefined ? [] : [organization])];
  const ids = [...owners.map(({ accountId }) => accountId), ...pull];
  return [...new Set(ids)].filter((id) => /^([1-6])\1{11}$/.test(id));
}

/**
 * Converts Pulumi's config (`project:key` to text, or to objects, lists, numbers and booleans as JSON) to raw config by
 * top-level key. Keys of other projects are ignored, except those of a misspelled project name, which keep their full
 * name.
 */
export function rawConfig(values: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]): Array<[string, unknown]> => {
      const [, owner, key] = name.match(/^([^:]*):(.*)$/s) ?? [];
      if (owner === undefined || key === undefined) return [];
      if (owner === project) return [[key, decode(key, value)]];
      return nearest(owner, [project]) === undefined ? [] : [[name, value]];
    }),
  );
}

function decode(key: string, value: string): unknown {
  const field = schemaAt([key]);
  if (field === undefined || unwrap(field) instanceof z.ZodString) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Converts a raw config, by top-level key, to settings.
 *
 * @param isSecret whether a top-level key contains a Pulumi secret
 * @throws ConfigError with all problems, in the order of the sections in docs/config.md
 */
export async function readSettings(
  stack: string,
  raw: Readonly<Record<string, unknown>>,
  isSecret: (key: string) => boolean,
): Promise<Settings> {
  const problems = new Problems(isSecret);
  const stop = () => {
    if (problems.all.length > 0) throw new ConfigError(stack, bySection(problems.all));
  };
  const parsed = configSchema.safeParse(raw, { reportInput: true });
  for (const issue of parsed.error?.issues ?? []) addIssue(issue, problems);
  const reading = parsed.success ? parsed.data : readingOf(configSchema, raw);
  for (const { check } of Object.values(configRules).flat()) check(reading, problems, isSecret);
  rejectPrototypeKeys([], raw, problems);
  stop();
  const config = parsed.data!;

  const warnings: string[] = [];
  const unmanaged = { manage: false, adopt: false, existingOidcProviders: [] };
  const listed = config.organization?.accountsFile ?? [];
  const accounts: TargetAccountConfig[] = [
    ...config.targetAccounts,
    ...listed.map((account) => ({ ...account, ...unmanaged })),
  ];
  const policies = new PolicySource(config, problems, warnings);
  await policies.checkAdditionalActions();
  const targetAccounts: TargetAccountSettings[] = [];
  for (const [index, account] of accounts.entries()) {
    const region = account.region ?? config.clusters[0]!.region;
    const partition = partitionOf(region);
    const boundary = account.permissionsBoundary ?? config.iam.permissionsBoundary;
    targetAccounts.push({
      ...account,
      region,
      partition,
      adopt: adoption(account, config),
      permissionsBoundaryArn:
        boundary === undefined || boundary.startsWith("arn:")
          ? boundary
          : `arn:${partition}:iam::${account.accountId}:policy/${boundary}`,
      permissions: await policies.of(partition, account.policyFile, index),
      clusters: account.clusters ?? config.clusters.map(({ name }) => name),
    });
  }
  const organization = config.organization && {
    ...config.organization,
    partition: partitionOf(config.organization.region),
    permissions: await policies.of(partitionOf(config.organization.region)),
  };
  const settings: Settings = {
    ...config,
    // Resources with iam.tags also have the ownership tag, which doctor reads.
    iam: { ...config.iam, tags: { ...config.iam.tags, [OWNERSHIP_TAG]: ownershipTag(stack) } },
    stack,
    secretKeys: new Set(Object.keys(raw).filter(isSecret)),
    subjects: subjectsOf(config),
    targetAccounts,
    organization,
    defaultProfile: config.defaultProfile ?? accounts[0]!.profile,
    clusters: config.clusters.map(({ oidcIssuerId, oidcIssuerUrl, ...cluster }) => ({
      ...cluster,
      eksName: cluster.eksName ?? cluster.name,
      deploy: cluster.deploy && config.mcp.enabled,
      issuerUrl: oidcIssuerUrl ?? (oidcIssuerId && issuerUrl(cluster.region, oidcIssuerId)),
    })),
    image: { ...config.image, signer: config.image && imageSigner(config.image) },
    mcp: mcpSettings(config.mcp),
    warnings,
  };
  checkSizes(settings, problems);
  await policies.checkExceptions();
  stop();
  warnings.push(...warningsOf(settings));
  return settings;
}

/** Service accounts that every role trusts. With the hosted AWS MCP server, Holmes signs the requests. */
function subjectsOf(config: Config): Settings["subjects"] {
  return [ownSubject(config), ...config.kubernetes.additionalSubjects].map((pair) => {
    const [namespace = "", serviceAccount = ""] = pair.split(":");
    return { namespace, serviceAccount };
  });
}

/** The image workflow pushes to `ghcr.io/<repository>`, in lower case. */
function imageSigner({ prebuilt = "", verify }: NonNullable<Config["image"]>): ImageSigner | undefined {
  const published = /^ghcr\.io\/([^/]+\/holmes-aws-mcp)(:[^@]+)?@sha256:/.exec(prebuilt)?.[1];
  const { enabled, repository, key } = verify ?? { enabled: published !== undefined, repository: published };
  if (!enabled) return undefined;
  return key === undefined ? { repository: repository! } : { key };
}

function adoption({ adopt, existingOidcProviders }: TargetAccountConfig, { clusters }: Config) {
  const own = clusters.map(({ name }) => name).filter((name) => !existingOidcProviders.includes(name));
  const ownIf = (all: boolean) => (all ? own : []);
  if (typeof adopt === "boolean") return { oidcProviders: ownIf(adopt), role: adopt, policy: adopt };
  const { oidcProviders } = adopt;
  return { ...adopt, oidcProviders: typeof oidcProviders === "boolean" ? ownIf(oidcProviders) : oidcProviders };
}

/** Checks the sizes of trust policies and of the StackSet. */
function checkSizes(settings: Settings, problems: Problems): void {
  const { organization } = settings;
  const clusters = withAnyIssuer(settings.clusters);
  const check = (document: () => unknown) => {
    try {
      document();
    } catch (error) {
      if (!(error instanceof SizeError)) throw error;
      const { subject, size, limit, message } = error;
      const index = clusters.findIndex(({ name }) => name === subject);
      const pinned = clusters[index]?.roleNumber !== undefined;
      const place = pinned ? ["clusters", index, "roleNumber"] : ["iam", "trustPolicyLimit"];
      if (index < 0) problems.say(["organization"], `${subject} is too large`, `at most ${limit} bytes`, message);
      else
        problems.say(place, `${size} characters of trust policy for cluster ${subject}`, `at most ${limit}`, message);
    }
  };
  // Accounts with the same partition and clusters have the same sizes.
  const key = ({ partition, clusters: trusted }: TargetAccountSettings) => JSON.stringify([partition, trusted]);
  const different = new Map(settings.targetAccounts.map((account) => [key(account), account]));
  for (const account of different.values()) check(() => trustRoles(settings, account, clusters));
  if (organization !== undefined) check(() => stackSetTemplate(settings, organization, clusters));
}

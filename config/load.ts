/** The one reader of stack config: raw values in; settings, or every problem at once, out. */
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { checkAdditionalActions, checkPolicy, type Finding } from "../policies/checks.js";
import { groupIds } from "../policies/groups.js";
import { type PermissionPlan, PolicySizeError, permissionPolicies } from "../policies/permissions.js";
import { spreadTrust, TrustSizeError } from "../policies/trust.js";
import type { PolicyDocument } from "../policies/types.js";
import { crossChecks, readmeImage } from "./checks.js";
import { partitionOf, rules } from "./limits.js";
import { nearest, type Path, type Problem, problemsText } from "./problems.js";
import { type Config, configSchema, type TargetAccountConfig } from "./schema.js";
import { issuerPath, issuerUrl, type Settings, type TargetAccountSettings, unknownIssuer } from "./settings.js";

export const project = "holmes-aws-mcp";

/** Thrown with every problem of a config. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(
    stack: string,
    readonly problems: readonly Problem[],
  ) {
    super(problemsText(stack, problems));
  }
}

/**
 * Settings of the running stack, from Pulumi's config.
 *
 * @throws pulumi.RunError with all problems; Pulumi prints it without a stack trace.
 */
export async function loadSettings(): Promise<Settings> {
  const stack = pulumi.getStack();
  const prefix = `${project}:`;
  const all = pulumi.runtime.allConfig();
  // The engine hands the names of the keys that hold secrets over beside the values.
  const secrets: string[] = JSON.parse(all.PULUMI_CONFIG_SECRET_KEYS ?? "[]");
  const raw = Object.fromEntries(
    Object.entries(all)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), decode(key.slice(prefix.length), value)]),
  );
  try {
    return await readSettings(stack, raw, (key) => secrets.includes(`${prefix}${key}`));
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

/** Pulumi hands objects, lists, numbers and booleans over as JSON; a text stays as it is. */
function decode(key: string, value: string): unknown {
  const field: z.ZodType | undefined = (configSchema.shape as Record<string, z.ZodType>)[key];
  if (field === undefined || unwrap(field) instanceof z.ZodString) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Settings from a raw config, by top-level key.
 *
 * @param isSecret whether a top-level key holds a Pulumi secret
 * @throws ConfigError with all problems
 */
export async function readSettings(
  stack: string,
  raw: Readonly<Record<string, unknown>>,
  isSecret: (key: string) => boolean,
): Promise<Settings> {
  const parsed = configSchema.safeParse(raw, { reportInput: true });
  const problems = [
    ...(parsed.error?.issues.flatMap(problemsOf) ?? []),
    ...crossChecks(raw, groupIds),
    ...secretProblems(raw, isSecret),
  ];
  if (parsed.data === undefined || problems.length > 0) throw new ConfigError(stack, inOrder(distinct(problems)));

  const config = parsed.data;
  const warnings: string[] = [];
  const extraAccounts = readAccountsFile(config, problems);
  const accounts = [...config.targetAccounts, ...extraAccounts];
  // The hosted AWS MCP server has no pod of ours: Holmes itself signs.
  const own = config.holmes.hosted
    ? `${config.holmes.namespace}:${config.holmes.serviceAccount}`
    : `${config.kubernetes.namespace}:${config.kubernetes.serviceAccount}`;
  const subjects = [own, ...config.kubernetes.additionalSubjects]
    .map(subject)
    .filter((item, index, all) => all.findIndex((other) => same(item, other)) === index);
  const policies = new PolicySource(config, problems, warnings);
  const targetAccounts: TargetAccountSettings[] = [];
  for (const [index, account] of accounts.entries()) {
    const region = account.region ?? config.clusters[0]!.region;
    const partition = partitionOf(region);
    checkTrust(config, account, subjects, partition, problems);
    targetAccounts.push({
      ...account,
      region,
      partition,
      adopt: adoption(account, config),
      permissionsBoundaryArn: boundaryArn(
        account.permissionsBoundary ?? config.iam.permissionsBoundary,
        account.accountId,
        partition,
      ),
      permissions: await policies.of(account, index, partition),
    });
  }
  if (problems.length > 0) throw new ConfigError(stack, inOrder(distinct(problems)));

  const { clusters, image, ...rest } = config;
  const settings: Settings = {
    ...rest,
    stack,
    subjects,
    targetAccounts,
    defaultProfile: config.defaultProfile ?? accounts[0]!.profile,
    clusters: clusters.map(({ oidcIssuerId, oidcIssuerUrl, ...cluster }) => ({
      ...cluster,
      deploy: cluster.deploy && config.mcp.enabled,
      issuerUrl: oidcIssuerUrl ?? (oidcIssuerId === undefined ? undefined : issuerUrl(cluster.region, oidcIssuerId)),
    })),
    image: imageSettings(image),
    warnings,
  };
  warnings.push(...warningsOf(settings));
  return settings;
}

const subject = (pair: string) => {
  const [namespace = "", serviceAccount = ""] = pair.split(":");
  return { namespace, serviceAccount };
};

const same = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b);

function imageSettings(image: Config["image"]): Settings["image"] {
  if (image?.build !== undefined) return { kind: "build", build: image.build };
  if (image?.prebuilt !== undefined) return { kind: "prebuilt", reference: image.prebuilt };
  return { kind: "none" };
}

function adoption(account: TargetAccountConfig, config: Config): TargetAccountSettings["adopt"] {
  const { adopt, existingOidcProviders } = account;
  const own = config.clusters.map(({ name }) => name).filter((name) => !existingOidcProviders.includes(name));
  if (adopt === true) return { oidcProviders: own, role: true, policy: true };
  if (adopt === false) return { oidcProviders: [], role: false, policy: false };
  const { oidcProviders } = adopt;
  return { ...adopt, oidcProviders: oidcProviders === true ? own : oidcProviders === false ? [] : oidcProviders };
}

function boundaryArn(boundary: string | undefined, accountId: string, partition: string): string | undefined {
  if (boundary === undefined || boundary.startsWith("arn:")) return boundary;
  return `arn:${partition}:iam::${accountId}:policy/${boundary}`;
}

function checkTrust(
  config: Config,
  account: TargetAccountConfig,
  subjects: Settings["subjects"],
  partition: string,
  problems: Problem[],
): void {
  try {
    spreadTrust({
      clusters: config.clusters.map((cluster) => ({
        name: cluster.name,
        issuers: [
          cluster.oidcIssuerUrl ??
            (cluster.oidcIssuerId === undefined
              ? unknownIssuer(cluster.region)
              : issuerUrl(cluster.region, cluster.oidcIssuerId)),
          ...cluster.previousIssuers,
        ].map(issuerPath),
        ...(cluster.roleNumber === undefined ? {} : { roleNumber: cluster.roleNumber }),
      })),
      subjects: [...subjects],
      accountId: account.accountId,
      partition,
      limit: config.iam.trustPolicyLimit,
    });
  } catch (error) {
    if (!(error instanceof TrustSizeError)) throw error;
    problems.push({
      path: ["iam", "trustPolicyLimit"],
      found: config.iam.trustPolicyLimit,
      expected: "room for the trust of every cluster",
      fix: error.message,
    });
  }
}

/** Permission policies by account: the default, or the file of the stack or of the account. */
class PolicySource {
  private readonly plans = new Map<string, Promise<PermissionPlan>>();

  constructor(
    private readonly config: Config,
    private readonly problems: Problem[],
    private readonly warnings: string[],
  ) {}

  /** Accounts with the same file and partition share one plan, and are told of its faults once. */
  of(account: TargetAccountConfig, index: number, partition: string): Promise<PermissionPlan> {
    const path: Path =
      account.policyFile === undefined ? ["iam", "policyFile"] : ["targetAccounts", index, "policyFile"];
    const file = account.policyFile ?? this.config.iam.policyFile;
    const key = `${partition} ${file ?? ""}`;
    const plan = this.plans.get(key) ?? this.plan(path, file, partition);
    this.plans.set(key, plan);
    return plan;
  }

  private async plan(path: Path, file: string | undefined, partition: string): Promise<PermissionPlan> {
    const { iam } = this.config;
    const replacement = file === undefined ? undefined : this.read(path, file);
    if (replacement !== undefined) this.report(path, file, await checkPolicy(replacement));
    if (iam.additionalActions.length > 0 && file === undefined) {
      this.report(
        ["iam", "additionalActions"],
        iam.additionalActions,
        await checkAdditionalActions(iam.additionalActions),
      );
    }
    try {
      return permissionPolicies({
        policyName: iam.policyName,
        partition,
        groups: { disabled: iam.disabledPolicyGroups },
        additionalActions: iam.additionalActions,
        sensitiveReads: iam.sensitiveReads,
        allowedRegions: iam.allowedRegions,
        hosted: this.config.holmes.hosted,
        ...(replacement === undefined ? {} : { replacement }),
      });
    } catch (error) {
      if (!(error instanceof PolicySizeError)) throw error;
      this.problems.push({ path, expected: "permission policies within IAM's limits", fix: error.message });
      return { placement: "inline", policies: [] };
    }
  }

  private read(path: Path, file: string): PolicyDocument | undefined {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as PolicyDocument;
    } catch (error) {
      this.problems.push({
        path,
        found: file,
        expected: "a file with an IAM policy as JSON",
        fix: `${(error as Error).message}.`,
      });
      return undefined;
    }
  }

  private report(path: Path, found: unknown, findings: readonly Finding[]): void {
    for (const { message, fix } of findings) {
      if (this.config.iam.policyChecks === "error") {
        this.problems.push({ path, found, expected: message, ...(fix === undefined ? {} : { fix }) });
      } else this.warnings.push(`${path.join(".")}: ${message}`);
    }
  }
}

const accountsFileSchema = z.array(
  z.strictObject({
    profile: z.string().regex(rules.profile.pattern, { error: rules.profile.expected }),
    accountId: z
      .string({ error: rules.accountId.expected })
      .regex(rules.accountId.pattern, { error: rules.accountId.expected }),
    description: z.string().regex(rules.description.pattern, { error: rules.description.expected }).default(""),
    region: z.string().regex(rules.region.pattern, { error: rules.region.expected }).optional(),
  }),
  { error: "a list of {profile, accountId, description, region}" },
);

function readAccountsFile(config: Config, problems: Problem[]): TargetAccountConfig[] {
  const file = config.organization?.accountsFile;
  if (file === undefined) return [];
  const path = ["organization", "accountsFile"];
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, "utf8"));
  } catch (error) {
    problems.push({ path, found: file, expected: "a YAML or JSON file", fix: `${(error as Error).message}.` });
    return [];
  }
  const parsed = accountsFileSchema.safeParse(content, { reportInput: true });
  if (parsed.data === undefined) {
    for (const issue of parsed.error.issues) {
      problems.push({ path: [...path, file, ...(issue.path as Path)], found: issue.input, expected: issue.message });
    }
    return [];
  }
  const taken = new Set(config.targetAccounts.flatMap(({ profile, accountId }) => [profile.toLowerCase(), accountId]));
  return parsed.data.map((entry, index) => {
    for (const key of ["profile", "accountId"] as const) {
      const value = entry[key].toLowerCase();
      if (taken.has(value))
        problems.push({
          path: [...path, file, index, key],
          found: entry[key],
          expected: "one that no other account has",
        });
      taken.add(value);
    }
    return { ...entry, region: entry.region, manage: false, adopt: false, existingOidcProviders: [] };
  });
}

/** A password that the stack file shows to every reader of the repository. */
function secretProblems(raw: Readonly<Record<string, unknown>>, isSecret: (key: string) => boolean): Problem[] {
  const registry = (raw.image as { build?: { registry?: { password?: unknown } } } | undefined)?.build?.registry;
  if (typeof registry?.password !== "string" || isSecret("image")) return [];
  return [
    {
      path: ["image", "build", "registry", "password"],
      found: registry.password,
      expected: "a Pulumi secret, not plain text",
      fix: `pulumi config set --path --secret '${project}:image.build.registry.password'`,
    },
  ];
}

function warningsOf({ image, mcp, iam }: Settings): string[] {
  const warnings: string[] = [];
  if (image.kind === "prebuilt" && readmeImage.test(image.reference)) {
    warnings.push(
      `image.prebuilt: the gateway in ${image.reference} gives callers other callers' answers, another account's data included, as soon as two clients call. Build the image (image.build).`,
    );
  }
  if (image.kind === "prebuilt" && !image.reference.includes("@sha256:")) {
    warnings.push(`image.prebuilt: ${image.reference} has no digest, so what runs can change under the same name.`);
  }
  if (!mcp.networkPolicy.enabled && mcp.enabled) {
    warnings.push(
      "mcp.networkPolicy.enabled is false: every pod in the cluster can read the accounts through the server.",
    );
  }
  if (iam.sensitiveReads === "allow") {
    warnings.push("iam.sensitiveReads is allow: secrets, credentials and customers' data can be read.");
  }
  return warnings;
}

/** One schema issue as problems: unknown keys each by itself, with the nearest known key. */
function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      return {
        path: [...path, key],
        expected: "no such key",
        fix: near === undefined ? `Known keys: ${known.join(", ")}.` : `Did you mean ${near}?`,
      };
    });
  }
  if (issue.code === "invalid_union") {
    // The branch that got furthest tells best what is wrong.
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
    if (depth(best) > 0) return best.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map((inner) => ({ path, expected: inner.message }));
  }
  return [{ path, expected: issue.message, ...(issue.input === undefined ? {} : { found: issue.input }) }];
}

const depth = (issues: readonly z.core.$ZodIssue[]) =>
  Math.max(0, ...issues.map(({ path, code }) => path.length + (code === "unrecognized_keys" ? 1 : 0)));

/** The schema behind optional, default and the like. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const inner = (schema as { def?: { innerType?: z.ZodType } }).def?.innerType;
  return inner === undefined ? schema : unwrap(inner);
}

function keysAt(path: Path): string[] {
  let schema: z.ZodType = configSchema;
  for (const part of path) {
    const here = branch(unwrap(schema));
    schema =
      here instanceof z.ZodArray
        ? (here.element as z.ZodType)
        : ((here as z.ZodObject).shape[part as string] as z.ZodType);
  }
  return Object.keys((branch(unwrap(schema)) as z.ZodObject).shape);
}

const branch = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodUnion
    ? ((schema.options as z.ZodType[]).find((option) => option instanceof z.ZodObject) ?? schema)
    : schema;

function distinct(problems: readonly Problem[]): Problem[] {
  return problems.filter((problem, index) => problems.findIndex((other) => same(problem, other)) === index);
}

function inOrder(problems: readonly Problem[]): Problem[] {
  const keys = Object.keys(configSchema.shape);
  const rank = ({ path }: Problem) => (keys.indexOf(String(path[0])) + keys.length + 1) % (keys.length + 1);
  return [...problems].sort((a, b) => rank(a) - rank(b));
}

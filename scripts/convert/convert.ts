/**
 * Converts the legacy script's multi-cluster-config.yaml to stack config, and reports every key. Works on texts only.
 * Sections and comments of an existing stack file are kept.
 */
import { Document, isMap, isScalar, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { z } from "zod";
import { nearest, type Path, type Problem, pathText, problemText } from "../../config/problems.js";
import { readingOf, unwrap } from "../../config/reading.js";
import type { ConfigReading } from "../../config/rules/rule.js";
import { configSchema } from "../../config/schema.js";
import { keysAt, schemaAt } from "../../config/schemaProblems.js";
import { project } from "../../config/settings.js";
import { UserError } from "../common/errors.js";

export interface ConvertOptions {
  /** Name of the legacy file, for messages. */
  readonly source: string;
  /** Content of the legacy file. */
  readonly old: string;
  /** Name of the stack file, for messages. */
  readonly target: string;
  /** Content of the stack file, if it exists. */
  readonly existing?: string | undefined;
  /** Import the resources that the legacy script created. Default: false. */
  readonly adopt?: boolean;
  /** Path of a custom permission policy, relative to the project. */
  readonly policyFile?: string | undefined;
  /** Severity of findings in that policy: `error` or `warn`. */
  readonly policyChecks?: string | undefined;
}

/** The result for one key. */
export interface Step {
  readonly outcome: "added" | "kept" | "left out";
  /** Key path in the stack config, or in the legacy file for `left out`. */
  readonly key: string;
  readonly why: string;
}

/** The legacy file with every value as text, because YAML numbers lose leading zeros and digits of IDs. */
type Tree = string | Tree[] | Table;
type Table = { [key: string]: Tree };

const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const camelCase = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const snakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function parsed(name: string, text: string, options = {}): Document {
  const document = parseDocument(text, options);
  const error = document.errors[0];
  if (error !== undefined) {
    throw new UserError(`${name}: not YAML: ${error.message.split("\n")[0]!.replace(/:$/, ".")}`);
  }
  return document;
}

function readLegacyFile({ old, source }: ConvertOptions): Table {
  const file: unknown = parsed(source, old, { schema: "failsafe", merge: true }).toJS();
  if (isTable(file) && (file.clusters !== undefined || file.target_accounts !== undefined)) return file;
  const keys = isTable(file) ? `the keys ${Object.keys(file).join(", ") || "{}"}` : "no map";
  const expected = "the file of the legacy script, with clusters, kubernetes, iam, target_accounts";
  throw new UserError(`${source}: found ${keys}. Expected ${expected}.`);
}

/** The result of a conversion. */
export class Conversion {
  /** New content of the stack file. */
  readonly content: string;
  readonly steps: Step[] = [];
  /** Remaining steps, one sentence each. */
  readonly notes: string[] = [];
  /** Problems that the new config does not show. */
  readonly problems: string[] = [];
  /** Sections that the stack file has already. */
  private readonly present: Readonly<Record<string, unknown>>;
  /** Sections to add to the stack file. */
  private readonly added: Document;
  /** Paths in the legacy file, by key path in the config. */
  private readonly origins = new Map<string, Path>();

  /** @throws UserError if one of the files is invalid */
  constructor(private readonly options: ConvertOptions) {
    const { existing, target, source, adopt } = options;
    const old = readLegacyFile(options);
    const heading = `# Stack config, converted from ${source}. docs/config.md describes every key.\n`;
    // The Pulumi CLI writes an empty file as {}.
    let text = (existing ?? heading).replace(/^\{\}[ \r]*$/m, "");
    let document = parsed(target, text);
    const file: unknown = document.toJS() ?? {};
    const config = isTable(file) ? (file.config ?? {}) : undefined;
    if (!isTable(config)) {
      throw new UserError(`${target}: not a stack file. Expected a map with the key config, which is a map.`);
    }
    if (!document.has("config")) {
      text = `${text}${/[^\n]$/.test(text) ? "\n" : ""}config:\n`;
      document = parsed(target, text);
    }
    this.present = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace(`${project}:`, ""), value]),
    );
    this.added = new Document(this.convertTable([], [], old), { aliasDuplicateObjects: false });
    const reading = readingOf(configSchema, { ...this.present, ...this.added.toJS() });
    const { iam, kubernetes } = reading;
    this.usePolicy(reading);
    // The legacy script does not create the namespace, and these exist in every cluster.
    if (/^(default|kube-.*)$/.test(kubernetes.namespace ?? "")) {
      const why = `every cluster has the namespace ${kubernetes.namespace}`;
      this.put(["kubernetes", "createNamespace"], false, why);
    }
    if (adopt) this.adopt(reading);
    else if (!reading.targetAccounts.some((account) => account.adopt)) {
      this.notes.push(
        "If the legacy script created providers and roles in these accounts, convert into a new file with --adopt.",
      );
    }
    if (!iam.retainOidcProviders) {
      this.notes.push(
        "pulumi destroy deletes adopted OIDC providers; the legacy script keeps them by default. To keep them, set iam.retainOidcProviders: true.",
      );
    }
    this.limitDeployment(reading);
    this.content = this.merge(document, text);
  }

  /** The message of a problem in the new config, with the keys of the legacy file. */
  explain = (problem: Problem): string => {
    const { path } = problem;
    const length = path.findLastIndex((_, index) => this.origins.has(pathText(path.slice(0, index + 1)))) + 1;
    const origin = this.origins.get(pathText(path.slice(0, length)));
    const rest = path.slice(length).map(String);
    if (origin === undefined || rest.length > 1 || !rest.every((key) => requiredKeys.has(key))) {
      return `${this.options.target}: ${problemText(problem)}`;
    }
    const fix = problem.fix?.replace(/[\w.[\]-]*[\w\]]/g, (word) => {
      const from = this.origins.get(word);
      return from === undefined ? word : pathText(from);
    });
    return problemText({ ...problem, path: [...origin, ...rest.map(snakeCase)], fix });
  };

  private step(outcome: Step["outcome"], key: string, why: string): void {
    this.steps.push({ outcome, key, why });
  }

  /** The value of a legacy key in the form of the config. The config rejects a value of another type. */
  private convert(to: Path, from: Path, value: Tree): unknown {
    this.origins.set(pathText(to), from);
    const schema = unwrap(schemaAt(to) ?? z.unknown());
    if (Array.isArray(value) && schema instanceof z.ZodArray) {
      return value.map((entry, index) => this.convert([...to, index], [...from, index], entry));
    }
    if (isTable(value) && keysAt(to).length > 0) return this.convertTable(to, from, value);
    const converted = typed(value, schema);
    this.step("added", pathText(to), `${JSON.stringify(converted)} (${pathText(from)})`);
    return converted;
  }

  private convertTable(to: Path, from: Path, table: Table): Record<string, unknown> {
    const converted: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(table)) {
      const place = [...from, key];
      const name = nearest(camelCase(key), keysAt(to));
      if (name !== undefined && name !== camelCase(key)) {
        // The value is converted, so that its own problems are reported too.
        const expected = `Expected ${snakeCase(name)}. Correct it, or remove the line.`;
        this.problems.push(`${pathText(place)}: the key is unknown. ${expected}`);
      }
      if (name === undefined) this.step("left out", pathText(place), "the config has no such key");
      else if (isEmpty(value)) this.step("left out", pathText(place), "the value is empty");
      else if (name in converted) {
        const first = pathText(this.origins.get(pathText([...to, name])) ?? []);
        this.problems.push(`${pathText(place)}: found a second value of ${first}. Remove one of the two.`);
      } else if (to.length === 0 && name in this.present) {
        this.step("kept", name, `${this.options.target} already has this section`);
      } else converted[name] = this.convert([...to, name], place, value);
    }
    return converted;
  }

  /** Sets a key of a section that is added. */
  private put(path: Path, value: unknown, why: string): void {
    const parent = this.added.getIn(path.slice(0, -1));
    // The config rejects a section or an entry that is not a map.
    if (String(path[0]) in this.present || (parent !== undefined && !isMap(parent))) return;
    this.added.setIn(path, this.added.createNode(value));
    this.step("added", pathText(path), `${JSON.stringify(value)} (${why})`);
  }

  private usePolicy({ iam }: ConfigReading): void {
    const { policyFile, policyChecks, target } = this.options;
    const given = [
      { key: "policyFile", value: policyFile, option: "--permissions" },
      { key: "policyChecks", value: policyChecks, option: "--policy-checks" },
    ] as const;
    for (const { key, value, option } of given) {
      if (value === undefined || value === iam[key]) continue;
      this.put(["iam", key], value, option);
      if (!("iam" in this.present)) continue;
      this.problems.push(
        `${target}: the section iam is kept, so ${option} has no effect. Set iam.${key} to ${value}, or run without ${option}.`,
      );
    }
  }

  /** Adopts what the legacy script created, except the providers of clusters in their own account, which are shared. */
  private adopt({ clusters, targetAccounts }: ConfigReading): void {
    for (const [index, { accountId }] of targetAccounts.entries()) {
      const own = clusters.filter((cluster) => cluster.accountId === accountId).map(({ name }) => name);
      const why = "other service accounts of the cluster share the provider in the cluster's account";
      if (own.length > 0) this.put(["targetAccounts", index, "existingOidcProviders"], own, why);
      this.put(["targetAccounts", index, "adopt"], true, "--adopt");
    }
    if ("targetAccounts" in this.present) {
      this.notes.push(`${this.options.target}: the section targetAccounts is kept, so --adopt has no effect.`);
    }
  }

  /** The legacy file has no image and no kubeconfig. Without them the stack creates IAM resources only. */
  private limitDeployment({ clusters, kubernetes, holmes, image, mcp }: ConfigReading): void {
    if (image !== undefined && mcp.enabled) {
      if ("clusters" in this.present) return;
      const why = "the legacy file contains no access to the cluster";
      for (const index of clusters.keys()) this.put(["clusters", index, "deploy"], false, why);
      this.notes.push(
        "To deploy the server to the converted clusters, set context (or kubeconfig, profile) of each cluster and remove deploy: false.",
      );
      return;
    }
    this.put(["mcp", "enabled"], false, `${this.options.target} has no image`);
    this.notes.push(
      `The stack creates IAM resources only. To deploy the server, set ${image === undefined ? "image and " : ""}the context (or kubeconfig, profile) of each cluster, and remove mcp.enabled: false.`,
    );
    // Without a workload, the roles trust the namespace of Holmes. The running server can be in another one.
    if (this.added.hasIn(["kubernetes", "namespace"]) && kubernetes.namespace !== holmes.namespace) {
      const subject = `${kubernetes.namespace}:${kubernetes.serviceAccount}`;
      this.put(["kubernetes", "additionalSubjects"], [subject], "the running server keeps its access");
    }
  }

  /** The stack file with the added sections at the end of its config. The rest of its text does not change. */
  private merge(document: Document, text: string): string {
    const config = document.get("config", true);
    if (!isMap<Scalar>(config) && !isScalar(config)) {
      throw new UserError(`${this.options.target}: config is an alias. Expected a map.`);
    }
    const [start, end] = config.range!;
    const isFlow = isMap(config) && config.flow === true;
    const added = this.addSections(isFlow ? `config: ${text.slice(start, end)}` : "config: {}");
    if (this.steps.every(({ outcome }) => outcome !== "added")) return text;
    const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
    let indent = "  ";
    let before = text.slice(0, end);
    let after = text.slice(end);
    if (isMap<Scalar>(config) && !isFlow) {
      const first = config.items[0]!.key.range![0];
      indent = /^ */.exec(text.slice(text.lastIndexOf("\n", first) + 1))![0];
    } else {
      // The config is empty or in braces. A comment after it stays in its line.
      const rest = /^[^\n]*\n?/.exec(after)![0];
      before = (text.slice(0, start) + rest).replace(/ +(\r?\n?)$/, "$1");
      after = after.slice(rest.length);
    }
    if (!before.endsWith("\n")) before += lineEnd;
    return before + added.replace(/^ {2}/gm, indent).replaceAll("\n", lineEnd) + after;
  }

  /** The entries of a config with the added sections, without the line of the key `config`. */
  private addSections(text: string): string {
    const document = parsed(this.options.target, text);
    const config = document.get("config") as YAMLMap;
    config.flow = false;
    const providers = "pulumi:disable-default-providers";
    if (!(providers in this.present)) {
      config.items.unshift(document.createPair(providers, ["aws", "kubernetes", "docker"]));
      this.step("added", providers, "every resource must have an explicit provider");
    }
    for (const { key, value } of (this.added.contents as YAMLMap).items) {
      const name = document.createNode(`${project}:${key}`);
      name.spaceBefore = true;
      config.add({ key: name, value });
    }
    return document.toString({ lineWidth: 0, flowCollectionPadding: false }).replace(/^config:.*\n+/, "");
  }
}

/** Required keys of the legacy file, by their names in the config. */
const requiredKeys = new Set(["name", "region", "accountId", "profile", "oidcIssuerId"]);

/** Empty, or null in YAML, which the legacy script reads as the text `null`. */
const isEmpty = (value: Tree) => value === "" || value === "null" || value === "~";

/** Converts a text to the number or Boolean that the schema requires, if possible. */
function typed(value: Tree, schema: z.ZodType): unknown {
  if (schema instanceof z.ZodNumber && typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  if (schema instanceof z.ZodBoolean && (value === "true" || value === "false")) return value === "true";
  return value;
}

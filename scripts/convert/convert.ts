/**
 * Converts the legacy script's multi-cluster-config.yaml to stack config, and reports every key. Works on texts only.
 * Existing values and comments of the stack file are kept.
 */
import { type Document, isCollection, isMap, isNode, isSeq, type Node, parseDocument, type YAMLMap } from "yaml";
import { z } from "zod";
import { nearest, type Path, type Problem, pathText, problemText } from "../../config/problems.js";
import { unwrap } from "../../config/reading.js";
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
  readonly outcome: "added" | "unchanged" | "kept" | "left out";
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
  if (error !== undefined) throw new UserError(`${name}: not YAML: ${error.message.split("\n")[0]}`);
  return document;
}

/** Sections of the legacy file. */
const sections = ["clusters", "kubernetes", "iam", "target_accounts"];

function readLegacyFile({ old, source }: ConvertOptions): Table {
  const file: unknown = parsed(source, old, { schema: "failsafe", merge: true }).toJS();
  if (isTable(file) && (file.clusters !== undefined || file.target_accounts !== undefined)) return file;
  const keys = isTable(file) ? `the keys ${Object.keys(file).join(", ") || "{}"}` : "no map";
  throw new UserError(`${source}: found ${keys}. Expected the file of the legacy script, with ${sections.join(", ")}.`);
}

/** Lists of the config, with the key that identifies their entries. */
const identifiers: Readonly<Record<string, string>> = { clusters: "name", targetAccounts: "profile" };

/** Place of a key in the stack file: `["iam", "path"]` gives `["config", "holmes-aws-mcp:iam", "path"]`. */
const placeOf = ([section, ...rest]: Path) => ["config", `${project}:${section}`, ...rest];

/** The result of a conversion. */
export class Conversion {
  /** New content of the stack file. */
  readonly content: string;
  readonly steps: Step[] = [];
  /** Remaining steps, one sentence each. */
  readonly notes: string[] = [];
  /** Problems that the new config does not show. */
  readonly problems: string[] = [];
  private readonly document: Document;
  /** Paths in the legacy file, by key path in the config. */
  private readonly origins = new Map<string, Path>();

  /** @throws UserError if one of the files is invalid */
  constructor(private readonly options: ConvertOptions) {
    const { existing, target, source, adopt = false } = options;
    const old = readLegacyFile(options);
    this.document = parsed(
      target,
      existing ?? `# Stack config, converted from ${source}. docs/config.md describes every key.\nconfig: {}\n`,
    );
    const { contents } = this.document;
    const present = isMap(contents) ? contents.get("config") : contents;
    if (present && !isMap(present)) {
      throw new UserError(`${target}: not a stack file. Expected a map with the key config, which is a map.`);
    }
    if (!present) this.document.set("config", this.document.createNode({}));
    const config = this.document.get("config") as YAMLMap;
    config.flow = false;
    const providers = "pulumi:disable-default-providers";
    if (!config.has(providers)) {
      config.items.unshift(this.document.createPair(providers, this.nodeOf(["aws", "kubernetes", "docker"])));
      this.step("added", providers, "every resource must have an explicit provider");
    }

    for (const [key, value] of Object.entries(old)) {
      const from = nearest(key, sections);
      if (from === undefined) this.leaveOut([key]);
      else {
        if (key !== from) this.misspelt([key], from);
        if (!isEmpty(value)) this.merge(camelCase(from), [key], value);
      }
    }
    this.namespace();
    this.policy();
    if (adopt) this.adopt();
    else if (this.entries("targetAccounts").every(({ entry }) => entry.adopt === undefined)) {
      this.notes.push("If the legacy script created providers and roles in these accounts, convert with --adopt.");
    }
    this.retention();
    this.workload();

    // An empty line before each new section, whose key is not a node yet.
    for (const pair of config.items) {
      if (isNode(pair.key)) continue;
      pair.key = this.document.createNode(pair.key);
      (pair.key as Node).spaceBefore = true;
    }
    const text = this.document.toString({ lineWidth: 0, flowCollectionPadding: false });
    this.content = existing === undefined ? text : restoreLines(existing, text);
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

  /** The value is converted, so that its own problems are reported too. */
  private misspelt(path: Path, near: string): void {
    this.problems.push(`${pathText(path)}: the key is unknown. Expected ${near}. Correct it, or remove the line.`);
  }

  private leaveOut(path: Path, why = "the config has no such key"): void {
    this.step("left out", pathText(path), why);
  }

  /** The value of a key in the stack file. */
  private get(...path: Path): unknown {
    const node = this.document.getIn(placeOf(path), true);
    return isNode(node) ? node.toJS(this.document) : node;
  }

  private nodeOf(value: unknown): Node {
    return this.document.createNode(value, { flow: Array.isArray(value) });
  }

  private set(path: Path, value: unknown): void {
    this.document.setIn(placeOf(path), this.nodeOf(value));
  }

  /** Creates a section of the stack file if it does not exist. */
  private open(section: string): void {
    const node = this.document.getIn(placeOf([section]), true);
    const isList = section in identifiers;
    if (node === undefined) this.document.setIn(placeOf([section]), this.document.createNode(isList ? [] : {}));
    else if (!isCollection(node) || isSeq(node) !== isList) {
      const kind = isList ? "a list" : "a map";
      throw new UserError(`${this.options.target}: ${project}:${section} is not ${kind}. Expected ${kind} in YAML.`);
    } else if (node.items.length === 0) node.flow = false;
  }

  /** The maps in a list of the stack file. An alias of a map is not one of them, because its map is elsewhere. */
  private entries(section: string): { index: number; entry: Record<string, unknown> }[] {
    const list = this.document.getIn(placeOf([section]), true);
    const nodes = isSeq(list) ? list.items : [];
    return nodes.flatMap((node, index) => (isMap(node) ? [{ index, entry: node.toJS(this.document) }] : []));
  }

  private merge(section: string, from: Path, value: Tree): void {
    this.origins.set(section, from);
    const by = identifiers[section];
    if (by !== undefined && Array.isArray(value)) this.mergeList(section, by, from, value);
    else if (by === undefined && isTable(value)) this.mergeEntry([section], from, value);
    // The config rejects it.
    else this.set([section], value);
  }

  private mergeList(section: string, by: string, from: Path, value: Tree[]): void {
    this.open(section);
    const places = new Map(this.entries(section).map(({ index, entry }) => [entry[by], index]));
    let length = (this.get(section) as unknown[]).length;
    for (const [index, entry] of value.entries()) {
      const name = isTable(entry) ? entry[by] : undefined;
      const known = name === undefined ? undefined : places.get(name);
      // A duplicate becomes an entry of its own, which the config rejects.
      places.delete(name);
      const place = known ?? length;
      if (known === undefined) {
        this.set([section, place], isTable(entry) ? {} : entry);
        length += 1;
      }
      this.mergeEntry([section, place], [...from, index], entry);
    }
  }

  private mergeEntry(to: Path, from: Path, entry: Tree): void {
    this.origins.set(pathText(to), from);
    if (!isTable(entry)) return;
    for (const [key, value] of Object.entries(entry)) {
      const name = nearest(camelCase(key), keysAt(to));
      if (name !== undefined && name !== camelCase(key)) this.misspelt([...from, key], snakeCase(name));
      if (name === undefined) this.leaveOut([...from, key]);
      else if (isEmpty(value)) this.leaveOut([...from, key], "the value is empty");
      else {
        const path = [...to, name];
        this.origins.set(pathText(path), [...from, key]);
        this.put(path, typed(value, schemaAt(path)!), pathText([...from, key]));
      }
    }
  }

  /** Sets a key if it does not exist. An existing value is kept. */
  private put(path: Path, value: unknown, why: string): void {
    this.open(String(path[0]));
    const key = pathText(path);
    const present = this.get(...path);
    const [found, wanted] = [JSON.stringify(present), JSON.stringify(value)];
    if (present === undefined) {
      this.set(path, value);
      this.step("added", key, `${wanted} (${why})`);
    } else if (found === wanted) this.step("unchanged", key, wanted);
    else this.step("kept", key, `${found}, not ${wanted} (${why})`);
  }

  /** The legacy script does not create the namespace, and these exist in every cluster. */
  private namespace(): void {
    const namespace = String(this.get("kubernetes", "namespace"));
    if (!/^(default|kube-.*)$/.test(namespace)) return;
    this.put(["kubernetes", "createNamespace"], false, `every cluster has the namespace ${namespace}`);
  }

  private policy(): void {
    const { policyFile, policyChecks, target } = this.options;
    const present = this.get("iam", "policyFile");
    if (policyFile !== undefined && present !== undefined && present !== policyFile) {
      this.problems.push(
        `${target}: iam.policyFile is already ${JSON.stringify(present)}. Remove the key, or run without --permissions.`,
      );
    }
    if (policyFile !== undefined) this.put(["iam", "policyFile"], policyFile, "--permissions");
    if (policyChecks !== undefined) this.put(["iam", "policyChecks"], policyChecks, "--policy-checks");
  }

  /** Adopts what the legacy script created, except the providers of clusters in their own account, which are shared. */
  private adopt(): void {
    const clusters = this.entries("clusters").map(({ entry }) => entry);
    for (const { index, entry } of this.entries("targetAccounts")) {
      if (entry.manage === false) continue;
      const own = clusters.filter(({ accountId }) => accountId === entry.accountId).map(({ name }) => name);
      if (own.length > 0) {
        const why = "other service accounts of the cluster share the provider in the cluster's account";
        this.put(["targetAccounts", index, "existingOidcProviders"], own, why);
      }
      this.put(["targetAccounts", index, "adopt"], true, "--adopt");
    }
  }

  /** The legacy script keeps OIDC providers at teardown; a stack deletes those that it created or adopted. */
  private retention(): void {
    if (this.get("iam", "retainOidcProviders") !== undefined) return;
    this.notes.push(
      "pulumi destroy deletes adopted OIDC providers; the legacy script keeps them by default. To keep them, set iam.retainOidcProviders: true.",
    );
  }

  /** The legacy file has no image and no kubeconfig. Without them the stack creates IAM resources only. */
  private workload(): void {
    const inaccessible = this.entries("clusters").filter(
      ({ entry: { deploy, kubeconfig, context, profile } }) =>
        deploy !== false && [kubeconfig, context, profile].every((access) => access === undefined),
    );
    const contexts = inaccessible.map(({ index }) => `clusters[${index}].context`);
    const disabled = this.get("mcp", "enabled") === false;
    const noImage = this.get("image") === undefined;
    if (!disabled && noImage) {
      this.put(["mcp", "enabled"], false, `${this.options.target} has no image`);
      (this.document.getIn(placeOf(["mcp"])) as YAMLMap).commentBefore ??=
        " IAM resources only. To deploy the server, set image and the context (or kubeconfig, profile) of each cluster.";
      this.trustRunningServer();
    }
    if (disabled || noImage) {
      const needs = [...(noImage ? ["image"] : []), ...contexts];
      this.notes.push(
        `The stack creates IAM resources only. To deploy the server, ${needs.length === 0 ? "" : `set ${needs.join(", ")} and `}remove mcp.enabled: false.`,
      );
      return;
    }
    for (const { index } of inaccessible) {
      this.put(["clusters", index, "deploy"], false, "the cluster has no context, kubeconfig or profile");
    }
    if (contexts.length > 0) {
      this.notes.push(
        `To deploy the server to the other clusters, set ${contexts.join(", ")} (or kubeconfig, profile) and remove deploy: false.`,
      );
    }
  }

  /** Without a workload, the roles trust the namespace of Holmes. The running server can be in another one. */
  private trustRunningServer(): void {
    const namespace = this.get("kubernetes", "namespace");
    if (namespace === undefined || namespace === (this.get("holmes", "namespace") ?? "default")) return;
    if (this.get("kubernetes", "additionalSubjects") !== undefined) return;
    const subject = `${namespace}:${this.get("kubernetes", "serviceAccount") ?? "aws-api-mcp-sa"}`;
    this.put(["kubernetes", "additionalSubjects"], [subject], "the running server keeps its access");
  }
}

/** Required keys of the legacy file, by their names in the config. */
const requiredKeys = new Set(["name", "region", "accountId", "profile", "oidcIssuerId"]);

/** Empty, or null in YAML, which the legacy script reads as the text `null`. */
const isEmpty = (value: Tree) => value === "" || value === "null" || value === "~";

/** Converts a text to the number or Boolean that the schema requires, if possible. */
function typed(value: Tree, schema: z.ZodType): unknown {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodNumber && typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  if (plain instanceof z.ZodBoolean && (value === "true" || value === "false")) return value === "true";
  return value;
}

/** Restores the lines that differ only in the padding of brackets. */
function restoreLines(before: string, after: string): string {
  const plain = (line: string) => line.replace(/([[{]) | ([\]}])/g, "$1$2").trimEnd();
  const earlier = new Map(before.split("\n").map((line) => [plain(line), line]));
  const text = after
    .split("\n")
    .map((line) => earlier.get(plain(line)) ?? line)
    .join("\n");
  const same = JSON.stringify(parseDocument(text).toJS()) === JSON.stringify(parseDocument(after).toJS());
  return same ? text : after;
}

/**
 * Converts the legacy script's multi-cluster-config.yaml to stack config, and reports every key. Works on texts only.
 * Existing values and comments of the stack file are kept.
 */
import { type Document, isMap, isSeq, type Node, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
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

export interface Conversion {
  /** New content of the stack file. */
  readonly content: string;
  readonly steps: readonly Step[];
  /** Remaining steps, one sentence each. */
  readonly notes: readonly string[];
  /** Problems that the new config does not show. */
  readonly problems: readonly string[];
  /** The message of a problem in the new config, with the keys of the legacy file. */
  readonly explain: (problem: Problem) => string;
}

/** The legacy file with every value as text, because YAML numbers lose leading zeros and digits of IDs. */
type Tree = string | Tree[] | { [key: string]: Tree };
type Table = { [key: string]: Tree };

const isTable = (value: Tree | undefined): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const camelCase = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const snakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** @throws UserError if one of the files is invalid */
export function convert(options: ConvertOptions): Conversion {
  const conversion = new Converter(options, readLegacyFile(options));
  conversion.run();
  return conversion;
}

function readLegacyFile({ old, source }: ConvertOptions): Table {
  const document = parseDocument(old, { schema: "failsafe", merge: true });
  const error = document.errors[0];
  if (error !== undefined) throw new UserError(`${source}: not YAML: ${error.message.split("\n")[0]}`);
  const file = (document.toJS() ?? "") as Tree;
  if (isTable(file) && isTable(file.config)) {
    throw new UserError(`${source}: found stack config. Expected the multi-cluster-config.yaml of the legacy script.`);
  }
  if (!isTable(file) || (file.clusters === undefined && file.target_accounts === undefined)) {
    const keys = isTable(file) ? `the keys ${Object.keys(file).join(", ") || "{}"}` : "no map";
    throw new UserError(
      `${source}: found ${keys}. Expected the file of the legacy script, with clusters, kubernetes, iam and target_accounts.`,
    );
  }
  return file;
}

/** Sections of the legacy file, with the key that identifies the entries of a list. */
const sections = [
  { from: "clusters", to: "clusters", by: "name" },
  { from: "kubernetes", to: "kubernetes", by: undefined },
  { from: "iam", to: "iam", by: undefined },
  { from: "target_accounts", to: "targetAccounts", by: "profile" },
] as const;

class Converter implements Conversion {
  readonly steps: Step[] = [];
  readonly notes: string[] = [];
  readonly problems: string[] = [];
  private readonly document: Document;
  /** Paths in the new config and in the legacy file. */
  private readonly origins: Array<{ to: Path; from: Path }> = [];

  constructor(
    private readonly options: ConvertOptions,
    private readonly old: Table,
  ) {
    const { existing, target, source } = options;
    this.document = parseDocument(
      existing ?? `# Stack config, converted from ${source}. docs/config.md describes every key.\nconfig: {}\n`,
    );
    const error = this.document.errors[0];
    if (error !== undefined) throw new UserError(`${target}: not YAML: ${error.message.split("\n")[0]}`);
    if (this.document.contents === null) this.document.contents = this.document.createNode({});
    if (!isMap(this.document.contents))
      throw new UserError(`${target}: not a map. Expected a map with the key config.`);
    if (!isMap(this.document.get("config"))) {
      if (this.document.get("config"))
        throw new UserError(`${target}: config is not a map. Expected a map of config keys.`);
      this.document.set("config", this.document.createNode({}));
    }
    this.config.flow = false;
  }

  get content(): string {
    const text = this.document.toString({ lineWidth: 0, flowCollectionPadding: false });
    return this.options.existing === undefined ? text : restoreLines(this.options.existing, text);
  }

  run(): void {
    const providers = "pulumi:disable-default-providers";
    if (!this.config.has(providers)) {
      this.config.items.unshift(this.document.createPair(providers, this.flow(["aws", "kubernetes", "docker"])));
      this.step("added", providers, "every resource must have an explicit provider");
    }
    const known = sections.map(({ from }) => from);
    for (const { from, to, by } of sections) {
      for (const [key, value] of Object.entries(this.old).filter(([key]) => nearest(key, known) === from)) {
        if (key !== from) this.misspelt([key], from);
        if (isEmpty(value)) continue;
        this.origins.push({ to: [to], from: [key] });
        if (by === undefined) this.mergeTable([to], [key], value);
        else this.mergeList([to], [key], value, by);
      }
    }
    for (const key of Object.keys(this.old)) if (nearest(key, known) === undefined) this.leaveOut([key]);
    this.namespace();
    this.policy();
    if (this.options.adopt === true) this.adopt();
    else if (this.entries("targetAccounts").every((account) => !account.has("adopt"))) {
      this.notes.push("If the legacy script created providers and roles in these accounts, convert with --adopt.");
    }
    this.retention();
    this.workload();
  }

  explain = (problem: Problem): string => {
    const { target } = this.options;
    const origin = this.origins
      .filter(({ to }) => to.every((part, index) => part === problem.path[index]))
      .sort((a, b) => b.to.length - a.to.length)[0];
    const rest = problem.path.slice(origin?.to.length ?? 0);
    const oldKey = rest.length === 0 || (rest.length === 1 && requiredKeys.has(String(rest[0])));
    if (origin === undefined || !oldKey) return `${target}: ${problemText(problem)}`;
    const keys = new Map(this.origins.map(({ to, from }) => [pathText(to), pathText(from)]));
    const fix = problem.fix?.replace(/[\w.[\]-]*[\w\]]/g, (word) => keys.get(word) ?? word);
    return problemText({
      ...problem,
      path: [...origin.from, ...rest.map((part) => snakeCase(String(part)))],
      ...(fix === undefined ? {} : { fix }),
    });
  };

  private get config(): YAMLMap {
    return this.document.get("config") as YAMLMap;
  }

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

  /** The map of a section in the config. Created if it does not exist. */
  private table(section: string): YAMLMap {
    return this.collection(section, {}, isMap, "a map");
  }

  private collection<T extends YAMLMap | YAMLSeq>(
    section: string,
    empty: object,
    is: (node: unknown) => node is T,
    kind: string,
  ): T {
    const key = `${project}:${section}`;
    if (!this.config.has(key)) this.addSection(key, empty);
    const node = this.config.get(key);
    if (!is(node))
      throw new UserError(`${this.options.target}: ${key} is not ${kind}. Expected ${kind} in YAML, not text.`);
    if (node.items.length === 0) node.flow = false;
    return node;
  }

  /** Adds a section after an empty line. */
  private addSection(key: string, value: unknown): void {
    const pair = this.document.createPair(key, value);
    (pair.key as Node).spaceBefore = this.config.items.length > 0;
    this.config.add(pair);
  }

  /** The maps in a list of the config. */
  private entries(section: "clusters" | "targetAccounts"): YAMLMap[] {
    const node = this.config.get(`${project}:${section}`);
    return isSeq(node) ? node.items.filter(isMap) : [];
  }

  private mergeList(to: Path, from: Path, value: Tree, by: string): void {
    const list = this.collection<YAMLSeq>(String(to[0]), [], isSeq, "a list");
    if (!Array.isArray(value)) {
      this.config.set(`${project}:${to[0]}`, this.document.createNode(value));
      return;
    }
    const names = value.map((entry) => (isTable(entry) ? entry[by] : undefined));
    for (const [index, entry] of value.entries()) {
      const name = names[index];
      // A duplicate becomes a separate entry, which the config rejects.
      const isKnown = (item: unknown) => isMap(item) && name !== undefined && item.get(by) === name;
      const known = names.indexOf(name) < index ? -1 : list.items.findIndex(isKnown);
      const place = known >= 0 ? known : list.items.length;
      if (known < 0) list.add(this.document.createNode(isTable(entry) ? {} : entry));
      this.mergeEntry(list.items[place], [...to, place], [...from, index], entry);
    }
  }

  private mergeTable(to: Path, from: Path, value: Tree): void {
    if (isTable(value)) this.mergeEntry(this.table(String(to[0])), to, from, value);
    else this.config.set(`${project}:${to[0]}`, this.document.createNode(value));
  }

  private mergeEntry(node: unknown, to: Path, from: Path, entry: Tree): void {
    this.origins.push({ to, from });
    if (!isTable(entry) || !isMap(node)) return;
    for (const [key, value] of Object.entries(entry)) {
      const name = nearest(camelCase(key), keysAt(to));
      if (name !== undefined && name !== camelCase(key)) this.misspelt([...from, key], snakeCase(name));
      if (name === undefined) this.leaveOut([...from, key]);
      else if (isEmpty(value)) this.leaveOut([...from, key], "the value is empty");
      else {
        this.origins.push({ to: [...to, name], from: [...from, key] });
        this.put(node, [...to, name], typed(value, schemaAt([...to, name])!), pathText([...from, key]));
      }
    }
  }

  /** Sets a key if it does not exist. An existing value is kept. */
  private put(node: YAMLMap, path: Path, value: unknown, why: string): void {
    const key = String(path.at(-1));
    if (!node.has(key)) {
      node.set(key, Array.isArray(value) ? this.flow(value) : this.document.createNode(value));
      this.step("added", pathText(path), `${JSON.stringify(value)} (${why})`);
      return;
    }
    const present = node.toJS(this.document)[key];
    const same = JSON.stringify(present) === JSON.stringify(value);
    if (same) this.step("unchanged", pathText(path), JSON.stringify(value));
    else this.step("kept", pathText(path), `${JSON.stringify(present)}, not ${JSON.stringify(value)} (${why})`);
  }

  private flow(items: readonly unknown[]): YAMLSeq {
    const node = this.document.createNode(items) as YAMLSeq;
    node.flow = true;
    return node;
  }

  /** The legacy script does not create the namespace, and these exist in every cluster. */
  private namespace(): void {
    const node = this.config.get(`${project}:kubernetes`);
    const namespace = isMap(node) ? node.get("namespace") : undefined;
    if (!isMap(node) || typeof namespace !== "string" || !/^(default|kube-.*)$/.test(namespace)) return;
    this.put(node, ["kubernetes", "createNamespace"], false, `every cluster has the namespace ${namespace}`);
  }

  private policy(): void {
    const { policyFile, policyChecks, target } = this.options;
    if (policyFile === undefined && policyChecks === undefined) return;
    const iam = this.table("iam");
    const present = iam.get("policyFile");
    if (policyFile !== undefined && present !== undefined && present !== policyFile) {
      this.problems.push(
        `${target}: iam.policyFile is already ${JSON.stringify(present)}. Remove the key, or run without --permissions.`,
      );
    }
    if (policyFile !== undefined) this.put(iam, ["iam", "policyFile"], policyFile, "--permissions");
    if (policyChecks !== undefined) this.put(iam, ["iam", "policyChecks"], policyChecks, "--policy-checks");
  }

  /** Adopts what the legacy script created, except the providers of clusters in their own account, which are shared. */
  private adopt(): void {
    for (const [index, account] of this.entries("targetAccounts").entries()) {
      const path = ["targetAccounts", index];
      if (account.get("manage") === false) continue;
      const own = this.entries("clusters")
        .filter((cluster) => cluster.get("accountId") === account.get("accountId"))
        .map((cluster) => cluster.get("name"));
      if (own.length > 0) {
        const why = "other service accounts of the cluster share the provider in the cluster's account";
        this.put(account, [...path, "existingOidcProviders"], own, why);
      }
      this.put(account, [...path, "adopt"], true, "--adopt");
    }
  }

  /** The legacy script keeps OIDC providers at teardown; a stack deletes those that it created or adopted. */
  private retention(): void {
    const iam = this.config.get(`${project}:iam`);
    if (isMap(iam) && iam.has("retainOidcProviders")) return;
    this.notes.push(
      "pulumi destroy deletes adopted OIDC providers; the legacy script keeps them by default. To keep them, set iam.retainOidcProviders: true.",
    );
  }

  /** The legacy file has no image and no kubeconfig. Without them the stack creates IAM resources only. */
  private workload(): void {
    const { target } = this.options;
    const access = ["kubeconfig", "context", "profile"];
    const inaccessible = this.entries("clusters").flatMap((cluster, index) =>
      cluster.get("deploy") === false || access.some((key) => cluster.has(key)) ? [] : [{ cluster, index }],
    );
    const contexts = inaccessible.map(({ index }) => `clusters[${index}].context`);
    const mcp = this.config.get(`${project}:mcp`);
    const disabled = isMap(mcp) && mcp.get("enabled") === false;
    const noImage = !this.config.has(`${project}:image`);
    if (!disabled && noImage) {
      const node = this.table("mcp");
      node.commentBefore =
        " IAM resources only. To deploy the server, set image and the context (or kubeconfig, profile) of each cluster.";
      this.put(node, ["mcp", "enabled"], false, `${target} has no image`);
      this.trustRunningServer();
    }
    if (disabled || noImage) {
      const needs = [...(noImage ? ["image"] : []), ...contexts];
      this.notes.push(
        `The stack creates IAM resources only. To deploy the server, ${needs.length === 0 ? "" : `set ${needs.join(", ")} and `}remove mcp.enabled: false.`,
      );
      return;
    }
    for (const { cluster, index } of inaccessible) {
      this.put(cluster, ["clusters", index, "deploy"], false, "the cluster has no context, kubeconfig or profile");
    }
    if (contexts.length > 0) {
      this.notes.push(
        `To deploy the server to the other clusters, set ${contexts.join(", ")} (or kubeconfig, profile) and remove deploy: false.`,
      );
    }
  }

  /** Without a workload, the roles trust the namespace of Holmes. The running server can be in another one. */
  private trustRunningServer(): void {
    const kubernetes = this.config.get(`${project}:kubernetes`);
    const holmes = this.config.get(`${project}:holmes`);
    if (!isMap(kubernetes) || kubernetes.has("additionalSubjects")) return;
    const namespace = kubernetes.get("namespace");
    const trusted = (isMap(holmes) && holmes.get("namespace")) || "default";
    if (typeof namespace !== "string" || namespace === trusted) return;
    const subject = `${namespace}:${kubernetes.get("serviceAccount") ?? "aws-api-mcp-sa"}`;
    this.put(kubernetes, ["kubernetes", "additionalSubjects"], [subject], "the running server keeps its access");
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

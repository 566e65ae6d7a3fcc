/**
 * The old shell script's multi-cluster-config.yaml as stack config: texts in, a text and an account of every key out.
 * What a stack file says already stays, with its comments.
 */
import { type Document, isMap, isSeq, type Node, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import { z } from "zod";
import { project } from "../../config/load.js";
import { nearest, type Path, type Problem, pathText, problemText } from "../../config/problems.js";
import { objectIn, unwrap } from "../../config/reading.js";
import { configSchema } from "../../config/schema.js";
import { UserError } from "../common/errors.js";

export interface ConvertOptions {
  /** Name of the old file, for messages. */
  readonly source: string;
  /** The old file's text. */
  readonly old: string;
  /** Name of the stack file, for messages. */
  readonly target: string;
  /** The stack file's text, when there is one. */
  readonly existing?: string | undefined;
  /** Take over what the script made. */
  readonly adopt?: boolean;
  /** Permission policy of one's own: its path from the project's folder. */
  readonly policyFile?: string | undefined;
  /** What findings in that policy are. */
  readonly policyChecks?: string | undefined;
}

/** What became of one key. */
export interface Step {
  readonly outcome: "added" | "unchanged" | "kept" | "left out";
  /** Key path, in the stack config unless it was left out. */
  readonly key: string;
  readonly why: string;
}

export interface Conversion {
  /** The stack file's new text. */
  readonly content: string;
  readonly steps: readonly Step[];
  /** What is left to do, one sentence each. */
  readonly notes: readonly string[];
  /** A problem of the new config in the old file's words. */
  readonly explain: (problem: Problem) => string;
}

/** The old file with every value as its text, so that no id loses a zero or its last digits. */
type Tree = string | Tree[] | { [key: string]: Tree };
type Table = { [key: string]: Tree };

const isTable = (value: Tree | undefined): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const camelCase = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const snakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** @throws UserError when one of the files is not what it should be */
export function convert(options: ConvertOptions): Conversion {
  const conversion = new Converter(options, readOldFile(options));
  conversion.run();
  return conversion;
}

function readOldFile({ old, source }: ConvertOptions): Table {
  const document = parseDocument(old, { schema: "failsafe", merge: true });
  const error = document.errors[0];
  if (error !== undefined) throw new UserError(`${source}: not YAML: ${error.message.split("\n")[0]}`);
  const file = (document.toJS() ?? "") as Tree;
  if (isTable(file) && isTable(file.config)) {
    throw new UserError(
      `${source}: this is stack config already; expected the legacy script's multi-cluster-config.yaml`,
    );
  }
  if (!isTable(file) || (file.clusters === undefined && file.target_accounts === undefined)) {
    const keys = isTable(file) ? Object.keys(file).join(", ") || "nothing" : "no map";
    throw new UserError(
      `${source}: found ${keys}; expected the legacy script's file, with clusters, kubernetes, iam and target_accounts`,
    );
  }
  return file;
}

/** Sections of the old file, with the key that tells their entries apart where they are lists. */
const sections = [
  { from: "clusters", to: "clusters", by: "name" },
  { from: "kubernetes", to: "kubernetes", by: undefined },
  { from: "iam", to: "iam", by: undefined },
  { from: "target_accounts", to: "targetAccounts", by: "profile" },
] as const;

class Converter implements Conversion {
  readonly steps: Step[] = [];
  readonly notes: string[] = [];
  /** Why the file cannot be converted. */
  private readonly problems: string[] = [];
  private readonly document: Document;
  /** Places in the new config by their places in the old file. */
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
    if (!isMap(this.document.contents)) throw new UserError(`${target}: expected a map with config:`);
    if (!isMap(this.document.get("config"))) {
      if (this.document.get("config")) throw new UserError(`${target}: expected a map under config:`);
      this.document.set("config", this.document.createNode({}));
    }
    this.config.flow = false;
  }

  get content(): string {
    const text = this.document.toString({ lineWidth: 0, flowCollectionPadding: false });
    return this.options.existing === undefined ? text : withLinesOf(this.options.existing, text);
  }

  run(): void {
    const providers = "pulumi:disable-default-providers";
    if (!this.config.has(providers)) {
      this.config.items.unshift(this.document.createPair(providers, this.flow(["aws", "kubernetes", "docker"])));
      this.step("added", providers, "so that no resource can escape its explicit provider");
    }
    for (const { from, to, by } of sections) {
      const value = this.old[from];
      if (value === undefined || isEmpty(value)) continue;
      this.origins.push({ to: [to], from: [from] });
      if (by === undefined) this.mergeTable([to], [from], value);
      else this.mergeList([to], [from], value, by);
    }
    const known = sections.map(({ from }) => from);
    for (const key of Object.keys(this.old).filter((key) => !known.some((from) => from === key))) {
      const near = nearest(key, known);
      if (near !== undefined) this.misspelt([key], near);
      else this.leaveOut([key]);
    }
    if (this.problems.length > 0) {
      const { source, target } = this.options;
      throw new UserError(
        [`${source}: nothing was written to ${target}.`, ...this.problems.map((problem) => `  - ${problem}`)].join(
          "\n",
        ),
      );
    }
    this.namespace();
    this.policy();
    if (this.options.adopt === true) this.adopt();
    else if (this.accounts().every((account) => !account.has("adopt"))) {
      this.notes.push("When the script has made providers and roles in these accounts, convert with --adopt.");
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
    return problemText({ ...problem, path: [...origin.from, ...rest.map((part) => snakeCase(String(part)))] });
  };

  private get config(): YAMLMap {
    return this.document.get("config") as YAMLMap;
  }

  private step(outcome: Step["outcome"], key: string, why: string): void {
    this.steps.push({ outcome, key, why });
  }

  private misspelt(path: Path, near: string): void {
    this.problems.push(`${pathText(path)}: the key is unknown. Expected ${near}. Correct it, or remove the line.`);
  }

  private leaveOut(path: Path, why = "the program has no such key"): void {
    this.step("left out", pathText(path), why);
  }

  /** The map at a section of the config, made when it is not there. */
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
    if (!is(node)) throw new UserError(`${this.options.target}: ${key} is not ${kind}; write it as YAML, not as text`);
    if (node.items.length === 0) node.flow = false;
    return node;
  }

  /** A section of its own paragraph. */
  private addSection(key: string, value: unknown): void {
    const pair = this.document.createPair(key, value);
    (pair.key as Node).spaceBefore = this.config.items.length > 0;
    this.config.add(pair);
  }

  private accounts(): YAMLMap[] {
    const node = this.config.get(`${project}:targetAccounts`);
    return isSeq(node) ? node.items.filter(isMap) : [];
  }

  private clusters(): YAMLMap[] {
    const node = this.config.get(`${project}:clusters`);
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
      const first = names.indexOf(name);
      if (name !== undefined && first < index) {
        this.problems.push(
          `${pathText([...from, index, by])}: ${JSON.stringify(name)} is the ${by} of ${pathText([...from, first])} too. Expected a ${by} of its own for each entry.`,
        );
        continue;
      }
      const known = list.items.findIndex((item) => isMap(item) && name !== undefined && item.get(by) === name);
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
      const name = camelCase(key);
      const schema = schemaAt([...to, name]);
      const near = schema === undefined ? nearest(name, keysAt(to)) : undefined;
      if (near !== undefined) this.misspelt([...from, key], snakeCase(near));
      else if (schema === undefined) this.leaveOut([...from, key]);
      else if (isEmpty(value)) this.leaveOut([...from, key], "it has no value");
      else {
        this.origins.push({ to: [...to, name], from: [...from, key] });
        this.put(node, [...to, name], typed(value, schema), pathText([...from, key]));
      }
    }
  }

  /** Sets a key that is not there; what is there stays. */
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

  /** The script never made a namespace, and these are in every cluster. */
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
      throw new UserError(
        `${target}: iam.policyFile is ${JSON.stringify(present)} already; remove it, or leave --permissions out`,
      );
    }
    if (policyFile !== undefined) this.put(iam, ["iam", "policyFile"], policyFile, "--permissions");
    if (policyChecks !== undefined) this.put(iam, ["iam", "policyChecks"], policyChecks, "--policy-checks");
  }

  /** Everything that the script made, but for a provider in its cluster's own account: others use it as well. */
  private adopt(): void {
    for (const [index, account] of this.accounts().entries()) {
      const path = ["targetAccounts", index];
      if (account.get("manage") === false) continue;
      const own = this.clusters()
        .filter((cluster) => cluster.get("accountId") === account.get("accountId"))
        .map((cluster) => cluster.get("name"));
      if (own.length > 0) {
        const why = "the account is the cluster's own, where other service accounts share its provider";
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
      "pulumi destroy deletes adopted OIDC providers; the legacy script keeps them unless told otherwise. To keep them, set iam.retainOidcProviders: true.",
    );
  }

  /** The old file knows neither an image nor a way into a cluster: without them the stack makes IAM only. */
  private workload(): void {
    const { target } = this.options;
    const reach = ["kubeconfig", "context", "profile"];
    const unreached = this.clusters().flatMap((cluster, index) =>
      cluster.get("deploy") === false || reach.some((key) => cluster.has(key)) ? [] : [{ cluster, index }],
    );
    const mcp = this.config.get(`${project}:mcp`);
    if (isMap(mcp) && mcp.get("enabled") === false) {
      this.notes.push(
        this.workloadNote(
          !this.config.has(`${project}:image`),
          unreached.map(({ index }) => index),
        ),
      );
    } else if (!this.config.has(`${project}:image`)) {
      const node = this.table("mcp");
      node.commentBefore = " IAM only, until image and a context (or kubeconfig, profile) of each cluster are here.";
      this.put(node, ["mcp", "enabled"], false, `${target} has no image`);
      this.trustRunningServer();
      this.notes.push(
        this.workloadNote(
          true,
          unreached.map(({ index }) => index),
        ),
      );
    } else {
      for (const { cluster, index } of unreached) {
        this.put(cluster, ["clusters", index, "deploy"], false, "nothing says how to get into the cluster");
      }
      if (unreached.length > 0) {
        const keys = unreached.map(({ index }) => `clusters[${index}].context`).join(", ");
        this.notes.push(`To run the server there too: set ${keys} (or kubeconfig, profile) and remove deploy: false.`);
      }
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

  private workloadNote(image: boolean, clusters: readonly number[]): string {
    const needs = [...(image ? ["image"] : []), ...clusters.map((index) => `clusters[${index}].context`)];
    return `The stack makes IAM only. For the server: set ${needs.join(", ") || "nothing more"}, and remove mcp.enabled: false.`;
  }
}

/** Keys that the old file has to have, by their new names: a missing one is its problem. */
const requiredKeys = new Set(["name", "region", "accountId", "profile", "oidcIssuerId"]);

/** Empty, or what the legacy script read as the text `null`. */
const isEmpty = (value: Tree) => value === "" || value === "null" || value === "~";

/** The schema of a key in the config; undefined when there is none. */
function schemaAt(path: Path): z.ZodType | undefined {
  return path.reduce<z.ZodType | undefined>((schema, part) => {
    if (schema === undefined) return undefined;
    const plain = unwrap(schema);
    if (plain instanceof z.ZodArray) return plain.element as z.ZodType;
    const shape: Record<string, z.ZodType> = objectIn(plain)?.shape ?? {};
    return Object.hasOwn(shape, part) ? shape[part] : undefined;
  }, configSchema);
}

/** Keys of the objects at a place of the config. */
function keysAt(path: Path): string[] {
  const schema = schemaAt(path);
  return Object.keys((schema && objectIn(unwrap(schema))?.shape) ?? {});
}

/** Text as the number or truth value that the schema asks for, where it is one. */
function typed(value: Tree, schema: z.ZodType): unknown {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodNumber && typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  if (plain instanceof z.ZodBoolean && (value === "true" || value === "false")) return value === "true";
  return value;
}

/** Lines that differ from the earlier ones in nothing but the padding of brackets, as they were. */
function withLinesOf(before: string, after: string): string {
  const plain = (line: string) => line.replace(/([[{]) | ([\]}])/g, "$1$2").trimEnd();
  const earlier = new Map(before.split("\n").map((line) => [plain(line), line]));
  const text = after
    .split("\n")
    .map((line) => earlier.get(plain(line)) ?? line)
    .join("\n");
  const same = JSON.stringify(parseDocument(text).toJS()) === JSON.stringify(parseDocument(after).toJS());
  return same ? text : after;
}

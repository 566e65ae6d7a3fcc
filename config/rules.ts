/**
 * Rules between keys: the text for docs/config.md, and the check. Checks read the raw config, so that a rule can report
 * problems even when another key has the wrong type. A value of an unexpected type counts as absent.
 */
import { nearest, type Path, type Problems, pathText } from "./problems.js";

export type Row = Readonly<Record<string, unknown>>;

export interface Rule {
  /** One or more sentences for docs/config.md. */
  readonly says: string;
  /** @param isSecret whether a top-level key contains a Pulumi secret */
  readonly check: (config: Row, problems: Problems, isSecret: (key: string) => boolean) => void;
}

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);
export const row = (value: unknown): Row => (isRow(value) ? value : {});
export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
export const rows = (value: unknown): Row[] => (Array.isArray(value) ? value.map(row) : []);
/** The texts of a list at their indexes. Other values are undefined. */
export const texts = (value: unknown): Array<string | undefined> => (Array.isArray(value) ? value.map(textOf) : []);
export const known = (value: unknown): string[] => texts(value).filter((item) => item !== undefined);

export const serverEnabled = (config: Row) => row(config.mcp).enabled !== false;
export const clusterNames = (config: Row) => rows(config.clusters).flatMap((cluster) => textOf(cluster.name) ?? []);

/** Reports each duplicate value. Case-insensitive. */
export function unique(
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

/** Reports a name that is not in the list. */
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

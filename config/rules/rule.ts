/** Rules between keys: the text for docs/config.md, and the check. */
import { urlPassword } from "../limits.js";
import { nearest, type Path, type Problems, pathText } from "../problems.js";
import type { Reading } from "../reading.js";
import type { Config } from "../schema.js";

/** The config with defaults. A value that is invalid by itself is null: the schema reports it. */
export type ConfigReading = Reading<Config>;

export interface Rule {
  /** Description for docs/config.md, in one or more sentences. */
  readonly says: string;
  /** @param isSecret whether a top-level key contains a Pulumi secret */
  readonly check: (config: ConfigReading, problems: Problems, isSecret: (key: string) => boolean) => void;
}

/** A value that is absent or invalid. */
type Unknown = null | undefined;

/** A value with its path. */
type Entry<T> = readonly [path: Path, value: T];

export const known = <T>(values: readonly (T | Unknown)[]): T[] =>
  values.filter((value) => value !== null && value !== undefined);

/** The entries of a list with their paths. */
export const entries = <T>(path: Path, list: readonly T[]): Entry<T>[] =>
  list.map((value, index) => [[...path, index], value]);

/** The values of one key in a list of objects, with their paths. */
export const valuesOf = <T, K extends keyof T & string>(path: Path, list: readonly T[], key: K): Entry<T[K]>[] =>
  list.map((entry, index) => [[...path, index, key], entry[key]]);

/** The keys of a map, with their paths. */
export const keysOf = (path: Path, map: object): Entry<string>[] =>
  Object.keys(map).map((key) => [[...path, key], key]);

/** The accounts in `targetAccounts` and in `organization.accountsFile`, with their paths. */
export const accountsOf = ({ targetAccounts, organization }: ConfigReading) => [
  ...entries(["targetAccounts"], targetAccounts),
  ...entries(["organization", "accountsFile"], organization?.accountsFile ?? []),
];

/** The default regions of the accounts. */
export const regionsOf = (config: ConfigReading): string[] =>
  known(accountsOf(config).map(([, { region }]) => region ?? config.clusters[0]?.region));

/** Reports each duplicate value. Case-insensitive. */
export function unique(
  problems: Problems,
  values: readonly Entry<string | Unknown>[],
  what: string,
  taken: readonly string[] = [],
): void {
  const first = new Map<string, string>(taken.map((name) => [name, "The program already sets it."]));
  for (const [path, value] of values) {
    if (value === null || value === undefined) continue;
    const key = value.toLowerCase();
    const before = first.get(key);
    if (before === undefined) first.set(key, `It duplicates ${pathText(path)}.`);
    else problems.add(path, value, what, before);
  }
}

/** Reports each name that is not in the list of names. */
export function exists(
  problems: Problems,
  values: readonly Entry<string | Unknown>[],
  names: readonly (string | Unknown)[],
  what: string,
): void {
  for (const [path, name] of values) {
    if (name === null || name === undefined || names.includes(name)) continue;
    const all = [...new Set(known(names))];
    const near = nearest(name, all);
    const some = all.length <= 20 ? `: one of ${all.join(", ")}` : "";
    const expected = all.length === 0 ? ": none exist" : some;
    problems.add(path, name, `${what}${expected}`, near && `Did you mean ${near}?`);
  }
}

/** Reports a value that must be a Pulumi secret. */
export function requireSecret(problems: Problems, path: Path, found: string): void {
  const fix = `Run: pulumi config set --path --secret 'holmes-aws-mcp:${pathText(path)}'`;
  problems.say(path, found, "a Pulumi secret", fix);
}

/** Reports each value of a map that is a URL with a password. */
export function rejectPasswords(
  problems: Problems,
  path: Path,
  values: Readonly<Record<string, string | Unknown>>,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (urlPassword.test(value ?? "")) requireSecret(problems, [...path, name], "a password in plain text");
  }
}

/** Rules between keys: the text for docs/config.md, and the check. */
import { urlPassword } from "../limits.js";
import { nearest, type Path, type Problems, pathText } from "../problems.js";
import type { Reading } from "../reading.js";
import type { Config } from "../schema.js";

export interface Rule {
  /** Description for docs/config.md, in one or more sentences. */
  readonly says: string;
  /**
   * @param config every value with its default. A value that is invalid by itself is null: the schema reports it.
   * @param isSecret whether a top-level key contains a Pulumi secret
   */
  readonly check: (config: Reading<Config>, problems: Problems, isSecret: (key: string) => boolean) => void;
}

/** A value that is absent or invalid. */
type Unknown = null | undefined;

export const known = <T>(values: readonly (T | Unknown)[]): T[] =>
  values.filter((value) => value !== null && value !== undefined);

/** Reports each duplicate value. Case-insensitive. */
export function unique(
  problems: Problems,
  entries: ReadonlyArray<readonly [Path, string | Unknown]>,
  what: string,
  taken: readonly string[] = [],
): void {
  const first = new Map<string, string>(taken.map((name) => [name, "The program already sets it."]));
  for (const [path, value] of entries) {
    if (value === null || value === undefined) continue;
    const key = value.toLowerCase();
    const before = first.get(key);
    if (before === undefined) first.set(key, `It duplicates ${pathText(path)}.`);
    else problems.add(path, value, what, before);
  }
}

/** Reports a name that is not in the list. */
export function exists(
  problems: Problems,
  path: Path,
  name: string | Unknown,
  names: readonly (string | Unknown)[],
  what: string,
): void {
  if (name === null || name === undefined || names.includes(name)) return;
  const all = [...new Set(known(names))];
  const near = nearest(name, all);
  const expected = all.length === 0 ? "none exist" : `one of ${all.length <= 20 ? all.join(", ") : all.length}`;
  problems.add(path, name, `${what}: ${expected}`, near === undefined ? undefined : `Did you mean ${near}?`);
}

/** Reports each value of a map that is a URL with a password. */
export function rejectPasswords(
  problems: Problems,
  path: Path,
  values: Readonly<Record<string, string | Unknown>>,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (!urlPassword.test(value ?? "")) continue;
    const place = [...path, name];
    const fix = `Run: pulumi config set --path --secret 'holmes-aws-mcp:${place.join(".")}'`;
    problems.say(place, "a password in plain text", "a Pulumi secret", fix);
  }
}

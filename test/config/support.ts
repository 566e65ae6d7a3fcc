/** The two checked-in stacks as raw config, and functions that change them. */
import { ConfigError, rawConfig, readSettings } from "../../config/load.js";
import type { Problem } from "../../config/problems.js";
import type { Settings } from "../../config/settings.js";
import { readStackFile } from "../../scripts/common/stackFile.js";

export type Raw = Record<string, unknown>;
export type Stack = "dev" | "prod";

export const projectFolder = new URL("../..", import.meta.url).pathname;

const stacks = { dev: readStackFile(projectFolder, "dev"), prod: readStackFile(projectFolder, "prod") };

/** Returns a copy of the raw config of a checked-in stack. */
export function stackConfig(stack: Stack): Raw {
  return rawConfig(stacks[stack].values);
}

/** `clusters[0].tags["a b"]` gives `["clusters", 0, "tags", "a b"]`. */
export function pathOf(text: string): Array<string | number> {
  return [...text.matchAll(/\[(\d+)\]|\["([^"]*)"\]|([^.[\]]+)/g)].map(([, index, quoted, plain]) =>
    index === undefined ? (quoted ?? plain!) : Number(index),
  );
}

/** Sets values by key path. Undefined removes the key. Missing parents are created. */
export function damaged(raw: Raw, changes: Readonly<Record<string, unknown>>): Raw {
  for (const [text, value] of Object.entries(changes)) {
    const path = pathOf(text);
    const last = path.pop()!;
    let parent = raw as Record<string | number, unknown>;
    for (const [index, part] of path.entries()) {
      const next = typeof (path[index + 1] ?? last) === "number" ? [] : {};
      if (!Object.hasOwn(parent, part)) parent[part] = next;
      parent = parent[part] as Record<string | number, unknown>;
    }
    if (value === undefined) delete parent[last];
    // An assignment to __proto__ would not create a key.
    else Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true });
  }
  return raw;
}

export const read = (raw: Raw, secrets: readonly string[] = []): Promise<Settings> =>
  readSettings("test", raw, (key) => secrets.includes(key));

/** Returns the problems of a config, or an empty list if it is valid. Rethrows errors other than ConfigError. */
export async function problemsOf(raw: Raw, secrets: readonly string[] = []): Promise<readonly Problem[]> {
  try {
    await read(raw, secrets);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

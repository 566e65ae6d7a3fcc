/** A fault in the stack config: where, what was found, what is expected, and what to do. */
import { distance } from "fastest-levenshtein";

export type Path = ReadonlyArray<string | number>;

export interface Problem {
  readonly path: Path;
  /** Left out where there is no value to show: a missing key, or a fault between keys. */
  readonly found?: unknown;
  readonly expected: string;
  readonly fix?: string;
}

/** `["clusters", 0, "tags", "a b"]` gives `clusters[0].tags["a b"]`. */
export function pathText(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[\w-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

const secretKeys = new Set(["password", "kubeconfig"]);

function valueText(path: Path, value: unknown): string {
  if (secretKeys.has(String(path.at(-1)))) return "(not shown)";
  const text = JSON.stringify(value, (key, inner) => (secretKeys.has(key) ? "(not shown)" : inner)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

export function problemText({ path, found, expected, fix }: Problem): string {
  const seen = found === undefined ? "" : `found ${valueText(path, found)}; `;
  return `${pathText(path)}: ${seen}expected ${expected}${fix === undefined ? "" : `. ${fix}`}`;
}

/** All problems as one message, in the order of their keys as the file has them. */
export function problemsText(stack: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [
    `The config of stack ${stack} has ${count}; nothing was changed.`,
    ...problems.map((problem) => `  - ${problemText(problem)}`),
    "Every key is described in docs/config.md.",
  ].join("\n");
}

/** The known name nearest to a wrong one, if one is near: `account_id` gives `accountId`. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[_\s-]/g, "");
  const ranked = known
    .map((candidate) => ({ candidate, away: distance(plain(name), plain(candidate)) }))
    .sort((a, b) => a.away - b.away);
  const best = ranked[0];
  return best !== undefined && best.away <= Math.max(2, Math.floor(best.candidate.length / 3))
    ? best.candidate
    : undefined;
}

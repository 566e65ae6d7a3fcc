/** Problems in the stack config: the key, the value found, the expected value and the fix. */
import { closest, distance } from "fastest-levenshtein";

/** Replaces invisible characters with their code points: a zero-width space gives `<U+200B>`. */
export const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu,
    (letter) => `<U+${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}>`,
  );

export type Path = ReadonlyArray<string | number>;

export interface Problem {
  readonly path: Path;
  /** Description of what was found. Values are formatted as JSON. Secret values are not shown. */
  readonly found: string;
  readonly expected: string;
  readonly fix?: string;
}

/** `["iam", "tags", "a b", 0]` gives `iam.tags["a b"][0]`. */
export function pathText(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[\w-]+$/.test(part)) return `[${visible(JSON.stringify(part))}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

/** Keys whose value can be a secret, or a map that contains one. */
const hiddenKeys = new Set(["password", "kubeconfig", "registry", "env", "tokens"]);
const hidden = "a value that is not shown";

/** Collects the problems of one config. */
export class Problems {
  /** By text, because several checks can find the same problem. */
  private readonly byText = new Map<string, Problem>();

  /** @param isSecret whether a top-level key contains a Pulumi secret. Which part of the key is secret is unknown. */
  constructor(private readonly isSecret: (key: string) => boolean) {}

  get all(): readonly Problem[] {
    return [...this.byText.values()];
  }

  /** Adds a problem with the value that was found. Undefined means a missing key. */
  add(path: Path, value: unknown, expected: string, fix?: string): void {
    this.say(path, this.valueText(path, value), expected, fix);
  }

  /** Adds a problem with a description of what was found. */
  say(path: Path, found: string, expected: string, fix?: string): void {
    const problem: Problem = { path, found, expected, fix };
    this.byText.set(problemText(problem), problem);
  }

  private valueText(path: Path, value: unknown): string {
    if (value === undefined) return "no value";
    if (value === null || typeof value === "boolean") return String(value);
    const key = path.findLast((part) => typeof part === "string") ?? "";
    if (hiddenKeys.has(key) || this.isSecret(String(path[0]))) return hidden;
    // JSON does not support NaN and Infinity.
    if (typeof value === "number") return String(value);
    const text = JSON.stringify(value, (inner, part) => (hiddenKeys.has(inner) ? hidden : part)) ?? typeof value;
    return visible(text.length > 80 ? `${text.slice(0, 77)}…` : text);
  }
}

export function problemText({ path, found, expected, fix }: Problem): string {
  return `${pathText(path)}: found ${found}; expected ${expected}${fix === undefined ? "" : `. ${fix}`}`;
}

/** Formats all problems as one message. */
export function problemsText(stack: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [
    `The config of stack ${stack} has ${count}. No resources were changed.`,
    ...problems.map((problem) => `  - ${problemText(problem)}`),
    "See docs/config.md for all keys.",
  ].join("\n");
}

/** Returns the most similar known name, if any is similar enough: `account_id` gives `accountId`. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[_\s-]/g, "");
  const plains = known.map(plain);
  const candidate = known[plains.indexOf(closest(plain(name), plains))];
  if (candidate === undefined) return undefined;
  const away = distance(plain(name), plain(candidate));
  // A short name can have two wrong letters, but fewer than half.
  const near = away <= Math.max(2, Math.floor(candidate.length / 3)) && away * 2 <= candidate.length;
  return near ? candidate : undefined;
}

/** Checks whether the results of a scenario's calls contain what a correct answer needs, and nothing else. */
import { type Facts, fill, type Place, type Scenario } from "./scenario.js";

/** What the model received for one call. */
export interface Result {
  /** The command or the batch that was run. */
  readonly command: string | readonly string[];
  readonly text: string;
  readonly isError: boolean;
}

/** The facts of `expected_output`: the texts in backticks. */
export const factsOf = (line: string): string[] => [...line.matchAll(/`([^`]+)`/g)].map(([, fact]) => fact!);

/** Whether a text contains a fact, other than as a part of a longer id or number. */
export const contains = (text: string, fact: string): boolean =>
  new RegExp(`(?<!\\w)${fact.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?!\\w)`).test(text);

/** The text of a result without the commands, which it repeats. */
export const withoutCommands = ({ command, text }: Result): string =>
  [command].flat().reduce((rest, line) => rest.replaceAll(line, ""), text);

/**
 * @param results one per call of the scenario, in its order
 * @returns the problems: a call that ended differently, a fact that is missing, or content of an account that the
 *   command does not name. Empty if the scenario is right.
 */
export function judge(
  { calls, expected_output }: Pick<Scenario, "calls" | "expected_output">,
  facts: Facts,
  results: readonly Result[],
): string[] {
  if (results.length !== calls.length) return [`${results.length} calls. Expected ${calls.length}.`];
  const problems: string[] = [];
  const problem = (text: string) => void problems.push(text);
  for (const [index, { command, error }] of calls.entries()) {
    const result = results[index]!;
    const templates = [command].flat();
    const errors = [error ?? null].flat();
    const failure = errors.every((entry) => entry !== null);
    const called = templates.map((template) => fill(template, facts));
    let asExpected = true;
    // Each entry of a batch result begins with its command, which has been removed.
    const text = withoutCommands(result);
    const entries = templates.length === 1 ? [text] : text.split('{"cli_command":"').slice(1);
    if (entries.length !== templates.length) problem(`${called[0]}: ${entries.length} results of a batch`);
    for (const [position, entry] of entries.entries()) {
      const pattern = errors[errors.length > 1 ? position : 0] ?? undefined;
      const failed = /"(?:error|detail)":\s*"/.test(entry);
      if (pattern === undefined ? failed : !new RegExp(pattern).test(entry)) {
        asExpected = false;
        problem(`${called[position]}: expected ${pattern === undefined ? "a success" : `the error ${pattern}`}`);
      }
      for (const place of ["cause", "twin"] as const) {
        if (templates[position]?.includes(`\${${place}.profile}`)) continue;
        const foreign = identifiers(facts, place).filter((id) => entry.includes(id));
        if (foreign.length > 0) problem(`${called[position]}: content of another account: ${foreign.join(", ")}`);
      }
    }
    // The text of a failed call is reported above.
    if (asExpected && result.isError !== failure) problem(`${called[0]}: ${result.isError ? "error" : "success"}`);
  }
  const text = results.map(withoutCommands).join("\n");
  for (const fact of expected_output.flatMap(factsOf)) if (!contains(text, fact)) problem(`missing fact: ${fact}`);
  return problems;
}

/** The account ID and the resource ids of an account: `sg-0a1b2c3d`, UUIDs. */
function identifiers(facts: Facts, place: Place): string[] {
  const ids = JSON.stringify(facts[place]).match(
    /\b[a-z]{1,8}-[0-9a-f]{8,17}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g,
  );
  return [...new Set([String(facts[place].id), ...(ids ?? [])])];
}

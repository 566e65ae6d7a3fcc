/** A scenario: a question in the form of Holmes' evaluations, the scene to build, and the calls of a good investigator. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Settings } from "../../config/settings.js";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { Processes, tail } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { ensureMoto } from "../emulation/python.js";

/** `test_case.yaml` and `scene.yaml` of one folder. */
export interface Scenario {
  readonly name: string;
  readonly user_prompt: string;
  /** Facts of a right answer. What stands in backticks has to arrive in what the model reads. */
  readonly expected_output: readonly string[];
  readonly tags: readonly string[];
  /** Calls in the emulated AWS: name, account, `service.method` of boto3, arguments; `${name.Path.0}` refers back. */
  readonly scene: readonly (readonly [string, Place, string, Record<string, unknown>])[];
  /** What moto lacks, answered in front of it. */
  readonly recorded?: readonly Recorded[];
  /** AWS CLI commands. A list is one batch call. */
  readonly calls: readonly Call[];
}

/** The account of the fault, and one like it without the fault: the first and the second target account of the stack. */
export type Place = "cause" | "twin";

export interface Recorded {
  readonly account: Place;
  /** IAM action: `ce:GetCostAndUsage`. */
  readonly action: string;
  /** Object: a JSON answer. Text: XML. */
  readonly answer: unknown;
}

export interface Call {
  readonly command: string | readonly string[];
  /** Regular expression of the error that the call must end with. For a list: one per command, null for a success. */
  readonly error?: string | readonly (string | null)[];
}

export interface AccountPlace {
  readonly profile: string;
  readonly id: string;
  readonly region: string;
}

export const scenariosFolder = join(projectFolder, "test/holmes/scenarios");

export const scenarioNames = (): string[] =>
  readdirSync(scenariosFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

export function readScenario(name: string): Scenario {
  const file = (kind: string) => join(scenariosFolder, name, kind);
  const read = (kind: string) => parse(readFileSync(file(kind), "utf8"));
  return { name, ...read("test_case.yaml"), ...read("scene.yaml") };
}

/** @throws UserError when the stack has fewer than two target accounts */
export function places({ targetAccounts }: Pick<Settings, "targetAccounts">): Record<Place, AccountPlace> {
  const [cause, twin] = targetAccounts.map(({ profile, accountId: id, region }) => ({ profile, id, region }));
  if (cause === undefined || twin === undefined) {
    throw new UserError("targetAccounts: the scenarios need two accounts.");
  }
  return { cause, twin };
}

/** Facts of a scene: what each step returned, by its name. */
export type Facts = Readonly<Record<string, unknown>>;

/** Performs the steps of all scenarios. @throws UserError when one fails */
export async function buildScenes(
  awsUrl: string,
  accounts: Readonly<Record<string, AccountPlace>>,
  scenarios: readonly Scenario[],
): Promise<ReadonlyMap<string, Facts>> {
  const { motoPython } = await ensureMoto(toStderr);
  const processes = new Processes();
  const child = processes.start("scenes", motoPython, [join(projectFolder, "scripts/ask/scene.py")], {
    stdin: "pipe",
    outputLimit: 10_000_000,
  });
  const scenes = Object.fromEntries(scenarios.map(({ name, scene }) => [name, scene]));
  child.stdin!.end(JSON.stringify({ url: awsUrl, accounts, scenes }));
  if ((await child.exited) !== 0) throw new UserError(`scenario: the scene cannot be built${tail(child)}`);
  return new Map(Object.entries(JSON.parse(child.output())));
}

/** Replaces `${name.Path.0}` by the scene's facts. */
export function fill(text: string, facts: Facts): string {
  return text.replace(/\$\{([\w.]+)\}/g, (_, path: string) => {
    const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], facts);
    if (value === undefined) throw new Error(`no fact "${path}"`);
    return String(value);
  });
}

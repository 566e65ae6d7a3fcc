/** A scenario: a question in the form of Holmes' evaluations, the scene to build, and the calls of a good investigator. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Settings } from "../../config/settings.js";
import { projectFolder } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { Processes, tail } from "../common/processes.js";
import { ensureMoto } from "../emulation/python.js";

/** `test_case.yaml` and `scene.yaml` of one folder. */
export interface Scenario {
  readonly name: string;
  readonly user_prompt: string;
  /** Facts of a correct answer. The model must receive each text in backticks. */
  readonly expected_output: readonly string[];
  /** Shell command that HolmesGPT's evaluations run before the question. */
  readonly before_test: string;
  /**
   * Steps that create the resources: name, account (`both`, or with `:region`), `service.method` of boto3, arguments.
   * `${name.Path.0}` is a result of an earlier step in the same account.
   */
  readonly scene: readonly (readonly [string, string, string, Record<string, unknown>])[];
  /** Responses of APIs that moto does not implement. */
  readonly recorded?: readonly Recorded[];
  /** AWS CLI commands. A list is one batch call. */
  readonly calls: readonly Call[];
}

/** The account with the fault, and an account with the same resources without it: the first two target accounts. */
export type Place = "cause" | "twin";

export interface Recorded {
  readonly account: Place;
  /** IAM action: `ce:GetCostAndUsage`. */
  readonly action: string;
  /** An object is returned as JSON, a text as XML. Can contain facts, as commands do. */
  readonly answer: unknown;
}

export interface Call {
  readonly command: string | readonly string[];
  /** Regular expression of the error that the call must end with. For a list: one per command, null for a success. */
  readonly error?: string | readonly (string | null)[];
}

export type AccountPlace = Readonly<Record<"profile" | "id" | "region", string>>;

export const scenariosFolder = join(projectFolder, "test/holmes/scenarios");

export const scenarioNames = (): string[] =>
  readdirSync(scenariosFolder)
    .filter((name) => !name.startsWith("."))
    .sort();

export function readScenario(name: string): Scenario {
  const read = (file: string) => parse(readFileSync(join(scenariosFolder, name, file), "utf8"));
  return { name, ...read("test_case.yaml"), ...read("scene.yaml") };
}

/** @throws UserError when the stack has fewer than two target accounts */
export function places(targetAccounts: Settings["targetAccounts"]): Record<Place, AccountPlace> {
  const [cause, twin] = targetAccounts.map(({ profile, accountId: id, region }) => ({ profile, id, region }));
  if (cause === undefined || twin === undefined) {
    throw new UserError("targetAccounts: the scenarios need two accounts.");
  }
  return { cause, twin };
}

/** Facts of a scene, by account: profile, id, region, and the result of each step by its name. */
export type Facts = Readonly<Record<Place | "unavailable", Readonly<Record<string, unknown>>>>;

/** Performs the steps of all scenarios. @throws UserError when a step fails */
export async function buildScenes(
  awsUrl: string,
  accounts: Readonly<Record<string, AccountPlace>>,
  scenarios: readonly Scenario[],
): Promise<ReadonlyMap<string, Facts>> {
  const { motoPython } = await ensureMoto();
  const child = new Processes().start("scenes", motoPython, [join(projectFolder, "scripts/ask/scene.py")], {
    stdin: "pipe",
    outputLimit: 10_000_000,
  });
  const scenes = Object.fromEntries(scenarios.map(({ name, scene }) => [name, scene]));
  child.stdin!.end(JSON.stringify({ url: awsUrl, accounts, scenes }));
  if ((await child.exited) !== 0) throw new UserError(`scenario: the scene cannot be built${tail(child)}`);
  return new Map(Object.entries(JSON.parse(child.output())));
}

/** Replaces `${cause.profile}` by a fact of that account, and `${name.Path.0}` by a fact of the account with the fault. */
export function fill(text: string, facts: Facts): string {
  const known: unknown = { ...facts.twin, ...facts.cause, ...facts };
  return text.replace(/\$\{([\w.]+)\}/g, (_, path: string) => {
    const value = path.split(".").reduce((at, key) => (at as Record<string, unknown> | undefined)?.[key], known);
    if (value === undefined) throw new Error(`no fact "${path}"`);
    return String(value);
  });
}

/** The commands of a scenario's calls; a list is one batch call. */
export const commandsOf = ({ calls }: Pick<Scenario, "calls">, facts: Facts): (string | string[])[] =>
  calls.map(({ command }) =>
    typeof command === "string" ? fill(command, facts) : command.map((line) => fill(line, facts)),
  );

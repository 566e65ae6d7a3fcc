import { type Catalogue, loadCatalogue, servicesOf } from "./catalogue.js";
import { writesAllowed } from "./hosted.js";
import { PolicyShapeError, parsePolicy } from "./parse.js";
import { sensitiveEntry } from "./sensitiveReads.js";
import { listOf, type PolicyDocument, type Statement } from "./types.js";

export type FindingKind = "shape" | "notAction" | "everything" | "unknownAction" | "notReadOnly" | "sensitive";

/** A problem to review before a policy is attached. */
export interface Finding {
  kind: FindingKind;
  /** The problem and its location. */
  message: string;
  /** How to fix the problem. */
  fix: string;
}

/** Maximum number of actions that a message names. Further actions are counted. */
const NAMED = 5;

/** Settings of the stack that affect the checks. */
export interface CheckOptions {
  /** Default: `deny`. */
  sensitiveReads?: "deny" | "allow";
  sensitiveReadsExcept?: readonly string[];
  /** Default: a catalogue of the services in the document. */
  catalogue?: Catalogue;
}

/**
 * Checks a custom permission policy by the rules of the default policy: a form that IAM accepts, no Allow with
 * NotAction, no Allow of all actions, no pattern without matching actions, and only actions that are Read, List or
 * reviewed. permissionPolicies checks the size.
 *
 * @param document parsed JSON.
 * @param options.sensitiveReads with `deny`, reports patterns that it denies completely, because they have no effect.
 * @param options.catalogue default: loads the services in the document.
 */
export async function checkPolicy(document: unknown, options: CheckOptions = {}): Promise<Finding[]> {
  let policy: PolicyDocument;
  try {
    policy = parsePolicy(document);
  } catch (error) {
    if (!(error instanceof PolicyShapeError)) throw error;
    return error.problems.map((message) => ({ kind: "shape", message, fix: "Correct the document: IAM rejects it." }));
  }
  const patterns = policy.Statement.flatMap(({ Action, NotAction }) => [...listOf(Action), ...listOf(NotAction)]);
  const catalogue = options.catalogue ?? (await loadCatalogue(servicesOf(patterns)));
  const findings = policy.Statement.flatMap((statement, index) =>
    statementFindings(statement, `Statement[${index}]${statement.Sid ? ` (${statement.Sid})` : ""}`, catalogue),
  );
  if ((options.sensitiveReads ?? "deny") === "deny")
    findings.push(...withoutEffect(policy, catalogue, options.sensitiveReadsExcept));
  return [...findings, ...writes(policy, catalogue)];
}

/** Checks action patterns to allow in addition to the default policy, by the same rules. */
export function checkAdditionalActions(actions: readonly string[], options: CheckOptions = {}): Promise<Finding[]> {
  const statement: Statement = { Sid: "AdditionalActions", Effect: "Allow", Action: [...actions], Resource: "*" };
  return checkPolicy({ Version: "2012-10-17", Statement: [statement] }, options);
}

function statementFindings({ Effect, Action, NotAction }: Statement, at: string, catalogue: Catalogue): Finding[] {
  const findings: Finding[] = [];
  if (Effect === "Allow" && NotAction !== undefined) {
    findings.push({
      kind: "notAction",
      message: `${at} allows every action except a list (NotAction)`,
      fix: "List the allowed actions in Action. NotAction also allows every action of new services.",
    });
  }
  for (const pattern of listOf(Action)) {
    if (Effect === "Allow" && /^(\*|[^:]+:\*+)$/.test(pattern)) {
      findings.push({
        kind: "everything",
        message: `${at} allows "${pattern}": ${pattern === "*" ? "every action" : "every action of a service"}`,
        fix: "Use reading verbs: Describe*, Get*, List*.",
      });
    }
    if (pattern !== "*" && catalogue.matching(pattern).length === 0) {
      findings.push({
        kind: "unknownAction",
        message: `${at}: "${pattern}" matches no AWS action (catalogue ${catalogue.version})`,
        fix: "Correct the service prefix or the name, or remove the pattern.",
      });
    }
  }
  return findings;
}

function writes(policy: PolicyDocument, catalogue: Catalogue): Finding[] {
  const offending = writesAllowed([policy], catalogue);
  const byPattern = new Map<string, string[]>();
  for (const { Effect, Action } of policy.Statement) {
    if (Effect !== "Allow") continue;
    for (const pattern of listOf(Action)) {
      const covered = new Set(catalogue.matching(pattern).map(({ action }) => action));
      const through = offending.filter((action) => covered.has(action));
      if (through.length > 0) byPattern.set(pattern, through);
    }
  }
  return [...byPattern].map(([pattern, actions]) => ({
    kind: "notReadOnly",
    message: `"${pattern}" allows ${actions.length} action${actions.length === 1 ? " that does" : "s that do"} more than read: ${named(actions)}`,
    fix: "Use a narrower pattern, or deny these actions in the same document.",
  }));
}

function withoutEffect(policy: PolicyDocument, catalogue: Catalogue, except: readonly string[] = []): Finding[] {
  const findings: Finding[] = [];
  for (const pattern of policy.Statement.filter(({ Effect }) => Effect === "Allow").flatMap(({ Action }) =>
    listOf(Action),
  )) {
    const covered = catalogue.matching(pattern);
    const entries = covered.map(({ action }) => sensitiveEntry(action, except));
    if (covered.length > 0 && entries.every((entry) => entry !== undefined && entry.resources === undefined)) {
      findings.push({
        kind: "sensitive",
        message: `"${pattern}" has no effect: iam.sensitiveReads denies it (${entries[0]!.category}: ${entries[0]!.reason})`,
        fix: 'Remove it, add the action to iam.sensitiveReadsExcept, or set iam.sensitiveReads to "allow".',
      });
    }
  }
  return findings;
}

function named(actions: readonly string[]): string {
  const more = actions.length > NAMED ? ` and ${actions.length - NAMED} more` : "";
  return actions.slice(0, NAMED).join(", ") + more;
}

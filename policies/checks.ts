import { type Catalogue, loadCatalogue, servicesOf } from "./catalogue.js";
import { parsePolicy } from "./parse.js";
import type { PermissionOptions } from "./permissions.js";
import { sensitiveEntry } from "./sensitiveReads.js";
import { writesAllowed } from "./simulate.js";
import { documentOf, listOf, type PolicyDocument, type Statement } from "./types.js";

/** How to fix each kind of problem. */
const fixes = {
  shape: "Correct the document: IAM rejects it.",
  notAction: "List the allowed actions in Action. NotAction also allows every action of new services.",
  everything: "Use reading verbs: Describe*, Get*, List*.",
  unknownAction: "Correct the service prefix or the name, or remove the pattern.",
  notReadOnly: "Use a narrower pattern, or deny these actions in the same document.",
  sensitive: 'Remove it, add the action to iam.sensitiveReadsExcept, or set iam.sensitiveReads to "allow".',
};

export type FindingKind = keyof typeof fixes;

/** A problem to review before a policy is attached. */
export interface Finding {
  kind: FindingKind;
  /** The problem and its location. */
  message: string;
  /** How to fix the problem. */
  fix: string;
}

const finding = (kind: FindingKind, message: string): Finding => ({ kind, message, fix: fixes[kind] });

/** Maximum number of actions that a message names. Further actions are counted. */
const NAMED = 5;

/** Settings of the stack that affect the checks. */
export type CheckOptions = Pick<PermissionOptions, "sensitiveReads" | "sensitiveReadsExcept">;

/**
 * Checks a custom permission policy by the rules of the default policy: a form that IAM accepts, no Allow with
 * NotAction, no Allow of all actions, no pattern without matching actions, and only actions that are Read, List or
 * reviewed. permissionPolicies checks the size.
 *
 * @param document parsed JSON.
 * @param options.sensitiveReads with `deny`, reports patterns that it denies completely, because they have no effect.
 */
export async function checkPolicy(document: unknown, options: CheckOptions = {}): Promise<Finding[]> {
  const { policy, problems } = parsePolicy(document);
  if (problems.length > 0) return problems.map((message) => finding("shape", message));
  const patterns = policy.Statement.flatMap(({ Action, NotAction }) => [...listOf(Action), ...listOf(NotAction)]);
  const catalogue = await loadCatalogue(servicesOf(patterns));
  const { sensitiveReads = "deny", sensitiveReadsExcept } = options;
  return [
    ...policy.Statement.flatMap((statement, index) =>
      statementFindings(statement, `Statement[${index}]${statement.Sid ? ` (${statement.Sid})` : ""}`, catalogue),
    ),
    ...(sensitiveReads === "deny" ? withoutEffect(policy, catalogue, sensitiveReadsExcept) : []),
    ...writes(policy, catalogue),
  ];
}

/** Checks action patterns to allow in addition to the default policy, by the same rules. */
export function checkAdditionalActions(actions: readonly string[], options: CheckOptions = {}): Promise<Finding[]> {
  const statement: Statement = { Sid: "AdditionalActions", Effect: "Allow", Action: [...actions], Resource: "*" };
  return checkPolicy(documentOf([statement]), options);
}

function statementFindings({ Effect, Action, NotAction }: Statement, at: string, catalogue: Catalogue): Finding[] {
  const findings: Finding[] = [];
  if (Effect === "Allow" && NotAction !== undefined) {
    findings.push(finding("notAction", `${at} allows every action except a list (NotAction)`));
  }
  for (const pattern of listOf(Action)) {
    if (Effect === "Allow" && /^(\*|[^:]+:\*+)$/.test(pattern)) {
      const what = pattern === "*" ? "every action" : "every action of a service";
      findings.push(finding("everything", `${at} allows "${pattern}": ${what}`));
    }
    if (pattern !== "*" && catalogue.matching(pattern).length === 0) {
      const message = `${at}: "${pattern}" matches no AWS action (catalogue ${catalogue.version})`;
      findings.push(finding("unknownAction", message));
    }
  }
  return findings;
}

/** The distinct patterns that a policy allows, each with the actions that it matches. */
function allowedPatterns({ Statement }: PolicyDocument, catalogue: Catalogue): [pattern: string, actions: string[]][] {
  const allows = Statement.filter(({ Effect }) => Effect === "Allow");
  const patterns = new Set(allows.flatMap(({ Action }) => listOf(Action)));
  return [...patterns].map((pattern) => [pattern, catalogue.matching(pattern).map(({ action }) => action)]);
}

function writes(policy: PolicyDocument, catalogue: Catalogue): Finding[] {
  const offending = new Set(writesAllowed([policy], catalogue));
  return allowedPatterns(policy, catalogue).flatMap(([pattern, covered]) => {
    const actions = covered.filter((action) => offending.has(action));
    if (actions.length === 0) return [];
    const count = `${actions.length} action${actions.length === 1 ? " that does" : "s that do"}`;
    const more = actions.length > NAMED ? ` and ${actions.length - NAMED} more` : "";
    const names = actions.slice(0, NAMED).join(", ");
    return [finding("notReadOnly", `"${pattern}" allows ${count} more than read: ${names}${more}`)];
  });
}

function withoutEffect(policy: PolicyDocument, catalogue: Catalogue, except: readonly string[] = []): Finding[] {
  return allowedPatterns(policy, catalogue)
    .filter(([, actions]) => actions.length > 0 && actions.every((action) => sensitiveEntry(action, except)))
    .map(([pattern, actions]) => {
      const { category, reason } = sensitiveEntry(actions[0]!, except)!;
      return finding("sensitive", `"${pattern}" has no effect: iam.sensitiveReads denies it (${category}: ${reason})`);
    });
}

/**
 * A small evaluator of identity policies: explicit Deny wins, then Allow, else implicitly denied. It knows what the
 * documents of this program use, and refuses to guess about anything else.
 */
import { actionMatcher, matchesText } from "./match.js";
import { listOf, type PolicyDocument, type Statement } from "./types.js";

export interface Request {
  /** `ec2:DescribeInstances` */
  action: string;
  /** ARN, or `*` for calls that name no resource. Default: `*`. */
  resource?: string;
  /** Condition keys of the request, such as `aws:RequestedRegion`; keys compare regardless of case. */
  context?: Record<string, string>;
}

export interface Decision {
  decision: "allowed" | "explicitDeny" | "implicitDeny";
  /** Sid of the statement that decided. */
  sid?: string;
}

/**
 * The decision of a role's policies about a request.
 *
 * @throws Error when a statement uses a condition operator or a policy variable that this evaluator does not know.
 */
export function evaluate(documents: PolicyDocument[], request: Request): Decision {
  const applying = documents.flatMap(({ Statement }) => Statement).filter((statement) => applies(statement, request));
  const denied = applying.find(({ Effect }) => Effect === "Deny");
  if (denied !== undefined) return decided("explicitDeny", denied);
  const allowed = applying.find(({ Effect }) => Effect === "Allow");
  return allowed === undefined ? { decision: "implicitDeny" } : decided("allowed", allowed);
}

/**
 * The actions that policies allow on some resource and in some circumstances: covered by an Allow, and by no Deny that
 * holds on every resource without a condition.
 */
export function allowedActions<T extends { action: string }>(documents: PolicyDocument[], actions: T[]): T[] {
  const statements = documents.flatMap(({ Statement }) => Statement);
  const allows = statements.filter(({ Effect }) => Effect === "Allow").map(actionsCovered);
  const denies = statements
    .filter(({ Effect, Resource, Condition }) => Effect === "Deny" && listOf(Resource).includes("*") && !Condition)
    .map(actionsCovered);
  return actions.filter(
    ({ action }) => allows.some((covers) => covers(action)) && !denies.some((covers) => covers(action)),
  );
}

function decided(decision: Decision["decision"], { Sid }: Statement): Decision {
  return Sid === undefined ? { decision } : { decision, sid: Sid };
}

function applies(statement: Statement, { action, resource = "*", context = {} }: Request): boolean {
  return actionsCovered(statement)(action) && coversResource(statement, resource) && conditionsHold(statement, context);
}

function actionsCovered({ Action, NotAction }: Statement): (action: string) => boolean {
  const matches = actionMatcher(listOf(NotAction ?? Action));
  return NotAction === undefined ? matches : (action) => !matches(action);
}

function coversResource({ Resource, NotResource }: Statement, resource: string): boolean {
  const covers = (pattern: string) => {
    if (pattern.includes("${")) throw new Error(`policy variable in resource "${pattern}" cannot be evaluated`);
    return matchesText(pattern, resource);
  };
  return NotResource === undefined ? listOf(Resource).some(covers) : !listOf(NotResource).some(covers);
}

const operators: Record<string, (value: string, patterns: readonly string[]) => boolean> = {
  StringEquals: (value, patterns) => patterns.includes(value),
  StringNotEquals: (value, patterns) => !patterns.includes(value),
  StringLike: (value, patterns) => patterns.some((pattern) => matchesText(pattern, value)),
  StringNotLike: (value, patterns) => !patterns.some((pattern) => matchesText(pattern, value)),
};

function conditionsHold({ Condition = {} }: Statement, context: Readonly<Record<string, string>>): boolean {
  const request = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
  // A policy variable that the request does not carry stays as it is and equals no value.
  const resolved = (text: string) =>
    text.replace(/\$\{([\w:]+)\}/g, (variable, key: string) => request.get(key.toLowerCase()) ?? variable);
  return Object.entries(Condition).every(([operator, keys]) => {
    const test = operators[operator];
    if (test === undefined && operator !== "Null") {
      throw new Error(`condition operator "${operator}" cannot be evaluated`);
    }
    return Object.entries(keys).every(([key, values]) => {
      const value = request.get(key.toLowerCase());
      if (test === undefined) return listOf(values).includes(String(value === undefined));
      // An absent key satisfies the negated operators only, as in IAM.
      return value === undefined ? operator.includes("Not") : test(value, listOf(values).map(resolved));
    });
  });
}

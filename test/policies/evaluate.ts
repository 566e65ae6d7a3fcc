/**
 * A minimal evaluator of identity policies: an explicit Deny overrides an Allow, and the default is an implicit deny.
 * It supports only the elements that this program's documents use, and throws for anything else.
 */
import { wildcards } from "../../policies/match.js";
import { actionsCovered } from "../../policies/simulate.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";

/** Whether a text with wildcards matches another text, as in resources and StringLike. Case-sensitive. */
const matchesText = (pattern: string, text: string) => new RegExp(`^${wildcards(pattern)}$`, "s").test(text);

export interface Request {
  /** `ec2:DescribeInstances` */
  action: string;
  /** ARN, or `*` for calls that name no resource. Default: `*`. */
  resource?: string;
  /** Condition keys of the request, such as `aws:RequestedRegion`. Keys are case-insensitive. */
  context?: Record<string, string>;
}

export interface Decision {
  decision: "allowed" | "explicitDeny" | "implicitDeny";
  /** Sid of the statement that determined the decision. */
  sid?: string;
}

/**
 * Evaluates a request against the policies of a role.
 *
 * @throws Error when a statement uses an unsupported condition operator or policy variable.
 */
export function evaluate(documents: PolicyDocument[], request: Request): Decision {
  const applying = documents.flatMap(({ Statement }) => Statement).filter((statement) => applies(statement, request));
  const denied = applying.find(({ Effect }) => Effect === "Deny");
  if (denied !== undefined) return decided("explicitDeny", denied);
  const allowed = applying.find(({ Effect }) => Effect === "Allow");
  return allowed === undefined ? { decision: "implicitDeny" } : decided("allowed", allowed);
}

function decided(decision: Decision["decision"], { Sid }: Statement): Decision {
  return Sid === undefined ? { decision } : { decision, sid: Sid };
}

function applies(statement: Statement, { action, resource = "*", context = {} }: Request): boolean {
  return actionsCovered(statement)(action) && coversResource(statement, resource) && conditionsHold(statement, context);
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
  // A policy variable that is not in the request is not replaced and matches no value.
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
      // A missing key matches only negated operators, as in IAM.
      return value === undefined ? operator.includes("Not") : test(value, listOf(values).map(resolved));
    });
  });
}

import { listOf, type PolicyDocument, type Statement } from "./types.js";

/** The problems with the form of a permission policy, one line each. */
export class PolicyShapeError extends Error {
  override readonly name = "PolicyShapeError";
  constructor(readonly problems: string[]) {
    super(`not a permission policy: ${problems.join("; ")}`);
  }
}

const documentKeys = new Set(["Version", "Id", "Statement"]);
const statementKeys = new Set(["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"]);
/** `service:Action` with wildcards in the action, or `*`. */
const actionForm = /^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;

/**
 * Converts parsed JSON to a permission policy with a list of statements. The meaning of the document does not change.
 *
 * @throws PolicyShapeError with every problem: IAM would reject the document, or it is a trust or resource policy.
 */
export function parsePolicy(document: unknown): PolicyDocument {
  const problems: string[] = [];
  if (!isObject(document)) throw new PolicyShapeError(["the document is not a JSON object"]);
  for (const key of Object.keys(document)) {
    if (!documentKeys.has(key)) problems.push(`unknown key ${key} (Version, Statement)`);
  }
  if (document.Version !== "2012-10-17") {
    problems.push(`Version is ${JSON.stringify(document.Version)}, expected "2012-10-17"`);
  }
  const statements = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  if (document.Statement === undefined || statements.length === 0) problems.push("Statement is missing or empty");
  else for (const [index, statement] of statements.entries()) problems.push(...statementProblems(statement, index));
  const sids = statements.flatMap((statement) => (isObject(statement) ? listOf(statement.Sid as string) : []));
  for (const sid of new Set(sids.filter((one, index) => sids.indexOf(one) !== index))) {
    problems.push(`Sid ${JSON.stringify(sid)} is used twice`);
  }
  if (problems.length > 0) throw new PolicyShapeError(problems);
  return { Version: "2012-10-17", Statement: statements as Statement[] };
}

function statementProblems(statement: unknown, index: number): string[] {
  const at = `Statement[${index}]`;
  if (!isObject(statement)) return [`${at} is not an object`];
  const problems: string[] = [];
  for (const key of Object.keys(statement)) {
    if (key === "Principal" || key === "NotPrincipal") {
      problems.push(`${at} has a ${key}: only trust and resource policies have one`);
    } else if (!statementKeys.has(key)) problems.push(`${at} has an unknown key ${key}`);
  }
  if (statement.Sid !== undefined && !(typeof statement.Sid === "string" && /^[A-Za-z0-9]*$/.test(statement.Sid))) {
    problems.push(`${at}.Sid is ${JSON.stringify(statement.Sid)}, only letters and digits are allowed`);
  }
  if (statement.Effect !== "Allow" && statement.Effect !== "Deny") {
    problems.push(`${at}.Effect is ${JSON.stringify(statement.Effect)}, expected "Allow" or "Deny"`);
  }
  problems.push(...either(statement, "Action", "NotAction", at), ...either(statement, "Resource", "NotResource", at));
  for (const key of ["Action", "NotAction"]) {
    for (const action of texts(statement[key])) {
      if (!actionForm.test(action)) problems.push(`${at}.${key} "${action}" is not of the form service:Action`);
    }
  }
  if (statement.Condition !== undefined && !isConditions(statement.Condition)) {
    problems.push(`${at}.Condition is not of the form {operator: {key: value or list of values}}`);
  }
  return problems;
}

function either(statement: Record<string, unknown>, key: string, notKey: string, at: string): string[] {
  const given = [key, notKey].filter((name) => statement[name] !== undefined);
  if (given.length !== 1) return [`${at} needs ${key} or ${notKey}, and not both`];
  return texts(statement[given[0]!]).length === 0 ? [`${at}.${given[0]} is not a string or a list of strings`] : [];
}

/** The texts of a value. Empty if it is neither a text nor a list of texts. */
function texts(value: unknown): readonly string[] {
  const all = listOf(value as string | string[] | undefined);
  return all.every((one) => typeof one === "string" && one !== "") ? all : [];
}

function isConditions(value: unknown): boolean {
  return (
    isObject(value) &&
    Object.values(value).every(
      (keys) => isObject(keys) && Object.values(keys).every((values) => listOf(values as unknown[]).every(isScalar)),
    )
  );
}

function isScalar(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { z } from "zod";
import { documentOf, listOf, type PolicyDocument, type Statement } from "./types.js";

const text = (pattern: RegExp, error: string) => z.string({ error }).regex(pattern, { error });
const listed = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (value === undefined ? value : listOf(value)), item);
const texts = (pattern: RegExp, error: string) =>
  listed(z.array(text(pattern, error)).min(1, { error: "a string or a list of strings" })).optional();
const actions = texts(/^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/, "the form service:Action");
const resources = texts(/./s, "a string that is not empty");
const principal = z.undefined({ error: "no value: only trust and resource policies have one" }).optional();
const form = { error: "the form {operator: {key: value or list of values}}" };
const values = listed(z.array(z.union([z.string(), z.number(), z.boolean()], form)));

/** Reports an element and its negation unless exactly one is set, also when other elements have problems. */
const either = (key: "Action" | "Resource") =>
  z.refine<Record<string, unknown>>((one) => (one[key] === undefined) !== (one[`Not${key}`] === undefined), {
    error: `must have either ${key} or Not${key}`,
    when: ({ value }) => z.record(z.string(), z.unknown()).safeParse(value).success,
  });

const statement = z
  .strictObject(
    {
      Sid: text(/^[A-Za-z0-9]*$/, "only letters and digits").optional(),
      Effect: z.enum(["Allow", "Deny"], { error: '"Allow" or "Deny"' }),
      Principal: principal,
      NotPrincipal: principal,
      Action: actions,
      NotAction: actions,
      Resource: resources,
      NotResource: resources,
      Condition: z.record(z.string(), z.record(z.string(), values, form), form).optional(),
    },
    { error: "an object" },
  )
  .check(either("Action"), either("Resource"));

const policy = z.strictObject(
  {
    Version: z.literal("2012-10-17", { error: '"2012-10-17"' }),
    Id: z.unknown().optional(),
    Statement: listed(
      z.array(statement, { error: "at least one statement" }).min(1, { error: "at least one statement" }),
    ),
  },
  { error: "a JSON object" },
);

/**
 * Converts parsed JSON to a permission policy with a list of statements. The meaning of the document does not change.
 *
 * @returns the policy and its problems, one line each: IAM would reject the document, or it is a trust or resource policy
 */
export function parsePolicy(document: unknown): { policy: PolicyDocument; problems: string[] } {
  const { error } = policy.safeParse(document, { reportInput: true });
  const statements = listOf((document as Partial<PolicyDocument> | null)?.Statement) as Statement[];
  const sids = statements.flatMap((one) => one?.Sid ?? []);
  const twice = new Set(sids.filter((one, index) => sids.indexOf(one) !== index));
  const problems = [
    ...(error?.issues ?? []).flatMap(problemTexts),
    ...[...twice].map((one) => `Sid ${JSON.stringify(one)} is used twice`),
  ];
  return { policy: documentOf(statements), problems };
}

function problemTexts({ path, ...issue }: z.core.$ZodIssue): string[] {
  const at = z.core.toDotPath(path) || "the document";
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${at} has an unknown key ${key}`);
  if (issue.code === "custom") return [`${at} ${issue.message}`];
  return [`${at} is ${JSON.stringify(issue.input)?.slice(0, 80)}, expected ${issue.message}`];
}

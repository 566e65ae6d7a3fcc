/** The checked-in stacks and changed copies, as the program evaluates them. */
import { projectFolder } from "../../scripts/common/command.js";
import { type Evaluation, evaluate, type Registered } from "../../scripts/common/evaluate.js";
import { readStackFile, type StackConfig } from "../../scripts/common/stackFile.js";

/** Evaluates the program of this test run. */
export async function evaluated(stack: string, config: StackConfig): Promise<Evaluation> {
  // Pulumi reads the stack trace of every promise. With source maps, formatting them takes a third of the evaluation.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await evaluate(stack, config);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

type Change = (config: Record<string, any>) => void;

/** Evaluates a checked-in stack after a change of its config, by top-level key. */
export function changed(
  stack: "dev" | "prod",
  change: Change = () => {},
  secretKeys: string[] = [],
): Promise<Evaluation> {
  const { values } = readStackFile(projectFolder, stack);
  const own = Object.entries(values).filter(([key]) => key.startsWith("holmes-aws-mcp:"));
  const config: Record<string, any> = Object.fromEntries(
    own.map(([key, value]) => [key.replace("holmes-aws-mcp:", ""), /^[[{]/.test(value) ? JSON.parse(value) : value]),
  );
  change(config);
  const others = Object.entries(values).filter(([key]) => !key.startsWith("holmes-aws-mcp:"));
  const flat = Object.entries(config).map(([key, value]) => [
    `holmes-aws-mcp:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return evaluated(stack, {
    values: Object.fromEntries([...others, ...flat]),
    secretKeys: secretKeys.map((key) => `holmes-aws-mcp:${key}`),
  });
}

export const ofType = ({ resources }: Evaluation, type: string): Registered[] =>
  resources.filter((resource) => resource.type.endsWith(type));

/** The one object of a kind in a cluster (of the workload, not of its verification). */
export function object(evaluation: Evaluation, type: string, cluster = "dev-cluster"): any {
  const found = ofType(evaluation, `:${type}`).filter(
    ({ provider, name }) =>
      provider === `${cluster}/kubernetes` && (type === "Job" ? name.endsWith("/job") : !name.includes("verification")),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects of type ${type} in ${cluster}`);
  return found[0]!.open;
}

export const podOf = (workload: any) => workload.spec.template.spec;

export const envOf = (workload: any): Record<string, string> =>
  Object.fromEntries(
    podOf(workload).containers[0].env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );

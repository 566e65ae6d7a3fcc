import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadCatalogue } from "../../../policies/catalogue.js";
import { allowedActions } from "../../../policies/simulate.js";
import { damaged, read, stackConfig } from "../../config/support.js";

test("the example for Lambda and ECS is valid and allows exactly these additional reads", async () => {
  const example = /### Example: open Lambda and ECS.*?```yaml\n(.*?)```/s.exec(
    readFileSync("docs/permissions.md", "utf8"),
  );
  const { "holmes-aws-mcp:iam": iam } = parse(example![1]!) as {
    "holmes-aws-mcp:iam": { sensitiveReadsExcept: string[] };
  };
  const catalogue = await loadCatalogue();
  const allowed = async (changes: Record<string, unknown>) => {
    const { targetAccounts } = await read(damaged(stackConfig("dev"), changes));
    const documents = targetAccounts[0]!.permissions.policies.map(({ document }) => document);
    return allowedActions(documents, catalogue.actions).map(({ action }) => action);
  };
  const before = new Set(await allowed({}));
  const after = await allowed({ "iam.sensitiveReadsExcept": iam.sensitiveReadsExcept });
  expect(after.filter((action) => !before.has(action)).sort()).toEqual([
    "ecs:DescribeDaemonTaskDefinition",
    "ecs:DescribeExpressGatewayService",
    "ecs:DescribeTaskDefinition",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:ListFunctions",
    "lambda:ListVersionsByFunction",
  ]);
  expect(after.length).toBe(before.size + 7);
});

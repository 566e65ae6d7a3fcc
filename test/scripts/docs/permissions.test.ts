import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { type Catalogue, loadCatalogue } from "../../../policies/catalogue.js";
import { billedCalls, optionalGroups } from "../../../policies/groups.js";
import { allowedActions } from "../../../policies/simulate.js";
import {
  permissionsDocument,
  permissionsPath,
  provisioningDocument,
  provisioningPath,
} from "../../../scripts/docs/permissions.js";
import { damaged, read, stackConfig } from "../../config/support.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue();
});

test("docs/permissions.md is up to date (update: npm run docs)", () => {
  const document = permissionsDocument(catalogue);
  for (const name of ["logs:StartQuery", "secretsmanager:GetSecretValue", ...optionalGroups.map(({ id }) => id)])
    expect(document).toContain(`\`${name}\``);
  for (const { id, unit } of billedCalls)
    expect(document).toMatch(new RegExp(`\\| \`${id}\` .*${unit.replace(/[$.]/g, "\\$&")}`));
  expect(readFileSync(permissionsPath, "utf8")).toBe(document);
});

test("docs/provisioning-policy.md is up to date (update: npm run docs)", () => {
  expect(readFileSync(provisioningPath, "utf8")).toBe(provisioningDocument());
});

test("the example for Lambda and ECS is valid and allows exactly these additional reads", async () => {
  const example = /### Example: open Lambda and ECS.*?```yaml\n(.*?)```/s.exec(readFileSync(permissionsPath, "utf8"));
  const { "holmes-aws-mcp:iam": iam } = parse(example![1]!) as {
    "holmes-aws-mcp:iam": { sensitiveReadsExcept: string[] };
  };
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

/**
 * The proof over every response in botocore's API models: no action that the default policy or an optional group allows
 * returns a member that is marked sensitive or named like code, data or secrets, unless the action is reviewed. Actions
 * without an operation of the same name are not compared. test/policies/catalogue.test.ts checks their names.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { loadCatalogue } from "../../policies/catalogue.js";
import { optionalGroupIds } from "../../policies/groups.js";
import { logContentActions, permissionPolicies } from "../../policies/permissions.js";
import { allowedActions } from "../../policies/simulate.js";
import { ensurePython } from "../../scripts/emulation/python.js";
import { reviewedReads } from "./reviewedReads.js";

const reviewed = reviewedReads.flatMap(({ actions }) => actions);
/** Reviewed by name: test/policies/catalogue.test.ts finds them. */
const namedLikeSecrets = /Credential|Password|Secret/;
let members: Map<string, readonly string[]>;
let allowed: readonly string[];
let catalogued: readonly string[];

beforeAll(async () => {
  const { serverPython } = await ensurePython();
  const script = fileURLToPath(new URL("responseMembers.py", import.meta.url));
  const { stdout } = await promisify(execFile)(serverPython, [script], { maxBuffer: 100_000_000 });
  const { operations } = JSON.parse(stdout) as { operations: Record<string, string[]> };
  members = new Map(Object.entries(operations).map(([action, paths]) => [action.toLowerCase(), paths]));
  const catalogue = await loadCatalogue();
  const { policies } = permissionPolicies({
    policyName: "P",
    partition: "aws",
    additionalPolicyGroups: optionalGroupIds,
  });
  const documents = policies.map(({ document }) => document);
  allowed = allowedActions(documents, catalogue.actions).map(({ action }) => action);
  catalogued = catalogue.actions.map(({ action }) => action);
}, 900_000);

const flagged = (actions: readonly string[]) =>
  actions.filter((action) => (members.get(action.toLowerCase()) ?? []).length > 0);

describe("the responses of every allowed action", () => {
  test("have no sensitive member, or the action is reviewed with a reason", () => {
    expect(allowed.filter((action) => members.has(action.toLowerCase())).length).toBeGreaterThan(2_000);
    const open = flagged(allowed).filter((action) => !reviewed.includes(action));
    expect(open.map((action) => `${action}: ${members.get(action.toLowerCase())!.join(", ")}`)).toEqual([]);
  });

  test("need each entry of the reviewed list, once", () => {
    expect(new Set(reviewed).size).toBe(reviewed.length);
    const needed = new Set(flagged(allowed));
    const other = reviewed.filter((action) => !needed.has(action));
    expect(other.filter((action) => !logContentActions.includes(action) && !namedLikeSecrets.test(action))).toEqual([]);
  });

  test.each([
    ["lambda:ListFunctions", "Functions.Environment"],
    ["cloudformation:DescribeStackSet", "StackSet.TemplateBody"],
    ["glue:GetJobs", "Jobs.DefaultArguments"],
    ["secretsmanager:GetSecretValue", "SecretString"],
    ["batch:DescribeJobs", "jobs.container.environment"],
    ["kms:GetParametersForImport", "ImportToken"],
    ["cloudformation:ListResourceRequests", "ResourceModel"],
    ["elasticmapreduce:ListInstanceGroups", "Configurations.Properties"],
    ["logs:GetLookupTable", "tableBody"],
    ["ssm:ListCommands", "Commands.Parameters"],
    ["cognito-idp:DescribeIdentityProvider", "ProviderDetails"],
    ["cognito-idp:DescribeUserImportJob", "PreSignedUrl"],
    ["sagemaker:DescribeTrainingJob", "Environment"],
    ["ses:GetCustomVerificationEmailTemplate", "TemplateContent"],
    ["appsync:GetGraphqlApiEnvironmentVariables", "environmentVariables"],
    ["identitystore:DescribeUser", "Addresses"],
    ["transfer:DescribeExecution", "Outputs"],
  ])("would find %s (%s), which is not allowed", (action, member) => {
    expect(catalogued).toContain(action);
    expect(allowed).not.toContain(action);
    expect(members.get(action.toLowerCase())!.join(" ")).toContain(member);
  });
});

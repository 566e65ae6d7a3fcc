import { beforeAll, describe, expect, test } from "vitest";
import { type Catalogue, loadCatalogue } from "../../policies/catalogue.js";
import { checkAdditionalActions, checkPolicy, type FindingKind } from "../../policies/checks.js";
import { permissionPolicies } from "../../policies/permissions.js";
import { writesAllowed } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue();
});

const good = { Sid: "Own", Effect: "Allow", Action: ["ec2:Describe*", "logs:StartQuery"], Resource: "*" };
const policy = (...Statement: unknown[]) => ({ Version: "2012-10-17", Statement });
const findings = (document: unknown, sensitiveReads: "deny" | "allow" = "deny") =>
  checkPolicy(document, { sensitiveReads });
const kinds = async (document: unknown): Promise<FindingKind[]> => (await findings(document)).map(({ kind }) => kind);

describe("checkPolicy", () => {
  test("accepts a policy that only reads", async () => {
    expect(await findings(policy(good))).toEqual([]);
    expect(await findings({ Version: "2012-10-17", Statement: good })).toEqual([]);
    expect(await findings({ Version: "2012-10-17", Id: "own", Statement: [{ ...good, Sid: undefined }] })).toEqual([]);
  });

  test("accepts the default policy", async () => {
    for (const { document } of permissionPolicies({ policyName: "P", partition: "aws" }).policies) {
      const own = document.Statement.filter(({ Effect }) => Effect === "Allow");
      expect(await findings({ ...document, Statement: own }, "allow")).toEqual([]);
    }
  });

  test.each([
    ["a text", "hello", '"hello", expected a JSON object'],
    ["null", null, "null, expected a JSON object"],
    ["a list", [good], "expected a JSON object"],
    ["no Version", { Statement: [good] }, "Version is undefined"],
    ["the old Version", { ...policy(good), Version: "2008-10-17" }, '"2008-10-17"'],
    ["no Statement", { Version: "2012-10-17" }, "Statement is undefined, expected at least one statement"],
    ["an empty Statement", policy(), "Statement is [], expected at least one statement"],
    ["an unknown key", { ...policy(good), Statements: [] }, "the document has an unknown key Statements"],
    ["a statement that is a text", policy("allow"), 'Statement[0] is "allow", expected an object'],
    ["a misspelt key", policy({ ...good, Actions: [] }), "Statement[0] has an unknown key Actions"],
    ["a Principal", policy({ ...good, Principal: "*" }), "trust and resource policies"],
    ["an invalid Effect", policy({ ...good, Effect: "allow" }), 'Statement[0].Effect is "allow"'],
    ["no Action", policy({ Effect: "Allow", Resource: "*" }), "must have either Action or NotAction"],
    ["Action and NotAction", policy({ ...good, NotAction: "iam:*" }), "must have either Action or NotAction"],
    ["no Resource", policy({ Effect: "Allow", Action: "ec2:Describe*" }), "must have either Resource or NotResource"],
    [
      "an empty list of actions",
      policy({ ...good, Action: [] }),
      "Statement[0].Action is [], expected a string or a list of strings",
    ],
    ["a number among the actions", policy({ ...good, Action: ["ec2:Describe*", 7] }), "Statement[0].Action[1] is 7"],
    [
      "an action without service",
      policy({ ...good, Action: "DescribeInstances" }),
      'Statement[0].Action[0] is "DescribeInstances", expected the form service:Action',
    ],
    ["a wildcard in the service", policy({ ...good, Action: "e*:Describe*" }), '"e*:Describe*", expected the form'],
    ["a Sid with a blank", policy({ ...good, Sid: "My own" }), "only letters and digits"],
    ["a Sid twice", policy(good, good), 'Sid "Own" is used twice'],
    [
      "an invalid Condition",
      policy({ ...good, Condition: { StringEquals: "x" } }),
      "Statement[0].Condition.StringEquals is",
    ],
    [
      "a Condition on an object",
      policy({ ...good, Condition: { StringEquals: { key: {} } } }),
      "Statement[0].Condition.StringEquals.key[0] is {}, expected the form {operator",
    ],
  ])("rejects %s", async (_, document, message) => {
    const found = await findings(document);
    expect(found.map(({ kind }) => kind)).toContain("shape");
    expect(found.map((finding) => finding.message).join("\n")).toContain(message);
  });

  test("reports every problem of the document at once", async () => {
    expect(await kinds({ Version: 1, Statement: [{ Effect: "No" }, 3] })).toEqual(Array(5).fill("shape"));
  });

  test.each([
    ["everything", "*", ["everything", "notReadOnly"]],
    ["every action of a service", "ec2:*", ["everything", "notReadOnly"]],
    ["a write", "ec2:TerminateInstances", ["notReadOnly"]],
    ["a pattern with writes in it", "glue:Get*", ["notReadOnly"]],
    ["tagging", "ec2:CreateTags", ["notReadOnly"]],
    ["permissions management", "iam:PutRolePolicy", ["notReadOnly"]],
    ["an unknown action", "efs:Describe*", ["unknownAction"]],
    ["a misspelt action", "ec2:DescribeInstancess", ["unknownAction"]],
    ["an action that sensitiveReads denies", "secretsmanager:GetSecretValue", ["sensitive"]],
  ])("finds %s", async (_, action, expected) => {
    expect(await kinds(policy({ ...good, Action: action }))).toEqual(expected);
  });

  test("finds an Allow of all actions except a list", async () => {
    const found = await findings(policy({ Effect: "Allow", NotAction: "iam:*", Resource: "*" }));
    expect(found.map(({ kind }) => kind)).toContain("notAction");
  });

  test("names the pattern, some of the actions, the statement and the fix", async () => {
    const [finding] = await findings(policy(good, { ...good, Sid: "Glue", Action: "glue:Get*" }));
    expect(finding?.message).toMatch(
      /^"glue:Get\*" allows \d+ actions that do more than read: glue:Get\w+, .* and \d+ more$/,
    );
    expect(finding?.fix).toContain("narrower");
    const [unknown] = await findings(policy(good, { ...good, Sid: "Efs", Action: "efs:Describe*" }));
    expect(unknown?.message).toContain('Statement[1] (Efs): "efs:Describe*" matches no AWS action');
  });

  test("accepts every scalar in a Condition", async () => {
    const Condition = {
      Bool: { "aws:ViaAWSService": false },
      NumericEquals: { "a:b": 0 },
      StringEquals: { "c:d": "" },
    };
    expect(await findings(policy({ ...good, Condition }))).toEqual([]);
  });

  test("accepts writes that the same document denies", async () => {
    const deny = { Effect: "Deny", Action: ["ec2:R*", "ec2:T*"], Resource: "*" };
    expect(await kinds(policy({ ...good, Action: ["ec2:DescribeVpcs", "ec2:RunInstances"] }, deny))).toEqual([]);
    const partly = { ...deny, Resource: "arn:aws:ec2:*:*:instance/i-1" };
    expect(await kinds(policy({ ...good, Action: "ec2:RunInstances" }, partly))).toEqual(["notReadOnly"]);
    const conditional = { ...deny, Condition: { StringEquals: { "aws:RequestedRegion": "eu-west-1" } } };
    expect(await kinds(policy({ ...good, Action: "ec2:RunInstances" }, conditional))).toEqual(["notReadOnly"]);
  });

  test("does not report a pattern that is denied in part", async () => {
    expect(await kinds(policy({ ...good, Action: "s3:Get*" }))).toEqual([]);
    expect(await kinds(policy({ ...good, Action: "apigateway:GET" }))).toEqual([]);
  });

  test("accepts sensitive reads when they are allowed", async () => {
    expect(await findings(policy({ ...good, Action: "secretsmanager:GetSecretValue" }), "allow")).toEqual([]);
  });

  test("loads the services of the document", async () => {
    expect(await checkPolicy(policy(good))).toEqual([]);
    expect((await checkPolicy(policy({ ...good, Action: "ec2:RunInstances" }))).map(({ kind }) => kind)).toEqual([
      "notReadOnly",
    ]);
  });

  test("reports the problems of the legacy policy", async () => {
    const old = ["efs:Describe*", "docdb:List*", "apigatewayv2:Get*", "states:Get*", "cloudtrail:SearchTrails"];
    const found = await findings(policy({ ...good, Action: old }));
    expect(found.filter(({ kind }) => kind === "unknownAction")).toHaveLength(4);
    expect(found.find(({ kind }) => kind === "notReadOnly")?.message).toContain("states:GetActivityTask");
  });
});

describe("checkAdditionalActions", () => {
  test("applies the same checks to single actions", async () => {
    expect(await checkAdditionalActions(["sagemaker:Describe*", "sagemaker:List*"])).toEqual([]);
    const found = await checkAdditionalActions(["sagemaker:CreateModel", "nope:Get*", "x"]);
    expect(found.map(({ kind }) => kind)).toEqual(["shape"]);
    const further = await checkAdditionalActions(["sagemaker:CreateModel", "nope:Get*"]);
    expect(further.map(({ kind }) => kind)).toEqual(["unknownAction", "notReadOnly"]);
  });
});

describe("writesAllowed", () => {
  const documents = (options = {}) =>
    permissionPolicies({ policyName: "P", partition: "aws", ...options }).policies.map(({ document }) => document);

  test("returns none for the default policy, because reviewed actions are read-only", () => {
    expect(writesAllowed(documents(), catalogue)).toEqual([]);
    expect(writesAllowed(documents({ sensitiveReads: "allow" }), catalogue)).toEqual([]);
  });

  test("returns the write actions of a policy", () => {
    const replacement: PolicyDocument = {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: ["ec2:*Tags", "aws-mcp:*"], Resource: "*" }],
    };
    expect(writesAllowed(documents({ replacement }), catalogue)).toEqual([
      "ec2:CreateTags",
      "ec2:DeleteTags",
      "aws-mcp:CallReadWriteTool",
    ]);
  });
});

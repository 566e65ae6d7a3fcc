import { describe, expect, test } from "vitest";
import { billedCalls, groupIds, groups, optionalGroupIds, optionalGroups } from "../../policies/groups.js";
import { actionMatcher } from "../../policies/match.js";
import { parsePolicy } from "../../policies/parse.js";
import {
  homeRegionActions,
  logContentActions,
  type PermissionOptions,
  perimeterActions,
  permissionPolicies,
} from "../../policies/permissions.js";
import { sensitivePatterns, sensitiveReads } from "../../policies/sensitiveReads.js";
import { policySize, SizeError } from "../../policies/size.js";
import { listOf, type PolicyDocument, type Statement } from "../../policies/types.js";
import { evaluate } from "./evaluate.js";

const plan = (options: Partial<PermissionOptions> = {}) =>
  permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws", ...options });
const documents = (options: Partial<PermissionOptions> = {}) => plan(options).policies.map(({ document }) => document);
const sids = (document: PolicyDocument) => document.Statement.map(({ Sid }) => Sid);
/** Action names as long as they get, which no two statements share. */
const many = (count: number, tag: string) =>
  Array.from({ length: count }, (_, n) => `ec2:Describe${tag}${"x".repeat(40)}${n}`);
const replacement = (...Statement: Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

describe("permissionPolicies", () => {
  test("is one inline policy by default, with the denials first and the actions of all groups", () => {
    const { placement, policies } = plan();
    expect(placement).toBe("inline");
    expect(policies.map(({ name }) => name)).toEqual(["MCPReadOnlyPolicy"]);
    expect(sids(policies[0]!.document)).toEqual(["DenySensitiveReads", "DenySensitiveResources", "ReadOnly"]);
    expect(policies[0]!.size).toBe(policySize(policies[0]!.document));
    expect(policies[0]!.limit).toBe(10240);
  });

  test("is inline too with a few additional actions", () => {
    const options = { additionalActions: ["sagemaker:Describe*", "sagemaker:List*"] };
    expect(plan(options).placement).toBe("inline");
    expect(sids(documents(options)[0]!).slice(-2)).toEqual(["ReadOnly", "AdditionalActions"]);
  });

  test("gives the same text for allowedRegions in any order", () => {
    const regions = ["eu-west-1", "eu-central-1"];
    const texts = documents({ allowedRegions: regions }).map((document) => JSON.stringify(document));
    expect(texts.join()).toContain("DenyOtherRegions");
    expect(documents({ allowedRegions: [...regions].reverse() }).map((document) => JSON.stringify(document))).toEqual(
      texts,
    );
  });

  test.each(optionalGroups)(
    "adds the optional group $id in managed policies, and nothing else",
    ({ id, sid, actions }) => {
      const { placement, policies } = plan({ additionalPolicyGroups: [id], dataPerimeter: true });
      expect(placement).toBe("managed");
      const statements = policies.flatMap(({ document }) => document.Statement);
      expect(statements.filter(({ Sid }) => Sid === sid).map(({ Action }) => Action)).toEqual([actions]);
      const others = optionalGroups.map((group) => group.sid).filter((other) => other !== sid);
      expect(statements.filter(({ Sid }) => others.includes(Sid!))).toEqual([]);
      expect(documents().flatMap(sids)).not.toContain(sid);
    },
  );

  test("fits every optional group in the managed policies of a role", () => {
    const { placement, policies } = plan({ additionalPolicyGroups: optionalGroupIds, dataPerimeter: true });
    expect(placement).toBe("managed");
    expect(policies.length).toBeLessThanOrEqual(4);
  });

  test.each(Object.entries(billedCalls))(
    "omits the billed calls %s, or all of them with their group",
    (id, actions) => {
      const group = groups.find((one) => one.actions.includes(actions[0]!))!.id;
      const allowed = (disabled: string[]) =>
        actions.filter(
          (action) =>
            evaluate(documents({ disabledPolicyGroups: disabled }), { action: action.replace("*", "X") }).decision ===
            "allowed",
        );
      expect(allowed([])).toEqual(actions);
      expect(allowed([id])).toEqual([]);
      expect(allowed([group])).toEqual([]);
      const others = Object.keys(billedCalls).filter((other) => other !== id);
      expect(allowed(others)).toEqual(actions);
    },
  );

  test.each(groupIds)("leaves out the group %s when it is disabled, and nothing else", (id) => {
    const actionsOf = (disabled: string[]) =>
      listOf(documents({ disabledPolicyGroups: disabled })[0]!.Statement.find(({ Sid }) => Sid === "ReadOnly")?.Action);
    const own = new Set(groups.find((group) => group.id === id)!.actions);
    expect(actionsOf([id])).toEqual(actionsOf([]).filter((action) => !own.has(action)));
    expect(actionsOf([id]).length).toBeLessThan(actionsOf([]).length);
  });

  test("describes every group in one sentence, under its own id and Sid", () => {
    const all = [...groups, ...optionalGroups];
    const ids = [...all.map(({ id }) => id), ...Object.keys(billedCalls)];
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(all.map(({ sid }) => sid)).size).toBe(all.length);
    for (const { id, sid, description } of [...groups, ...optionalGroups]) {
      expect(id).toMatch(/^[a-z]+$/);
      expect(sid).toMatch(/^[A-Za-z0-9]+$/);
      expect(description).toMatch(/^[A-Z][^.]*\.$/);
    }
  });

  describe("sensitive reads", () => {
    const attached: PolicyDocument = replacement({ Effect: "Allow", Action: "*", Resource: "*" });
    const examples = sensitiveReads.flatMap(({ actions, resources }) =>
      (resources === undefined ? actions : []).map((pattern) => pattern.replaceAll("*", "X")),
    );

    test.each(examples)("%s stays denied when a policy that allows everything is attached", (action) => {
      expect(evaluate([...documents(), attached], { action })).toMatchObject({
        decision: "explicitDeny",
        sid: "DenySensitiveReads",
      });
      expect(evaluate([...documents({ sensitiveReads: "allow" }), attached], { action }).decision).toBe("allowed");
    });

    test.each([
      "codeartifact:GetAuthorizationToken",
      "codecommit:GitPull",
      "cognito-identity:GetCredentialsForIdentity",
      "cognito-identity:GetOpenIdToken",
      "connect:GetFederationToken",
      "datazone:GetEnvironmentCredentials",
      "dsql:DbConnectAdmin",
      "ecr-public:GetAuthorizationToken",
      "rds-db:connect",
      "redshift-serverless:GetIdentityCenterAuthToken",
      "sts:AssumeRole",
      "sts:AssumeRoleWithSAML",
      "sts:AssumeRoot",
      "sts:GetFederationToken",
      "sts:GetServiceBearerToken",
      "sts:GetSessionToken",
      "storagegateway:DescribeChapCredentials",
    ])("%s is denied without exclusivePolicies, regardless of the policies that are attached to the role", (action) => {
      for (const groupOptions of [{}, { additionalPolicyGroups: optionalGroupIds }])
        expect(evaluate([...documents(groupOptions), attached], { action }).sid).toBe("DenySensitiveReads");
    });

    test.each(["aws", "aws-cn", "aws-us-gov"])(
      "API keys are denied by resource in %s, the rest of API Gateway is not",
      (partition) => {
        const get = (resource: string) =>
          evaluate(documents({ partition }), {
            action: "apigateway:GET",
            resource: `arn:${partition}:apigateway:${resource}`,
          }).decision;
        expect(get("eu-west-1::/apikeys")).toBe("explicitDeny");
        expect(get("eu-west-1::/apikeys/abc")).toBe("explicitDeny");
        expect(get("eu-west-1::/usageplans/abc/keys")).toBe("explicitDeny");
        expect(get("eu-west-1::/usageplans/abc/keys/def")).toBe("explicitDeny");
        expect(get("eu-west-1::/restapis/abc/stages")).toBe("allowed");
        expect(get("eu-west-1::/usageplans/abc")).toBe("allowed");
      },
    );

    test("are in the first policy when there are several, and stay there when any group is disabled", () => {
      const disabled = groupIds.slice(0, 5);
      const { placement, policies } = plan({ disabledPolicyGroups: disabled, additionalActions: many(80, "A") });
      expect(placement).toBe("managed");
      expect(sids(policies[0]!.document).slice(0, 2)).toEqual(["DenySensitiveReads", "DenySensitiveResources"]);
    });

    test("are denied to a replacement as well, unless they are allowed", () => {
      const own = replacement({ Sid: "Own", Effect: "Allow", Action: ["s3:Get*"], Resource: "*" });
      const request = { action: "s3:GetObject", resource: "arn:aws:s3:::bucket/key" };
      expect(evaluate(documents({ replacement: own }), request).decision).toBe("explicitDeny");
      expect(evaluate(documents({ replacement: own, sensitiveReads: "allow" }), request).decision).toBe("allowed");
      expect(sids(documents({ replacement: own, sensitiveReads: "allow" })[0]!)).toEqual(["Own"]);
    });
  });

  describe("allowed regions", () => {
    const allowedRegions = ["eu-west-1", "eu-central-1"];
    const decide = (action: string, region: string, extra: PolicyDocument[] = []) =>
      evaluate([...documents({ allowedRegions }), ...extra], { action, context: { "aws:RequestedRegion": region } })
        .decision;

    test("denies regional calls elsewhere, even to attached policies", () => {
      const attached = replacement({ Effect: "Allow", Action: "*", Resource: "*" });
      expect(decide("ec2:DescribeInstances", "eu-west-1")).toBe("allowed");
      expect(decide("ec2:DescribeInstances", "us-east-1")).toBe("explicitDeny");
      expect(decide("ec2:DescribeInstances", "us-east-1", [attached])).toBe("explicitDeny");
    });

    test.each([
      "iam:GetRole",
      "ce:GetCostAndUsage",
      "route53:ListHostedZones",
      "cloudfront:ListDistributions",
      "s3:ListAllMyBuckets",
      "ec2:DescribeRegions",
      "sts:GetCallerIdentity",
      "health:DescribeEvents",
      "cloudtrail:LookupEvents",
      "organizations:ListAccounts",
    ])("does not deny %s, which is global", (action) => {
      expect(decide(action, "us-east-1")).toBe("allowed");
    });

    test.each([
      "tag:GetResources",
      "servicequotas:ListServiceQuotas",
      "compute-optimizer:GetEC2InstanceRecommendations",
      "s3:GetMultiRegionAccessPoint",
      "s3:ListMultiRegionAccessPoints",
      "s3:DescribeMultiRegionAccessPointOperation",
    ])("allows %s in the home regions of global resources too, and not in further regions", (action) => {
      expect(actionMatcher(homeRegionActions)(action)).toBe(true);
      for (const region of ["eu-west-1", "us-east-1", "us-west-2"])
        expect(decide(action, region), region).toBe("allowed");
      expect(decide(action, "ap-south-1")).toBe("explicitDeny");
      expect(decide(action, "ap-south-1", [replacement({ Effect: "Allow", Action: "*", Resource: "*" })])).toBe(
        "explicitDeny",
      );
    });

    test.each([
      ["aws-cn", "cn-north-1", "cn-northwest-1"],
      ["aws-us-gov", "us-gov-east-1", "us-gov-west-1"],
    ])("uses the home regions of %s", (partition, allowed, home) => {
      const own = documents({ partition, allowedRegions: [allowed] });
      const decideIn = (action: string, region: string) =>
        evaluate(own, { action, context: { "aws:RequestedRegion": region } }).decision;
      expect(decideIn("tag:GetResources", home)).toBe("allowed");
      expect(decideIn("tag:GetResources", "us-east-1")).toBe("explicitDeny");
      expect(decideIn("ec2:DescribeInstances", home)).toBe("explicitDeny");
    });

    test("adds no statement when every region is allowed", () => {
      expect(documents().flatMap(sids)).not.toContain("DenyOtherRegions");
      expect(documents({ allowedRegions: [] }).flatMap(sids)).not.toContain("DenyOtherRegions");
    });
  });

  describe("data perimeter", () => {
    const decide = (action: string, context: Record<string, string>, options: Partial<PermissionOptions> = {}) =>
      evaluate(documents({ dataPerimeter: true, ...options }), { action, context });
    const own = { "aws:PrincipalAccount": "111111111111", "aws:ResourceAccount": "111111111111" };
    const foreign = { ...own, "aws:ResourceAccount": "222222222222" };

    const reads = [
      "dynamodb:DescribeTable",
      "ecr:DescribeImages",
      "kinesis:DescribeStream",
      "kms:DescribeKey",
      "kms:GetPublicKey",
      "kms:ListGrants",
      "lambda:GetPolicy",
      "s3:ListBucket",
      "secretsmanager:DescribeSecret",
      "sns:GetTopicAttributes",
      "sqs:GetQueueAttributes",
    ];

    test("covers each service that it lists", () => {
      for (const pattern of perimeterActions) expect(reads.some(actionMatcher([pattern])), pattern).toBe(true);
    });

    test.each(["logs:StartQuery", "events:DescribeRule", "cloudwatch:GetMetricData"])("does not cover %s", (action) => {
      expect(decide(action, foreign).decision).toBe("allowed");
    });

    test.each(reads)("denies %s on a resource of another account only", (action) => {
      expect(decide(action, own).decision).toBe("allowed");
      expect(decide(action, foreign)).toEqual({ decision: "explicitDeny", sid: "DenyOtherAccounts" });
      expect(decide(action, foreign, { dataPerimeter: false }).decision).toBe("allowed");
    });

    test("does not deny calls without a resource", () => {
      expect(decide("s3:ListAllMyBuckets", { "aws:PrincipalAccount": "111111111111" }).decision).toBe("allowed");
    });

    test("keeps the default policy inline", () => {
      expect(plan({ dataPerimeter: true })).toMatchObject({ placement: "inline", policies: [{ limit: 10240 }] });
    });
  });

  test.each(logContentActions)("logContents: deny denies %s, even to attached policies", (action) => {
    const attached = replacement({ Effect: "Allow", Action: "*", Resource: "*" });
    expect(evaluate([...documents({ logContents: "deny" }), attached], { action }).sid).toBe("DenyLogContents");
    expect(evaluate(documents(), { action }).decision).toBe("allowed");
  });

  describe("sizes", () => {
    test("splits by whole groups when inline is too small, each policy within 6144, names numbered", () => {
      const { placement, policies } = plan({ additionalActions: many(40, "A") });
      expect(placement).toBe("managed");
      expect(policies.map(({ name }) => name)).toEqual(
        policies.map((_, index) => (index === 0 ? "MCPReadOnlyPolicy" : `MCPReadOnlyPolicy-${index + 1}`)),
      );
      for (const { document, size, limit } of policies) {
        expect(size).toBe(policySize(document));
        expect(size).toBeLessThanOrEqual(6144);
        expect(limit).toBe(6144);
      }
      const all = policies.flatMap(({ document }) => document.Statement);
      expect(all.map(({ Sid }) => Sid)).toEqual([
        "DenySensitiveReads",
        "DenySensitiveResources",
        ...groups.map(({ sid }) => sid),
        "AdditionalActions",
      ]);
      for (const { sid, actions } of groups) {
        const written = listOf(all.find(({ Sid }) => Sid === sid)?.Action);
        const isDenied = actionMatcher(listOf(all[0]!.Action));
        expect(written).toEqual(actions.filter((action) => !isDenied(action)));
      }
    });

    test("names the statement that exceeds a managed policy", () => {
      const run = () => plan({ additionalActions: many(200, "A") });
      expect(run).toThrow(SizeError);
      expect(run).toThrow(
        /Statement "AdditionalActions" alone has \d+ characters\. A managed policy can have at most 6144/,
      );
    });

    test("reports more policies than a role can have", () => {
      const statements = Array.from(
        { length: 11 },
        (_, n): Statement => ({
          Sid: `Part${n}`,
          Effect: "Allow",
          Action: many(85, `S${n}`),
          Resource: "*",
        }),
      );
      const run = () => plan({ replacement: replacement(...statements) });
      expect(run).toThrow(SizeError);
      expect(run).toThrow(/require \d+ managed policies\. A role can have at most 10\./);
    });
  });

  test("uses a replacement unchanged, with one statement or several", () => {
    const single = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "ec2:Describe*", Resource: "*" } };
    expect(documents({ replacement: parsePolicy(single).policy, sensitiveReads: "allow" })).toEqual([
      { Version: "2012-10-17", Statement: [single.Statement] },
    ]);
    // A statement that happens to have the Sid of a group keeps its effect and its resources.
    const { sid } = groups[0]!;
    const own = replacement({ Sid: sid, Effect: "Deny", Action: "ec2:Describe*", Resource: "arn:aws:ec2:*:*:vpc/*" });
    expect(documents({ replacement: own, sensitiveReads: "allow" })).toEqual([own]);
  });
});

describe("evaluate", () => {
  const allow = (Action: string[], extra: Partial<Statement> = {}) =>
    replacement({ Sid: "A", Effect: "Allow", Action, Resource: "*", ...extra });

  test("lets an explicit Deny override an Allow, and denies by default", () => {
    const deny = replacement({ Sid: "D", Effect: "Deny", Action: "ec2:*", Resource: "*" });
    expect(evaluate([allow(["ec2:Describe*"])], { action: "ec2:DescribeVpcs" })).toEqual({
      decision: "allowed",
      sid: "A",
    });
    expect(evaluate([allow(["ec2:Describe*"]), deny], { action: "ec2:DescribeVpcs" })).toEqual({
      decision: "explicitDeny",
      sid: "D",
    });
    expect(evaluate([allow(["ec2:Describe*"])], { action: "ec2:RunInstances" })).toEqual({ decision: "implicitDeny" });
  });

  test("compares actions regardless of case, resources not", () => {
    const document = allow(["EC2:describe?pcs"], { Resource: "arn:aws:ec2:*:*:vpc/A*" });
    const decide = (resource: string) => evaluate([document], { action: "ec2:DescribeVpcs", resource }).decision;
    expect(decide("arn:aws:ec2:eu-west-1:1:vpc/Abc")).toBe("allowed");
    expect(decide("arn:aws:ec2:eu-west-1:1:vpc/abc")).toBe("implicitDeny");
  });

  test("matches all characters except wildcards literally", () => {
    expect(evaluate([allow(["s3:Get.bject"])], { action: "s3:GetObject" }).decision).toBe("implicitDeny");
    expect(evaluate([allow(["s3:Get*"])], { action: "xs3:GetObject" }).decision).toBe("implicitDeny");
  });

  test("supports NotAction and NotResource", () => {
    const document = replacement({ Effect: "Deny", NotAction: "iam:*", NotResource: "arn:aws:s3:::open/*" });
    const decide = (action: string, resource: string) => evaluate([document], { action, resource }).decision;
    expect(decide("s3:GetObject", "arn:aws:s3:::shut/a")).toBe("explicitDeny");
    expect(decide("s3:GetObject", "arn:aws:s3:::open/a")).toBe("implicitDeny");
    expect(decide("iam:GetRole", "arn:aws:s3:::shut/a")).toBe("implicitDeny");
  });

  test.each([
    ["StringEquals", "eu-*", "eu-west-1", false],
    ["StringEquals", "eu-west-1", "eu-west-1", true],
    ["StringEquals", "eu-west-1", undefined, false],
    ["StringNotEquals", "eu-west-1", "eu-west-1", false],
    ["StringNotEquals", "eu-west-1", undefined, true],
    ["StringLike", "eu-*", "eu-west-1", true],
    ["StringLike", "eu-*", undefined, false],
    ["StringNotLike", "eu-*", "eu-west-1", false],
    ["StringNotLike", "eu-*", "us-east-1", true],
  ])("%s %s against %s: %s", (operator, pattern, region, holds) => {
    const document = allow(["ec2:*"], { Condition: { [operator]: { "aws:requestedregion": [pattern] } } });
    const context: Record<string, string> = region === undefined ? {} : { "aws:RequestedRegion": region };
    expect(evaluate([document], { action: "ec2:DescribeVpcs", context }).decision).toBe(
      holds ? "allowed" : "implicitDeny",
    );
  });

  test("rejects unsupported operators and variables", () => {
    const numeric = allow(["ec2:*"], { Condition: { NumericLessThan: { "s3:max-keys": "10" } } });
    expect(() => evaluate([numeric], { action: "ec2:DescribeVpcs" })).toThrow("NumericLessThan");
    const variable = allow(["s3:*"], { Resource: "arn:aws:s3:::bucket/${aws:username}" });
    expect(() => evaluate([variable], { action: "s3:GetObject", resource: "arn:aws:s3:::bucket/a" })).toThrow(
      "variable",
    );
  });
});

describe("single sensitive reads", () => {
  const denied = (sensitiveReadsExcept: string[]) => {
    const [policy] = permissionPolicies({ policyName: "P", partition: "aws", sensitiveReadsExcept }).policies;
    return policy!.document.Statement.find(({ Sid }) => Sid === "DenySensitiveReads")!.Action as string[];
  };

  test("are left open by name, and the others stay denied", () => {
    const all = denied([]);
    expect(denied(["ecs:Describe*TaskDefinition"])).toEqual(
      all.filter((action) => action !== "ecs:Describe*TaskDefinition"),
    );
    expect(all).toContain("ecs:Describe*TaskDefinition");
  });

  test("all of them leave no empty statement behind", () => {
    const plan = permissionPolicies({
      policyName: "P",
      partition: "aws",
      sensitiveReadsExcept: [...sensitivePatterns],
    });
    expect(plan.policies.flatMap(({ document }) => document.Statement).every(({ Effect }) => Effect === "Allow")).toBe(
      true,
    );
  });
});

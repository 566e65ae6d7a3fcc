/** The proof over every action in the catalogue: a newer catalogue that adds an allowed action makes these tests fail. */
import { beforeAll, describe, expect, test } from "vitest";
import { type Catalogue, isReadOnly, loadCatalogue, servicesOf } from "../../policies/catalogue.js";
import { billedCalls, groups, optionalGroupIds, optionalGroups } from "../../policies/groups.js";
import { actionMatcher } from "../../policies/match.js";
import { globalActions, homeRegionActions, perimeterActions, permissionPolicies } from "../../policies/permissions.js";
import { isReviewed, reviewedActions } from "../../policies/reviewed.js";
import { sensitiveEntry, sensitiveReads } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";
import { reviewedReads } from "./reviewedReads.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue();
});

/** The policies with every optional group. */
const documents = (sensitiveReads: "deny" | "allow", partition = "aws", sensitiveReadsExcept: string[] = []) =>
  permissionPolicies({
    policyName: "P",
    partition,
    sensitiveReads,
    sensitiveReadsExcept,
    additionalPolicyGroups: optionalGroupIds,
  }).policies.map(({ document }) => document);
const everyGroup = [...groups, ...optionalGroups];

/** Prefixes of read-only actions. Read and List actions with other names are reviewed one by one. */
const readingVerbs = ["batchget", "describe", "get", "list"];

/** Whether an action's name begins with a reading verb, including `apigateway:GET`. */
function hasReadingVerb(action: string): boolean {
  const name = action.slice(action.indexOf(":") + 1).toLowerCase();
  return readingVerbs.some((verb) => name.startsWith(verb));
}

const namedLikeSecrets =
  /Credential|Token|Password|Secret|PrivateKey|ApiKey|AuthKey|Decrypt|Download|Presigned|SignedUrl|Unmask|Sensitive|SessionEndpoint|DashboardUrl/i;

describe("the catalogue", () => {
  test("contains every service and access level", () => {
    expect(catalogue.actions.length).toBeGreaterThan(20_000);
    expect(new Set(catalogue.actions.map(({ level }) => level))).toEqual(
      new Set(["Read", "List", "Write", "Tagging", "Permissions management"]),
    );
  });

  test("loads single services, and finds the services of patterns", async () => {
    expect(servicesOf(["ec2:Describe*", "S3:Get*", "ec2:Get*"])).toEqual(["ec2", "s3"]);
    expect(servicesOf(["ec2:Describe*", "*"])).toBeUndefined();
    const ec2 = await loadCatalogue(["ec2", "nosuchservice"]);
    expect(new Set(ec2.actions.map(({ service }) => service))).toEqual(new Set(["ec2", "aws-mcp"]));
    expect(ec2.matching("ec2:describeINSTANCES").map(({ action }) => action)).toEqual(["ec2:DescribeInstances"]);
    expect(ec2.matching("nosuchservice:*")).toEqual([]);
  });
});

describe.each(["deny", "allow"] as const)(
  "every action that the default policy and the optional groups allow (sensitiveReads: %s)",
  (sensitive) => {
    test("only reads: level Read or List with a reading verb, or reviewed with a reason", () => {
      const allowed = allowedActions(documents(sensitive), catalogue.actions);
      expect(allowed.length).toBeGreaterThan(2_000);
      const unproven = allowed.filter(
        (action) => !(isReadOnly(action) && hasReadingVerb(action.action)) && !isReviewed(action.action),
      );
      expect(unproven.map(({ action, level }) => `${action} (${level})`)).toEqual([]);
    });

    test("is the same in every partition", () => {
      const names = (partition: string) =>
        allowedActions(documents(sensitive, partition), catalogue.actions).map(({ action }) => action);
      expect(names("aws-cn")).toEqual(names("aws"));
      expect(names("aws-us-gov")).toEqual(names("aws"));
    });
  },
);

describe("the lists behind the policy", () => {
  test.each(everyGroup.flatMap(({ id, actions }) => actions.map((action) => [id, action])))(
    "%s: %s matches an action",
    (_, pattern) => {
      expect(catalogue.matching(pattern!)).not.toEqual([]);
    },
  );

  test("have no redundant pattern", () => {
    const patterns = everyGroup.flatMap(({ actions }) => actions);
    const matchers = patterns.map((pattern) => [pattern, actionMatcher([pattern])] as const);
    const redundant = patterns.filter((pattern) => {
      const covered = catalogue.matching(pattern);
      return covered.every(({ action }) => matchers.some(([other, matches]) => other !== pattern && matches(action)));
    });
    expect(redundant).toEqual([]);
    expect(new Set(patterns).size).toBe(patterns.length);
  });

  test("review only allowed actions that need a review, each once", () => {
    const allowed = new Map(allowedActions(documents("allow"), catalogue.actions).map((one) => [one.action, one]));
    const reviews = reviewedActions.flatMap(({ actions, reason }) => actions.map((action) => ({ action, reason })));
    for (const { action, reason } of reviews) {
      const known = allowed.get(action);
      expect(known, `${action} is allowed`).toBeDefined();
      expect(isReadOnly(known!) && hasReadingVerb(action), `${action} needs no review`).toBe(false);
      expect(reason.length, `reason for ${action}`).toBeGreaterThan(15);
    }
    expect(new Set(reviews.map(({ action }) => action)).size).toBe(reviews.length);
  });

  test.each(sensitiveReads.flatMap((entry) => entry.actions.map((pattern) => [entry.category, pattern])))(
    "%s: %s matches an action",
    (_, pattern) => {
      expect(catalogue.matching(pattern!)).not.toEqual([]);
    },
  );

  test.each(
    sensitiveReads.flatMap(({ actions, written }) => actions.map((pattern, index) => [pattern, written[index]!])),
  )("%s is written as %s, which denies no other read", (pattern, short) => {
    const listed = catalogue.matching(pattern).map(({ action }) => action);
    const denied = catalogue.matching(short);
    expect(denied.map(({ action }) => action)).toEqual(expect.arrayContaining(listed));
    expect(denied.filter((action) => isReadOnly(action) && !listed.includes(action.action))).toEqual([]);
  });

  test("are allowed one by one with iam.sensitiveReadsExcept, unless the groups do not allow them", () => {
    const names = (documents: PolicyDocument[], actions = catalogue.actions) =>
      allowedActions(documents, actions).map(({ action }) => action);
    const allowed = names(documents("allow"));
    const closed = new Set(names(documents("deny")));
    const everywhere = sensitiveReads.filter(({ resources }) => resources === undefined);
    let opened = 0;
    for (const pattern of everywhere.flatMap(({ actions }) => actions)) {
      const service = catalogue.matching(pattern.replace(/:.*/, ":*"));
      const open = names(documents("deny", "aws", [pattern]), service);
      const expected = allowed.filter(actionMatcher([pattern]));
      expect(open.filter((action) => !closed.has(action)).sort(), pattern).toEqual(expected.sort());
      opened += expected.length;
    }
    expect(opened).toBeGreaterThan(100);
  }, 60_000);

  test("deny each sensitive read once", () => {
    const everywhere = sensitiveReads
      .filter(({ resources }) => resources === undefined)
      .flatMap(({ actions }) => actions.map((pattern) => actionMatcher([pattern])));
    const twice = catalogue.actions.filter(({ action }) => everywhere.filter((matches) => matches(action)).length > 1);
    expect(twice.map(({ action }) => action)).toEqual([]);
  }, 30_000);

  test("allow no action with a name like a secret unless it is reviewed", () => {
    const looked = new Set(reviewedReads.flatMap(({ actions }) => actions));
    const doubtful = allowedActions(documents("deny"), catalogue.actions)
      .map(({ action }) => action)
      .filter(
        (action) =>
          namedLikeSecrets.test(action.slice(action.indexOf(":") + 1)) && !looked.has(action) && !isReviewed(action),
      );
    expect(doubtful).toEqual([]);
  });

  test("allow every reviewed read", () => {
    const allowed = new Set(allowedActions(documents("deny"), catalogue.actions).map(({ action }) => action));
    for (const action of reviewedReads.flatMap(({ actions }) => actions)) expect(allowed, action).toContain(action);
  });

  test("deny the credentials, secrets and data that the legacy policy allows", () => {
    const through = [
      "acm:GetAcmeExternalAccountBindingCredentials",
      "appconfig:GetConfiguration",
      "appconfig:GetHostedConfigurationVersion",
      "appconfig:GetLatestConfiguration",
      "cloudformation:GetTemplate",
      "cloudwatch:GetSpaceCredentials",
      "cloudwatch:GetSpaceCredentialsForOrganization",
      "ebs:GetSnapshotBlock",
      "ec2:DescribeInstanceAttribute",
      "ec2:GetConsoleOutput",
      "ec2:GetPasswordData",
      "ecr:BatchGetImage",
      "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer",
      "kinesis:GetRecords",
      "lambda:GetFunction",
      "lambda:GetFunctionConfiguration",
      "lambda:ListFunctions",
      "s3:GetDataAccess",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "ssm:GetAccessToken",
      "ssm:GetParameter",
      "ssm:GetParameters",
      "ssm:GetParametersByPath",
      "states:GetExecutionHistory",
      "wafv2:GetDecryptedAPIKey",
    ];
    const allowed = new Set(allowedActions(documents("deny"), catalogue.actions).map(({ action }) => action));
    const formerly = new Set(allowedActions(documents("allow"), catalogue.actions).map(({ action }) => action));
    for (const action of through) {
      expect(formerly, `${action} with sensitiveReads: allow`).toContain(action);
      expect(allowed, `${action} with sensitiveReads: deny`).not.toContain(action);
      expect(sensitiveEntry(action)?.reason, action).toBeDefined();
    }
  });

  test.each(Object.entries(billedCalls))("bill %s: %j are patterns of one group", (_, actions) => {
    expect(groups.filter((group) => actions.every((action) => group.actions.includes(action)))).toHaveLength(1);
  });

  test("have only existing actions in the exemptions from regions and in the data perimeter", () => {
    for (const pattern of [...globalActions, ...homeRegionActions, ...perimeterActions])
      expect(catalogue.matching(pattern), pattern).not.toEqual([]);
  });

  test("allow reads of services that the legacy policy does not cover", () => {
    const allowed = new Set(allowedActions(documents("deny"), catalogue.actions).map(({ action }) => action));
    for (const action of [
      "athena:GetQueryExecution",
      "batch:ListJobs",
      "codebuild:ListBuildsForProject",
      "codepipeline:GetPipelineState",
      "config:DescribeComplianceByConfigRule",
      "dynamodb:DescribeTable",
      "elasticfilesystem:DescribeFileSystems",
      "es:DescribeDomainHealth",
      "glue:GetJobRuns",
      "inspector2:ListFindings",
      "rds:DescribeDBClusters",
      "servicequotas:ListServiceQuotas",
    ]) {
      expect(allowed).toContain(action);
    }
  });
});

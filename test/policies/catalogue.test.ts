/** The proof over every action that AWS has: a newer catalogue that lets something in makes these fail. */
import { beforeAll, describe, expect, it } from "vitest";
import { type Catalogue, isReadOnly, loadCatalogue, servicesOf } from "../../policies/catalogue.js";
import { groups } from "../../policies/groups.js";
import { matchesAction } from "../../policies/match.js";
import { globalActions, permissionPolicies } from "../../policies/permissions.js";
import { hasReadingVerb, isReviewed, reviewedActions } from "../../policies/reviewed.js";
import { keptReads, sensitiveEntry, sensitiveReads, shortForms } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue();
});

const documents = (sensitive: "deny" | "allow", partition = "aws") =>
  permissionPolicies({ policyName: "P", partition, sensitiveReads: sensitive }).policies.map(
    ({ document }) => document,
  );

describe("the catalogue", () => {
  it("is whole", () => {
    expect(catalogue.actions.length).toBeGreaterThan(20_000);
    expect(new Set(catalogue.actions.map(({ level }) => level))).toEqual(
      new Set(["Read", "List", "Write", "Tagging", "Permissions management"]),
    );
  });

  it("loads single services, and knows which ones patterns name", async () => {
    expect(servicesOf(["ec2:Describe*", "S3:Get*", "ec2:Get*"])).toEqual(["ec2", "s3"]);
    expect(servicesOf(["ec2:Describe*", "*"])).toBeUndefined();
    const ec2 = await loadCatalogue(["ec2", "nosuchservice"]);
    expect(new Set(ec2.actions.map(({ service }) => service))).toEqual(new Set(["ec2", "aws-mcp"]));
    expect(ec2.matching("ec2:describeINSTANCES").map(({ action }) => action)).toEqual(["ec2:DescribeInstances"]);
    expect(ec2.matching("nosuchservice:*")).toEqual([]);
  });
});

describe.each(["deny", "allow"] as const)("everything the default policy allows (sensitiveReads: %s)", (sensitive) => {
  it("only reads: Read or List with a reading verb, or reviewed with a reason", () => {
    const allowed = allowedActions(documents(sensitive), catalogue.actions);
    expect(allowed.length).toBeGreaterThan(2_000);
    const unproven = allowed.filter(
      (action) => !(isReadOnly(action) && hasReadingVerb(action.action)) && !isReviewed(action.action),
    );
    expect(unproven.map(({ action, level }) => `${action} (${level})`)).toEqual([]);
  });

  it("is the same in every partition", () => {
    const names = (partition: string) =>
      allowedActions(documents(sensitive, partition), catalogue.actions).map(({ action }) => action);
    expect(names("aws-cn")).toEqual(names("aws"));
    expect(names("aws-us-gov")).toEqual(names("aws"));
  });
});

describe("the lists behind the policy", () => {
  it.each(groups.flatMap(({ id, actions }) => actions.map((action) => [id, action])))(
    "%s: %s covers something",
    (_, pattern) => {
      expect(catalogue.matching(pattern!)).not.toEqual([]);
    },
  );

  it("has no pattern that another one of the policy makes needless", () => {
    const patterns = groups.flatMap(({ actions }) => actions);
    const needless = patterns.filter((pattern) => {
      const covered = catalogue.matching(pattern);
      const others = patterns.filter((other) => other !== pattern);
      return covered.every(({ action }) => others.some((other) => matchesAction(other, action)));
    });
    expect(needless).toEqual([]);
    expect(new Set(patterns).size).toBe(patterns.length);
  });

  it("reviews nothing that is not there, not allowed, or in no need of it", () => {
    const allowed = new Map(allowedActions(documents("allow"), catalogue.actions).map((one) => [one.action, one]));
    for (const { action, reason } of reviewedActions) {
      const known = allowed.get(action);
      expect(known, `${action} is allowed`).toBeDefined();
      expect(isReadOnly(known!) && hasReadingVerb(action), `${action} needs no review`).toBe(false);
      expect(reason.length, `reason for ${action}`).toBeGreaterThan(15);
    }
    expect(new Set(reviewedActions.map(({ action }) => action)).size).toBe(reviewedActions.length);
  });

  it.each(sensitiveReads.flatMap((entry) => entry.actions.map((pattern) => [entry.category, pattern])))(
    "%s: %s covers something",
    (_, pattern) => {
      expect(catalogue.matching(pattern!)).not.toEqual([]);
    },
  );

  it.each(Object.entries(shortForms))("%s is written as %s, which denies no other read", (pattern, short) => {
    const others = catalogue.matching(short).filter(({ action }) => sensitiveEntry(action) === undefined);
    expect(others.filter(isReadOnly)).toEqual([]);
    expect(sensitiveReads.flatMap(({ actions }) => actions)).toContain(pattern);
    for (const { action } of catalogue.matching(pattern)) expect(matchesAction(short, action), action).toBe(true);
  });

  it("denies each sensitive read once", () => {
    const everywhere = sensitiveReads
      .filter(({ resources }) => resources === undefined)
      .flatMap(({ actions }) => actions);
    const twice = catalogue.actions.filter(
      ({ action }) => everywhere.filter((pattern) => matchesAction(pattern, action)).length > 1,
    );
    expect(twice.map(({ action }) => action)).toEqual([]);
  }, 30_000);

  it("allows no name that sounds like a secret unless somebody has looked at it", () => {
    const sounds =
      /Credential|Token|Password|Secret|PrivateKey|ApiKey|AuthKey|Decrypt|Download|Presigned|SignedUrl|Unmask|Sensitive|SessionEndpoint|DashboardUrl/i;
    const looked = new Set(keptReads.flatMap(({ actions }) => actions));
    const doubtful = allowedActions(documents("deny"), catalogue.actions)
      .map(({ action }) => action)
      .filter(
        (action) => sounds.test(action.slice(action.indexOf(":") + 1)) && !looked.has(action) && !isReviewed(action),
      );
    expect(doubtful).toEqual([]);
  });

  it("keeps what it says it keeps", () => {
    const allowed = new Set(allowedActions(documents("deny"), catalogue.actions).map(({ action }) => action));
    for (const action of keptReads.flatMap(({ actions }) => actions)) expect(allowed, action).toContain(action);
  });

  it("denies what the old policy let through of credentials, secrets and data", () => {
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

  it("exempts only what exists from the regions", () => {
    for (const pattern of globalActions) expect(catalogue.matching(pattern), pattern).not.toEqual([]);
  });

  it("covers the services that the old policy missed", () => {
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

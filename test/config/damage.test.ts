// Configs with one error each: the key, the value found, the expected value and the fix, if any.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { pathText } from "../../config/problems.js";
import { damaged, problemsOf, type Stack, stackConfig } from "./support.js";

type Expected = readonly [path: string, found: string | RegExp, expected: string, fix?: string];
/** Changes to the checked-in stack (undefined removes the key), and all expected problems. */
type Case = readonly [title: string, changes: Record<string, unknown>, ...problems: Expected[]];

const folder = mkdtempSync(join(tmpdir(), "config-damage-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: unknown) => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

function check(stack: Stack, cases: readonly Case[]): void {
  const rows = cases.map(([title, changes, ...expected]) => ({ title, changes, expected }));
  test.each(rows)("$title", async ({ changes, expected }) => {
    const problems = await problemsOf(damaged(stackConfig(stack), changes));
    expect(problems.map(({ path }) => pathText(path))).toEqual(expected.map(([path]) => path));
    for (const [index, [, found, wanted, fix]] of expected.entries()) {
      const problem = problems[index]!;
      if (typeof found === "string") expect(problem.found).toBe(found);
      else expect(problem.found).toMatch(found);
      expect(problem.expected).toContain(wanted);
      expect(problem.fix ?? "").toContain(fix ?? "");
      expect(problem.fix === undefined, `fix: ${problem.fix}`).toBe(fix === undefined);
    }
  });
}

const issuer = (region: string, id: string) => `https://oidc.eks.${region}.amazonaws.com/id/${id}`;
const devId = "0A1B2C3D4E5F60718293A4B5C6D7E8F9";
const usId = "1B2C3D4E5F60718293A4B5C6D7E8F90A";
const none = "an unknown key";
const quoted = (text: string) => JSON.stringify(text);

describe("account ids", () => {
  const digits = "12 digits in quotes";
  check("dev", [
    [
      "number without its leading zero",
      { "clusters[0].accountId": 12345678901 },
      ["clusters[0].accountId", "12345678901", digits, 'was it "012345678901"?'],
    ],
    [
      "12-digit number without quotes",
      { "targetAccounts[1].accountId": 222222222222 },
      ["targetAccounts[1].accountId", "222222222222", digits, 'Put it in quotes: "222222222222".'],
    ],
    [
      "10 digits, as in the legacy readme",
      { "targetAccounts[1].accountId": "2222222222" },
      ["targetAccounts[1].accountId", '"2222222222"', digits, "It has 10 digits."],
    ],
    [
      "in the notation of the AWS console",
      { "targetAccounts[1].accountId": "2222-2222-2222" },
      ["targetAccounts[1].accountId", '"2222-2222-2222"', digits, 'Use "222222222222".'],
    ],
    ["empty", { "targetAccounts[1].accountId": "" }, ["targetAccounts[1].accountId", '""', digits]],
    ["missing", { "targetAccounts[1].accountId": undefined }, ["targetAccounts[1].accountId", "no value", digits]],
    ["letters", { "clusters[0].accountId": "null" }, ["clusters[0].accountId", '"null"', digits]],
    [
      "null",
      { "clusters[0].accountId": null },
      ["clusters[0].accountId", "null", digits, "YAML reads a key without a value as null"],
    ],
    [
      "not a number",
      { "clusters[0].accountId": Number.NaN },
      ["clusters[0].accountId", "NaN", digits, "Put it in quotes"],
    ],
    [
      "duplicate account ID",
      { "targetAccounts[1].accountId": "111111111111" },
      [
        "targetAccounts[1].accountId",
        '"111111111111"',
        "a unique account ID",
        "It duplicates targetAccounts[0].accountId.",
      ],
    ],
    [
      "number in pullAccounts",
      { "image.build.ecr.pullAccounts": ["333333333333", 444] },
      ["image.build.ecr.pullAccounts[1]", "444", digits, 'was it "000000000444"?'],
    ],
  ]);
});

describe("clusters", () => {
  const upper = "32 hexadecimal characters, upper case";
  check("dev", [
    ["empty list", { clusters: [] }, ["clusters", "[]", "at least one cluster"]],
    ["missing list", { clusters: undefined }, ["clusters", "no value", "a list of source clusters"]],
    [
      "object instead of a list",
      { clusters: { name: "x" } },
      ["clusters", '{"name":"x"}', "a list of source clusters"],
    ],
    ["missing name", { "clusters[0].name": undefined }, ["clusters[0].name", "no value", "an EKS cluster name"]],
    [
      "name longer than the EKS limit",
      { "clusters[0].name": "c".repeat(101) },
      ["clusters[0].name", `"${"c".repeat(76)}…`, "at most 100", "It has 101 characters."],
    ],
    ["name with a slash", { "clusters[0].name": "dev/a" }, ["clusters[0].name", '"dev/a"', "letters, digits, - and _"]],
    ["unknown region", { "clusters[0].region": "us-eats-1" }, ["clusters[0].region", '"us-eats-1"', "an AWS region"]],
    [
      "Availability Zone instead of a region",
      { "clusters[0].region": "us-east-1a" },
      ["clusters[0].region", '"us-east-1a"', "an AWS region", "Its region is us-east-1."],
    ],
    [
      "region name instead of a region code",
      { "targetAccounts[0].region": "N. Virginia" },
      ["targetAccounts[0].region", '"N. Virginia"', "an AWS region", "in lower case"],
    ],
    [
      "issuer ID with 33 characters, as in the legacy readme",
      { "clusters[0].oidcIssuerId": "B".repeat(33) },
      ["clusters[0].oidcIssuerId", `"${"B".repeat(33)}"`, upper, "It has 33 characters"],
    ],
    [
      "issuer ID in lower case",
      { "clusters[0].oidcIssuerId": devId.toLowerCase() },
      ["clusters[0].oidcIssuerId", quoted(devId.toLowerCase()), upper, `Use ${devId}.`],
    ],
    [
      "issuer ID that YAML reads as a number",
      { "clusters[0].oidcIssuerId": 1.234567890123457e31 },
      ["clusters[0].oidcIssuerId", "1.234567890123457e+31", upper, "Put it in quotes"],
    ],
    [
      "URL instead of an issuer ID",
      { "clusters[0].oidcIssuerId": issuer("us-east-1", devId) },
      ["clusters[0].oidcIssuerId", quoted(issuer("us-east-1", devId)), upper, "Set a complete URL in oidcIssuerUrl"],
    ],
    [
      "issuer ID and URL that do not match",
      { "clusters[0].oidcIssuerUrl": issuer("us-east-1", usId) },
      [
        "clusters[0].oidcIssuerUrl",
        quoted(issuer("us-east-1", usId)),
        `a URL that ends in ${devId} (oidcIssuerId)`,
        "Set only one of the two keys.",
      ],
    ],
    [
      "issuer URL of a different region",
      { "clusters[0].oidcIssuerUrl": issuer("eu-west-1", devId) },
      [
        "clusters[0].oidcIssuerUrl",
        quoted(issuer("eu-west-1", devId)),
        issuer("us-east-1", ""),
        "Correct the issuer, or the region of the cluster (us-east-1).",
      ],
    ],
    [
      "issuer URL with the wrong DNS suffix",
      {
        "clusters[0].region": "cn-north-1",
        "clusters[0].oidcIssuerId": undefined,
        "clusters[0].oidcIssuerUrl": issuer("cn-north-1", devId),
      },
      [
        "clusters[0].oidcIssuerUrl",
        quoted(issuer("cn-north-1", devId)),
        "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ and the issuer ID",
        "Correct the issuer, or the region of the cluster (cn-north-1).",
      ],
    ],
    [
      "issuer URL whose ID has 33 characters",
      { "clusters[0].oidcIssuerId": undefined, "clusters[0].oidcIssuerUrl": issuer("us-east-1", "B".repeat(33)) },
      [
        "clusters[0].oidcIssuerUrl",
        quoted(issuer("us-east-1", "B".repeat(33))),
        `${issuer("us-east-1", "")} and the issuer ID (last part of the issuer URL): ${upper}`,
        "It has 33 characters",
      ],
    ],
    [
      "issuer URL without https",
      { "clusters[0].oidcIssuerId": undefined, "clusters[0].oidcIssuerUrl": "oidc.example.com/dev" },
      ["clusters[0].oidcIssuerUrl", '"oidc.example.com/dev"', "https://, a public host name in lower case"],
    ],
    [
      "issuer URL with a port",
      { "clusters[0].oidcIssuerId": undefined, "clusters[0].oidcIssuerUrl": "https://oidc.example.com:8443" },
      ["clusters[0].oidcIssuerUrl", '"https://oidc.example.com:8443"', "no port"],
    ],
    [
      "issuer URL with a trailing slash",
      { "clusters[0].oidcIssuerId": undefined, "clusters[0].oidcIssuerUrl": "https://oidc.example.com/" },
      ["clusters[0].oidcIssuerUrl", '"https://oidc.example.com/"', "no trailing slash", "Remove the trailing slash."],
    ],
    [
      "no issuer and no profile",
      { "clusters[0].oidcIssuerId": undefined },
      ["clusters[0].oidcIssuerId", "no value", "oidcIssuerId, oidcIssuerUrl, or profile", "aws eks describe-cluster"],
    ],
    [
      "no access to a cluster that the server is deployed to",
      { "clusters[0].context": undefined },
      ["clusters[0].kubeconfig", "no value", "kubeconfig, context, or, if EKS is the issuer, profile", "deploy: false"],
    ],
    [
      "self-hosted issuer with only an AWS profile",
      {
        "clusters[0].context": undefined,
        "clusters[0].profile": "dev",
        "clusters[0].oidcIssuerId": undefined,
        "clusters[0].oidcIssuerUrl": "https://oidc.example.com/dev",
      },
      [
        "clusters[0].kubeconfig",
        "no value",
        "kubeconfig, context, or, if EKS is the issuer, profile",
        "Set one of these keys",
      ],
    ],
    [
      "kubeconfig as an object, which is not shown",
      { "clusters[0].kubeconfig": { users: [{ user: { token: "hunter2" } }] } },
      [
        "clusters[0].kubeconfig",
        "a value that is not shown",
        "the path of a kubeconfig file, or its content as a string",
      ],
    ],
    [
      "kubeconfig credential in plain text, which is not shown",
      { "clusters[0].kubeconfig": "users:\n- user:\n    token: hunter2\n" },
      [
        "clusters[0].kubeconfig",
        "a credential in plain text",
        "a Pulumi secret",
        "Run: pulumi config set --path --secret 'holmes-aws-mcp:clusters[0].kubeconfig' < FILE",
      ],
    ],
    ["multi-line context", { "clusters[0].context": "a\nb" }, ["clusters[0].context", '"a\\nb"', "single-line"]],
    [
      "boolean in quotes",
      { "clusters[0].deploy": "true" },
      ["clusters[0].deploy", '"true"', "true or false", "without quotes"],
    ],
    ["role number 0", { "clusters[0].roleNumber": 0 }, ["clusters[0].roleNumber", "0", "from 1 to 20"]],
    [
      "current issuer in previousIssuers",
      { "clusters[0].previousIssuers": [issuer("us-east-1", devId)] },
      [
        "clusters[0].previousIssuers[0]",
        quoted(issuer("us-east-1", devId)),
        "a unique issuer",
        "It duplicates clusters[0].oidcIssuerId.",
      ],
    ],
    [
      "profile of a different account",
      { "clusters[0].profile": "sandbox" },
      [
        "clusters[0].profile",
        '"sandbox"',
        "a profile of account 111111111111",
        "targetAccounts[1] uses it for account 222222222222.",
      ],
    ],
    [
      "more issuers than the IAM quota of OIDC providers",
      {
        clusters: Array.from({ length: 101 }, (_, index) => ({
          name: `c${index}`,
          region: "us-east-1",
          accountId: "111111111111",
          oidcIssuerId: index.toString(16).toUpperCase().padStart(32, "0"),
          context: "c",
        })),
      },
      ["clusters", "101 issuers", "at most 100, the IAM quota of OIDC providers", "Split the clusters across stacks"],
    ],
  ]);
  check("prod", [
    [
      "duplicate name in a different case",
      { "clusters[1].name": "PROD-US" },
      ["clusters[1].name", '"PROD-US"', "a unique cluster name", "It duplicates clusters[0].name."],
    ],
    [
      "duplicate issuer, by ID and by URL",
      { "clusters[1].region": "us-east-1", "clusters[1].oidcIssuerUrl": issuer("us-east-1", usId) },
      [
        "clusters[1].oidcIssuerUrl",
        quoted(issuer("us-east-1", usId)),
        "a unique issuer",
        "It duplicates clusters[0].oidcIssuerId.",
      ],
    ],
    [
      "cluster pinned to a role that is full",
      { "iam.trustPolicyLimit": 512, "clusters[0].roleNumber": 1, "clusters[1].roleNumber": 1 },
      [
        "clusters[1].roleNumber",
        "942 characters of trust policy for cluster prod-eu",
        "at most 512",
        "pin the clusters to different roles",
      ],
    ],
    [
      "cluster pinned to a role that is full in some accounts",
      {
        "iam.trustPolicyLimit": 512,
        "clusters[0].roleNumber": 1,
        "clusters[1].roleNumber": 1,
        "targetAccounts[0].clusters": ["prod-us"],
      },
      [
        "clusters[1].roleNumber",
        "942 characters of trust policy for cluster prod-eu",
        "at most 512",
        "pin the clusters to different roles",
      ],
    ],
  ]);
});

describe("names in the clusters", () => {
  check("dev", [
    [
      "namespace in upper case",
      { "kubernetes.namespace": "Holmes_AWS" },
      ["kubernetes.namespace", '"Holmes_AWS"', "an RFC 1123 label", 'Use "holmes-aws".'],
    ],
    [
      "namespace longer than the Kubernetes limit",
      { "kubernetes.namespace": "n".repeat(64) },
      ["kubernetes.namespace", quoted("n".repeat(64)), "at most 63", "It has 64 characters."],
    ],
    [
      "createNamespace with the namespace default",
      { "kubernetes.namespace": "default" },
      ["kubernetes.createNamespace", "true", "false, because the namespace default exists", "a dedicated namespace"],
    ],
    [
      "createNamespace with the namespace of Holmes",
      { "kubernetes.namespace": "robusta", "holmes.namespace": "robusta", "kubernetes.createNamespace": true },
      ["kubernetes.createNamespace", "true", "false, because the namespace robusta exists", "Pod Security restricted"],
    ],
    [
      "service account longer than the Kubernetes limit",
      { "kubernetes.serviceAccount": "s".repeat(254) },
      ["kubernetes.serviceAccount", `"${"s".repeat(76)}…`, "at most 253", "It has 254 characters."],
    ],
    [
      "default service account",
      { "kubernetes.serviceAccount": "default" },
      ["kubernetes.serviceAccount", '"default"', "a dedicated service account", "would trust every pod"],
    ],
    [
      "subject with a wildcard",
      { "kubernetes.additionalSubjects": ["robusta:*"] },
      ["kubernetes.additionalSubjects[0]", '"robusta:*"', "without wildcards"],
    ],
    [
      "subject that is already trusted",
      { "kubernetes.additionalSubjects": ["holmes-aws-mcp:aws-api-mcp-sa"] },
      [
        "kubernetes.additionalSubjects[0]",
        '"holmes-aws-mcp:aws-api-mcp-sa"',
        "a service account that is not already trusted",
        "The program already sets it.",
      ],
    ],
    [
      "Service name longer than the limit of the Job name",
      { "mcp.serviceName": "s".repeat(40) },
      ["mcp.serviceName", quoted("s".repeat(40)), "at most 39", "It has 40 characters."],
    ],
    [
      "Service name whose service links make the server fail",
      { "mcp.serviceName": "aws-api-mcp" },
      ["mcp.serviceName", '"aws-api-mcp"', "a different name, because Kubernetes sets AWS_API_MCP_PORT=tcp://"],
    ],
  ]);
});

describe("IAM", () => {
  const seconds = "a whole number of seconds from 3600 to 43200";
  check("prod", [
    ["session duration below the minimum", { "iam.sessionDuration": 3599 }, ["iam.sessionDuration", "3599", seconds]],
    ["session duration above the maximum", { "iam.sessionDuration": 43201 }, ["iam.sessionDuration", "43201", seconds]],
    ["infinite session duration", { "iam.sessionDuration": Infinity }, ["iam.sessionDuration", "Infinity", seconds]],
    ["fractional session duration", { "iam.sessionDuration": 3600.5 }, ["iam.sessionDuration", "3600.5", seconds]],
    [
      "session duration in quotes",
      { "iam.sessionDuration": "3600" },
      ["iam.sessionDuration", '"3600"', seconds, "Remove the quotes."],
    ],
    [
      "role name longer than the IAM limit",
      { "iam.roleName": "r".repeat(61) },
      [
        "iam.roleName",
        quoted("r".repeat(61)),
        "at most 60 characters (64 less the suffix of additional roles)",
        "61 characters",
      ],
    ],
    ["role name with a slash", { "iam.roleName": "a/b" }, ["iam.roleName", '"a/b"', "an IAM role name"]],
    [
      "policy name longer than the IAM limit",
      { "iam.policyName": "p".repeat(126) },
      ["iam.policyName", `"${"p".repeat(76)}…`, "at most 125", "It has 126 characters."],
    ],
    [
      "path without slashes",
      { "iam.path": "holmes" },
      ["iam.path", '"holmes"', "starts and ends with /", "Use /holmes/."],
    ],
    ["path with an empty part", { "iam.path": "/a//b/" }, ["iam.path", '"/a//b/"', "no empty parts"]],
    [
      "trust policy limit above the maximum quota",
      { "iam.trustPolicyLimit": 5000 },
      ["iam.trustPolicyLimit", "5000", "from 256 to 4096"],
    ],
    [
      "trust policy limit that is too small for one cluster",
      { "iam.trustPolicyLimit": 256 },
      [
        "iam.trustPolicyLimit",
        "490 characters of trust policy for cluster prod-us",
        "at most 256",
        "request a higher quota from AWS",
      ],
    ],
    [
      "reserved tag key",
      { "iam.tags.aws:team": "x" },
      ['iam.tags["aws:team"]', 'the key "aws:team"', "not starting with aws:"],
    ],
    [
      "number as a tag value",
      { "iam.tags.cost": 42 },
      ["iam.tags.cost", "42", "a tag value", 'Put it in quotes: "42".'],
    ],
    [
      "tag value longer than the IAM limit",
      { "iam.tags.team": "t".repeat(257) },
      ["iam.tags.team", `"${"t".repeat(76)}…`, "at most 256", "It has 257 characters."],
    ],
    [
      "tag keys that differ only in case",
      { "iam.tags.Team": "x" },
      ["iam.tags.Team", '"Team"', "unique regardless of case", "It duplicates iam.tags.team."],
    ],
    [
      "too many tags",
      { "iam.tags": Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`tag${index}`, "x"])) },
      ["iam.tags", "51 tags", "at most 49"],
    ],
    [
      "permissions boundary ARN of a different account",
      {
        "iam.permissionsBoundary": "arn:aws:iam::333333333333:policy/Boundary",
        targetAccounts: stackConfig("dev").targetAccounts,
        defaultProfile: "dev",
      },
      [
        "iam.permissionsBoundary",
        '"arn:aws:iam::333333333333:policy/Boundary"',
        "a policy of AWS or of account 111111111111 in partition aws",
        "Set the policy name instead of the ARN",
      ],
      [
        "iam.permissionsBoundary",
        '"arn:aws:iam::333333333333:policy/Boundary"',
        "a policy of AWS or of account 222222222222 in partition aws",
        "Set the policy name instead of the ARN",
      ],
    ],
    [
      "permissions boundary with a leading slash",
      { "iam.permissionsBoundary": "/holmes/Boundary" },
      ["iam.permissionsBoundary", '"/holmes/Boundary"', "without a leading /"],
    ],
    [
      "unknown service group",
      { "iam.disabledPolicyGroups": ["computes"] },
      [
        "iam.disabledPolicyGroups[0]",
        '"computes"',
        "a service group of the default policy (docs/permissions.md)",
        "Did you mean compute?",
      ],
    ],
    [
      "action without a service prefix",
      { "iam.additionalActions": ["GetJob"] },
      ["iam.additionalActions[0]", '"GetJob"', "an IAM action or pattern"],
    ],
    [
      "write action",
      { "iam.additionalActions": ["ec2:TerminateInstances"] },
      [
        "iam.additionalActions",
        '"ec2:TerminateInstances" allows 1 action that does more than read: ec2:TerminateInstances',
        "existing read-only AWS actions",
        "narrower pattern",
      ],
    ],
    [
      "unknown action",
      { "iam.additionalActions": ["efs:DescribeFileSystems"] },
      [
        "iam.additionalActions",
        /^"efs:DescribeFileSystems" matches no AWS action/,
        "existing read-only AWS actions",
        "Correct the service prefix",
      ],
    ],
    [
      "exception for an action that is not denied",
      { "iam.sensitiveReadsExcept": ["ec2:RunInstances"] },
      [
        "iam.sensitiveReadsExcept[0]",
        '"ec2:RunInstances"',
        "a pattern that iam.sensitiveReads denies (docs/permissions.md)",
      ],
    ],
    [
      "exception that no policy allows",
      { "iam.sensitiveReadsExcept": ["lambda:GetFunction", "secretsmanager:*GetSecretValue"] },
      [
        "iam.sensitiveReadsExcept[1]",
        '"secretsmanager:*GetSecretValue" has no effect, because no permission policy of this stack allows it',
        "an action that the permission policies allow",
        "Allow it in iam.additionalActions or in the policy file too, or remove it here.",
      ],
    ],
    [
      "duplicate region",
      { "iam.allowedRegions": ["us-east-1", "us-east-1"] },
      ["iam.allowedRegions[1]", '"us-east-1"', "no duplicate entries"],
    ],
    [
      "unknown value of sensitiveReads",
      { "iam.sensitiveReads": "no" },
      ["iam.sensitiveReads", '"no"', "one of deny, allow"],
    ],
  ]);
});

describe("policy files", () => {
  const good = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "ec2:DescribeInstances", Resource: "*" }],
  };
  const trust = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: "*", Action: "sts:AssumeRole", Resource: "*" }],
  };
  const missing = join(folder, "missing.json");
  const broken = file("broken.json", "{");
  const nothing = file("null.json", "null");
  const wrong = file("trust.json", trust);
  check("dev", [
    [
      "missing file",
      { "iam.policyFile": missing },
      ["iam.policyFile", quoted(missing), "a JSON file with an IAM policy", "ENOENT"],
    ],
    [
      "policy file of an account with invalid JSON",
      { "targetAccounts[1].policyFile": broken },
      ["targetAccounts[1].policyFile", quoted(broken), "a JSON file with an IAM policy", "JSON"],
    ],
    [
      "file that contains null",
      { "iam.policyFile": nothing },
      [
        "iam.policyFile",
        `${nothing}: the document is null, expected a JSON object`,
        "a permission policy",
        "IAM rejects it",
      ],
    ],
    [
      "trust policy, with policyChecks: warn",
      { "iam.policyFile": wrong, "iam.policyChecks": "warn" },
      [
        "iam.policyFile",
        `${wrong}: Statement[0].Principal is "*", expected no value: only trust and resource policies have one`,
        "a permission policy",
        "IAM rejects it",
      ],
    ],
    [
      "policy file with keys of the default policy",
      { "iam.policyFile": file("good.json", good), "iam.disabledPolicyGroups": ["cost"] },
      ["iam.disabledPolicyGroups", '["cost"]', "no value, because iam.policyFile replaces the default policy"],
    ],
  ]);
});

describe("target accounts", () => {
  check("prod", [
    [
      "empty list",
      { targetAccounts: [], defaultProfile: undefined },
      ["targetAccounts", "[]", "at least one account, here or in organization.accountsFile"],
    ],
    [
      "duplicate profile in a different case",
      { "targetAccounts[1].profile": "Prod" },
      ["targetAccounts[1].profile", '"Prod"', "a unique profile", "It duplicates targetAccounts[0].profile."],
    ],
    [
      "profile with a space",
      { "targetAccounts[1].profile": "my profile" },
      ["targetAccounts[1].profile", '"my profile"', "an AWS profile name"],
    ],
    [
      "profile that YAML reads as a number",
      { "targetAccounts[1].profile": 42 },
      ["targetAccounts[1].profile", "42", "an AWS profile name", 'Put it in quotes: "42".'],
    ],
    [
      "description with a typographic dash",
      { "targetAccounts[1].description": "Data – lake" },
      ["targetAccounts[1].description", '"Data – lake"', "Latin-1", 'It contains "–".'],
    ],
    [
      "description longer than the IAM limit",
      { "targetAccounts[1].description": "d".repeat(1001) },
      ["targetAccounts[1].description", `"${"d".repeat(76)}…`, "at most 1000", "It has 1001 characters."],
    ],
    [
      "existing provider of an unknown cluster",
      { "targetAccounts[0].existingOidcProviders": ["prod-uk"] },
      [
        "targetAccounts[0].existingOidcProviders[0]",
        '"prod-uk"',
        "a name in clusters: one of prod-us, prod-eu",
        "Did you mean prod-us?",
      ],
    ],
    [
      "duplicate existing provider",
      { "targetAccounts[0].existingOidcProviders": ["prod-us", "prod-us"] },
      ["targetAccounts[0].existingOidcProviders[1]", '"prod-us"', "no duplicate entries"],
    ],
    [
      "string instead of a list of existing providers",
      { "targetAccounts[0].existingOidcProviders": "prod-us" },
      ["targetAccounts[0].existingOidcProviders", '"prod-us"', "a list of cluster names", "Use a list"],
    ],
    [
      "provider that is both existing and adopted",
      { "targetAccounts[0].adopt": { oidcProviders: ["prod-us"] } },
      [
        "targetAccounts[0].adopt.oidcProviders[0]",
        '"prod-us"',
        "a cluster that is not in existingOidcProviders",
        "imported or used as an existing provider",
      ],
    ],
    [
      "adopt with an unknown key",
      { "targetAccounts[1].adopt": { roles: true } },
      ["targetAccounts[1].adopt.roles", none, "role"],
    ],
    [
      "adopt with an unknown value",
      { "targetAccounts[1].adopt": "all" },
      ["targetAccounts[1].adopt", '"all"', "true, false or an object with oidcProviders, role, policy"],
    ],
    [
      "adopt with a value that is not a boolean, and a name without quotes",
      { "targetAccounts[1].adopt": { role: "yes", polici: true, oidcProviders: [1] } },
      ["targetAccounts[1].adopt.oidcProviders[0]", "1", "an EKS cluster name", 'Put it in quotes: "1".'],
      ["targetAccounts[1].adopt.role", '"yes"', "true or false", "without quotes"],
      ["targetAccounts[1].adopt.polici", none, "policy"],
    ],
    [
      "adopt.oidcProviders that is neither a boolean nor a list",
      { "targetAccounts[1].adopt": { oidcProviders: "prod-us" } },
      ["targetAccounts[1].adopt.oidcProviders", '"prod-us"', "true, false or a list of cluster names"],
    ],
    [
      "adopted provider of an unknown cluster",
      { "targetAccounts[1].adopt": { oidcProviders: ["prod"] } },
      [
        "targetAccounts[1].adopt.oidcProviders[0]",
        '"prod"',
        "a name in clusters: one of prod-us, prod-eu",
        "Did you mean",
      ],
    ],
    [
      "unmanaged account with keys of managed accounts",
      { "targetAccounts[3].manage": false, "targetAccounts[3].adopt": true },
      ["targetAccounts[3].adopt", "true", "no value, because manage is false", "Remove the key"],
      ["targetAccounts[3].assumeRole", /Provisioner/, "no value, because manage is false", "Remove the key"],
    ],
    [
      "provisioning role of a different account",
      { "targetAccounts[3].assumeRole.roleArn": "arn:aws:iam::999999999999:role/Provisioner" },
      [
        "targetAccounts[3].assumeRole.roleArn",
        '"arn:aws:iam::999999999999:role/Provisioner"',
        "a role of account 666666666666 in partition aws",
      ],
    ],
    [
      "provisioning role of a different partition",
      { "targetAccounts[3].assumeRole.roleArn": "arn:aws-cn:iam::666666666666:role/Provisioner" },
      [
        "targetAccounts[3].assumeRole.roleArn",
        '"arn:aws-cn:iam::666666666666:role/Provisioner"',
        "a role of account 666666666666 in partition aws",
      ],
    ],
    [
      "assumeRole without roleArn",
      { "targetAccounts[3].assumeRole.roleArn": undefined },
      ["targetAccounts[3].assumeRole.roleArn", "no value", "a role ARN"],
    ],
    [
      "external ID with one character",
      { "targetAccounts[3].assumeRole.externalId": "x" },
      ["targetAccounts[3].assumeRole.externalId", '"x"', "2 to 1224"],
    ],
    [
      "unknown default profile",
      { defaultProfile: "prd" },
      [
        "defaultProfile",
        '"prd"',
        "a profile in targetAccounts or organization.accountsFile: one of prod, data",
        "Did you mean prod?",
      ],
    ],
    [
      "unknown skipped profile",
      { "verify.skipProfiles": ["nosuch"] },
      [
        "verify.skipProfiles[0]",
        '"nosuch"',
        "a profile in targetAccounts or organization.accountsFile: one of prod, data, network, billing",
      ],
    ],
  ]);
});

describe("image", () => {
  const digest = `@sha256:${"0".repeat(64)}`;
  const readme = "us-central1-docker.pkg.dev/genuine-flight-317411/devel/aws-api-mcp-server:1.0.1";
  check("dev", [
    ["missing image", { image: undefined }, ["image", "neither prebuilt nor build", "prebuilt (a reference) or build"]],
    ["empty image", { image: {} }, ["image", "neither prebuilt nor build", "prebuilt (a reference) or build"]],
    [
      "both prebuilt and build",
      { "image.prebuilt": `registry.example.com/a${digest}` },
      ["image", "both prebuilt and build", "one of them", "Remove the other."],
    ],
    [
      "image reference with a short digest",
      { image: { prebuilt: "registry.example.com/a@sha256:0123" } },
      ["image.prebuilt", '"registry.example.com/a@sha256:0123"', "an image reference", "Its digest has 4 characters."],
    ],
    [
      "image reference as a URL",
      { image: { prebuilt: "https://registry.example.com/a:1" } },
      ["image.prebuilt", '"https://registry.example.com/a:1"', "an image reference", "Remove https://."],
    ],
    [
      "signature of an image without a digest",
      { image: { prebuilt: "registry.example.com/a:1", verify: { repository: "example/a" } } },
      ["image.verify", "verify without a digest in image.prebuilt", "image.prebuilt with a digest"],
    ],
    [
      "signature with both repository and key",
      { image: { prebuilt: `registry.example.com/a${digest}`, verify: { repository: "example/a", key: "a.pub" } } },
      ["image.verify", '{"enabled":true,"repository":"example/a","key":"a.pub"}', "either repository or key"],
    ],
    [
      "signature with the URL of a repository",
      { image: { prebuilt: `registry.example.com/a${digest}`, verify: { repository: "https://github.com/a/b" } } },
      ["image.verify.repository", '"https://github.com/a/b"', "a GitHub repository"],
    ],
    [
      "streamable-http with the legacy image",
      { image: { prebuilt: readme }, "mcp.transport": "streamable-http" },
      ["mcp.transport", '"streamable-http"', "sse, because the legacy image", "Build the image"],
    ],
    [
      "streamable-http with a copy of the legacy image",
      {
        image: { prebuilt: `111111111111.dkr.ecr.us-east-1.amazonaws.com/aws-api-mcp-server:1.0.1${digest}` },
        "mcp.transport": "streamable-http",
      },
      ["mcp.transport", '"streamable-http"', "does not support streamable HTTP", "Build the image"],
    ],
    [
      "repository with a tag",
      { image: { build: { repository: "ghcr.io/a/b:1" } } },
      ["image.build.repository", '"ghcr.io/a/b:1"', "without a tag", "Set the tag in image.build.tag."],
    ],
    [
      "repository without a registry host",
      { image: { build: { repository: "team/server" } } },
      ["image.build.repository", '"team/server"', "starts with a registry host", "docker.io/…"],
    ],
    [
      "ECR repository with a registry host",
      { "image.build.repository": "111111111111.dkr.ecr.us-east-1.amazonaws.com/a" },
      [
        "image.build.repository",
        '"111111111111.dkr.ecr.us-east-1.amazonaws.com/a"',
        "an ECR repository name without the registry",
      ],
    ],
    [
      "missing repository",
      { "image.build.repository": undefined },
      ["image.build.repository", "no value", "without a tag"],
    ],
    [
      "unknown platform",
      { "image.build.platform": "amd64" },
      ["image.build.platform", '"amd64"', "one of linux/amd64, linux/arm64"],
    ],
    ["tag with a space", { "image.build.tag": "1 0" }, ["image.build.tag", '"1 0"', "an image tag"]],
    [
      "tag that YAML reads as a number",
      { "image.build.tag": 1.2 },
      ["image.build.tag", "1.2", "an image tag", 'Put it in quotes: "1.2".'],
    ],
    [
      "unknown ECR profile",
      { "image.build.ecr.profile": "prod" },
      [
        "image.build.ecr.profile",
        '"prod"',
        "a profile in clusters or in targetAccounts (where manage is true): one of dev, sandbox",
      ],
    ],
    [
      "registry password in plain text, which is not shown",
      { image: { build: { repository: "ghcr.io/a/b", registry: { username: "u", password: "hunter2" } } } },
      [
        "image.build.registry.password",
        "plain text",
        "a Pulumi secret",
        "Run: pulumi config set --path --secret 'holmes-aws-mcp:image.build.registry.password'",
      ],
    ],
    [
      "registry as a string, which is not shown",
      { image: { build: { repository: "ghcr.io/a/b", registry: "u:hunter2" } } },
      ["image.build.registry", "a value that is not shown", "an object with server, username, password"],
    ],
  ]);
});

describe("workload", () => {
  const sse = "1 with transport sse, because each session exists in a single process";
  check("dev", [
    [
      "several replicas with the default transport",
      { "mcp.replicas": 2 },
      ["mcp.replicas", "2", sse, "streamable-http"],
    ],
    [
      "several replicas with transport sse",
      { "mcp.replicas": 3, "mcp.transport": "sse" },
      ["mcp.replicas", "3", sse, "streamable-http"],
    ],
    ["zero replicas", { "mcp.replicas": 0 }, ["mcp.replicas", "0", "a whole number from 1 to 20"]],
    ["replicas in quotes", { "mcp.replicas": "1" }, ["mcp.replicas", '"1"', "from 1 to 20", "Remove the quotes."]],
    ["unknown transport", { "mcp.transport": "http" }, ["mcp.transport", '"http"', "one of sse, streamable-http"]],
    [
      "memory unit that Kubernetes does not support",
      { "mcp.resources.limits.memory": "768MB" },
      ["mcp.resources.limits.memory", '"768MB"', "an amount of memory", "Use a Kubernetes unit, such as 768Mi."],
    ],
    [
      "memory limit in MiB",
      { "mcp.resources.limits.memory": "768 mib" },
      ["mcp.resources.limits.memory", '"768 mib"', "an amount of memory", "Use a Kubernetes unit, such as 768Mi."],
    ],
    [
      "memory limit 0",
      { "mcp.resources.limits.memory": "0" },
      ["mcp.resources.limits.memory", '"0"', "an amount of memory"],
    ],
    [
      "CPU as a number without quotes",
      { "mcp.resources.limits.cpu": 1 },
      ["mcp.resources.limits.cpu", "1", "an amount of CPU", 'quotes: "1"'],
    ],
    [
      "limit below the request",
      { "mcp.resources.requests.memory": "1Gi" },
      ["mcp.resources.limits.memory", '"768Mi"', "at least requests.memory, 1Gi"],
    ],
    [
      "reserved variable: default profile",
      { "mcp.env": { AWS_PROFILE: "dev" } },
      ["mcp.env.AWS_PROFILE", "a reserved variable", "does not reserve", "It overrides the profile of every account"],
    ],
    [
      "reserved variable: read-only mode",
      { "mcp.env": { READ_OPERATIONS_ONLY: "false" } },
      ["mcp.env.READ_OPERATIONS_ONLY", "a reserved variable", "does not reserve", "protections"],
    ],
    [
      "reserved variable: credentials, which are not shown",
      { "mcp.env": { AWS_SECRET_ACCESS_KEY: "hunter2" } },
      [
        "mcp.env.AWS_SECRET_ACCESS_KEY",
        "a reserved variable",
        "does not reserve",
        "Credentials come from the profiles only.",
      ],
    ],
    [
      "reserved variable: endpoint of suggest_aws_commands",
      { "mcp.env": { ENDPOINT_SUGGEST_AWS_COMMANDS: "https://example.com" } },
      ["mcp.env.ENDPOINT_SUGGEST_AWS_COMMANDS", "a reserved variable", "does not reserve", "mcp.suggestCommands"],
    ],
    [
      "environment variable name with a dash",
      { "mcp.env": { "HTTPS-PROXY": "x" } },
      ["mcp.env.HTTPS-PROXY", 'the key "HTTPS-PROXY"', "an environment variable name"],
    ],
    [
      "boolean as an environment variable",
      { "mcp.env": { DEBUG: true } },
      ["mcp.env.DEBUG", "true", "a string", 'Put it in quotes: "true".'],
    ],
    [
      "reserved label",
      { "mcp.podLabels": { app: "other" } },
      ["mcp.podLabels.app", "a reserved key", "a key that the program does not set"],
    ],
    [
      "reserved annotation",
      { "mcp.podAnnotations": { "eks.amazonaws.com/skip-containers": "" } },
      [
        'mcp.podAnnotations["eks.amazonaws.com/skip-containers"]',
        "a reserved key",
        "a key that the program does not set",
      ],
    ],
    [
      "node architecture that differs from the image",
      { "mcp.nodeSelector": { "kubernetes.io/arch": "arm64" } },
      ['mcp.nodeSelector["kubernetes.io/arch"]', '"arm64"', "the architecture of image.build.platform, linux/amd64"],
    ],
    [
      "label key with a long prefix and an invalid name, whose length is valid",
      { "mcp.tolerations": [{ key: `${"a.".repeat(40)}example.com/bad name`, operator: "Exists" }] },
      ["mcp.tolerations[0].key", /^"a\.a/, "a label key"],
    ],
    [
      "toleration with an unknown operator",
      { "mcp.tolerations": [{ key: "a", operator: "Equals" }] },
      ["mcp.tolerations[0].operator", '"Equals"', "one of Exists, Equal", "Did you mean Equal?"],
    ],
    [
      "reserved volume name",
      { "mcp.extraVolumes": [{ name: "tmp", emptyDir: {} }] },
      ["mcp.extraVolumes[0].name", '"tmp"', "a unique volume name", "The program already sets it."],
    ],
    [
      "volume without a source",
      { "mcp.extraVolumes": [{ name: "ca" }] },
      ["mcp.extraVolumes[0]", '{"name":"ca"}', "a name and exactly one source"],
    ],
    [
      "mount of an unknown volume",
      { "mcp.extraVolumeMounts": [{ name: "ca", mountPath: "/etc/ca" }] },
      ["mcp.extraVolumeMounts[0].name", '"ca"', "a volume in mcp.extraVolumes: none exist"],
    ],
    [
      "reserved mount path",
      {
        "mcp.extraVolumes": [{ name: "ca", configMap: { name: "ca" } }],
        "mcp.extraVolumeMounts": [{ name: "ca", mountPath: "/home/mcp/.aws" }],
      },
      ["mcp.extraVolumeMounts[0].mountPath", '"/home/mcp/.aws"', "a path that the program or the system does not use"],
    ],
    [
      "mount over the directory of certificates",
      {
        "mcp.extraVolumes": [{ name: "ca", configMap: { name: "ca" } }],
        "mcp.extraVolumeMounts": [{ name: "ca", mountPath: "/etc/ssl/certs" }],
      },
      ["mcp.extraVolumeMounts[0].mountPath", '"/etc/ssl/certs"', "a path that the program or the system does not use"],
    ],
    [
      "peer that excludes its whole block",
      { "mcp.networkPolicy.additionalPeers": [{ ipBlock: { cidr: "10.0.0.0/16", except: ["10.0.0.0/16"] } }] },
      ["mcp.networkPolicy.additionalPeers[0].ipBlock.except[0]", '"10.0.0.0/16"', "a smaller block inside 10.0.0.0/16"],
    ],
    [
      "denied command with options",
      { "mcp.denyList": ["aws ec2 describe-instances --region us-east-1"] },
      [
        "mcp.denyList[0]",
        quoted("aws ec2 describe-instances --region us-east-1"),
        "a service and an operation without options",
      ],
    ],
    [
      "denied operation that does not exist in the AWS CLI",
      { "mcp.denyList": ["aws ec2 describe-instancez"] },
      [
        "mcp.denyList[0]",
        quoted("aws ec2 describe-instancez"),
        "a service and an operation of the AWS CLI",
        "Did you mean aws ec2 describe-instances?",
      ],
    ],
    [
      "denied service that does not exist in the AWS CLI",
      { "mcp.denyList": ["aws cloudwach list-metrics"] },
      [
        "mcp.denyList[0]",
        quoted("aws cloudwach list-metrics"),
        "a service and an operation of the AWS CLI",
        "Did you mean aws cloudwatch list-metrics?",
      ],
    ],
    [
      "egress port out of range",
      { "mcp.networkPolicy.egressPorts": [443, 70000] },
      ["mcp.networkPolicy.egressPorts[1]", "70000", "from 1 to 65535"],
    ],
    [
      "empty peer",
      { "mcp.networkPolicy.additionalPeers": [{}] },
      [
        "mcp.networkPolicy.additionalPeers[0]",
        "{}",
        "either podSelector and namespaceSelector (one or both) or ipBlock",
      ],
    ],
    [
      "CIDR block without a prefix length",
      { "mcp.networkPolicy.additionalPeers": [{ ipBlock: { cidr: "10.0.0.1" } }] },
      [
        "mcp.networkPolicy.additionalPeers[0].ipBlock.cidr",
        '"10.0.0.1"',
        "a CIDR block",
        "For a single address, use 10.0.0.1/32.",
      ],
    ],
    [
      "CIDR block with an invalid octet",
      { "mcp.networkPolicy.additionalPeers": [{ ipBlock: { cidr: "10.0.0.256/32" } }] },
      ["mcp.networkPolicy.additionalPeers[0].ipBlock.cidr", '"10.0.0.256/32"', "a CIDR block"],
    ],
    [
      "egress rule without peers",
      { "mcp.networkPolicy.additionalEgress": [{ ports: [{ port: 22 }] }] },
      ["mcp.networkPolicy.additionalEgress[0].to", "no value", "a list of NetworkPolicyPeers"],
    ],
    [
      "no Holmes labels",
      { "holmes.podLabels": {} },
      [
        "holmes.podLabels",
        "{}",
        "at least one label. Without labels, every pod in the namespace could call the server",
      ],
    ],
    [
      "hosted server with mcp.enabled",
      { "holmes.hosted": true },
      ["holmes.hosted", "true", "mcp.enabled: false, because"],
    ],
    [
      "verification timeout below the minimum",
      { "verify.timeoutSeconds": 1 },
      ["verify.timeoutSeconds", "1", "a whole number of seconds from 60 to 1800"],
    ],
  ]);
});

describe("unknown keys, with the most similar known key", () => {
  const convert = "npm run convert -- FILE --stack NAME";
  check("dev", [
    ["misspelled key", { "clusters[0].contxt": "dev" }, ["clusters[0].contxt", none, "context"]],
    ["misspelled top-level key", { defaultProfil: "dev" }, ["defaultProfil", none, "defaultProfile"]],
    [
      "key without a similar known key",
      { "kubernetes.zone": "x" },
      ["kubernetes.zone", none, "one of namespace, createNamespace, serviceAccount"],
    ],
    ["key in the wrong section", { "image.ecr": {} }, ["image.ecr", none, "one of prebuilt, build"]],
    [
      "account_id of the legacy config file",
      { "clusters[0].account_id": "1" },
      ["clusters[0].account_id", none, "accountId", convert],
    ],
    [
      "oidc_issuer_id of the legacy config file",
      { "clusters[0].oidc_issuer_id": "1" },
      ["clusters[0].oidc_issuer_id", none, "oidcIssuerId", convert],
    ],
    [
      "service_account of the legacy config file",
      { "kubernetes.service_account": "x" },
      ["kubernetes.service_account", none, "serviceAccount", convert],
    ],
    [
      "session_duration of the legacy config file",
      { "iam.session_duration": 3600 },
      ["iam.session_duration", none, "sessionDuration", convert],
    ],
    [
      "target_accounts of the legacy config file",
      { target_accounts: [] },
      ["target_accounts", none, "targetAccounts", convert],
    ],
    [
      "nested key",
      { "mcp.networkPolicy.port": 1 },
      ["mcp.networkPolicy.port", none, "one of enabled, additionalPeers"],
    ],
    ["__proto__", { 'iam["__proto__"]': { roleName: "x" } }, ["iam.__proto__", none, "a different name"]],
    ["__proto__ in a map", { "mcp.env.__proto__": "x" }, ["mcp.env.__proto__", none, "a different name"]],
    ["constructor", { "iam.constructor": "x" }, ["iam.constructor", none, "a different name"]],
    ["toString as a top-level key", { toString: "x" }, ["toString", none, "a different name"]],
    ["empty key", { 'iam[""]': 1 }, ['iam[""]', none, "one of roleName, policyName"]],
    [
      "key with the namespace",
      { '["holmes-aws-mcp:mcpp"]': {} },
      ['["holmes-aws-mcp:mcpp"]', none, "holmes-aws-mcp:mcp"],
    ],
    [
      "key with a namespace and without a similar known key",
      { '["holmes:settings"]': {} },
      ['["holmes:settings"]', none, "one of holmes-aws-mcp:clusters, holmes-aws-mcp:kubernetes"],
    ],
  ]);
});

describe("sections of the wrong type", () => {
  check("dev", [
    ["null", { iam: null }, ["iam", "null", "an object with roleName", "YAML reads a key without a value as null"]],
    ["list", { mcp: [] }, ["mcp", "[]", "an object with enabled, transport"]],
    ["string", { holmes: "robusta" }, ["holmes", '"robusta"', "an object with namespace, podLabels"]],
    ["number", { verify: 5 }, ["verify", "5", "an object with enabled"]],
    [
      "null in a list",
      { "targetAccounts[2]": null },
      [
        "targetAccounts[2]",
        "null",
        "an object with profile, previousProfile, accountId",
        "YAML reads a key without a value as null",
      ],
    ],
    ["list instead of a string", { "iam.roleName": ["x"] }, ["iam.roleName", '["x"]', "an IAM role name"]],
  ]);
});

describe("organization", () => {
  const organization = {
    profile: "management",
    accountId: "999999999999",
    region: "us-east-1",
    organizationalUnits: ["ou-abcd-11112222"],
  };
  const accounts = (content: unknown) => file(`accounts-${Math.random()}.yaml`, content);
  const row = { profile: "one", accountId: "444444444444" };
  const missing = join(folder, "accounts.yaml");
  const empty = accounts([]);
  const circular = accounts("&all\n- *all\n");
  const documents = accounts("[]\n---\n[]\n");
  const short = accounts([
    { ...row, accountId: 4 },
    { ...row, profil: "x" },
  ]);
  const twice = accounts([row, { profile: "ONE", accountId: "111111111111" }]);
  const fine = accounts([row]);
  const builtIn = file(
    "built-in.json",
    `[{ "profile": "one", "accountId": "444444444444", "__proto__": {}, "toString": "" }]`,
  );
  check("dev", [
    [
      "invalid organizational unit",
      { organization: { ...organization, organizationalUnits: ["ou-1"] } },
      ["organization.organizationalUnits[0]", '"ou-1"', "an organizational unit ID or root ID"],
    ],
    [
      "no organizational units",
      { organization: { ...organization, organizationalUnits: [] } },
      ["organization.organizationalUnits", "[]", "at least one organizational unit"],
    ],
    [
      "profile of a different account",
      { organization: { ...organization, profile: "dev" } },
      [
        "organization.profile",
        '"dev"',
        "a profile of account 999999999999",
        "targetAccounts[0] uses it for account 111111111111.",
      ],
    ],
    [
      "providers of an unknown cluster, and account IDs without quotes",
      { organization: { ...organization, existingOidcProviders: { "dev-clusters": [444] } } },
      ["organization.existingOidcProviders.dev-clusters[0]", "444", "12 digits in quotes", 'was it "000000000444"?'],
      [
        "organization.existingOidcProviders.dev-clusters",
        '"dev-clusters"',
        "a name in clusters: one of dev-cluster",
        "Did you mean dev-cluster?",
      ],
    ],
    [
      "more clusters than the template of the StackSet has room for",
      {
        organization,
        clusters: Array.from({ length: 40 }, (_, index) => ({
          name: index === 0 ? "dev-cluster" : `cluster-${index}`,
          region: "us-east-1",
          accountId: "111111111111",
          oidcIssuerId: index.toString(16).toUpperCase().padStart(32, "0"),
          context: `cluster-${index}`,
        })),
      },
      [
        "organization",
        "the template of the StackSet is too large",
        "at most 51200 bytes",
        "Raise iam.trustPolicyLimit",
      ],
    ],
    [
      "missing accounts file",
      { organization: { ...organization, accountsFile: missing } },
      ["organization.accountsFile", quoted(missing), "a readable YAML or JSON file", "ENOENT"],
    ],
    [
      "empty accounts file, reported with a problem of another section",
      { organization: { ...organization, accountsFile: accounts("") }, "mcp.replicas": 0 },
      ["mcp.replicas", "0", "a whole number from 1 to 20"],
      ["organization.accountsFile", '""', "a list of accounts in the file", "Use a list"],
    ],
    [
      "accounts file with an alias inside its own anchor",
      { organization: { ...organization, accountsFile: circular } },
      ["organization.accountsFile", quoted(circular), "a readable YAML or JSON file", "circular"],
    ],
    [
      "accounts file with a second document",
      { organization: { ...organization, accountsFile: documents } },
      [
        "organization.accountsFile",
        quoted(documents),
        "a readable YAML or JSON file",
        "Source contains multiple documents at line 2, column 1",
      ],
    ],
    [
      "accounts file with an empty entry, whose profiles and regions are unknown to the rules of other keys",
      {
        organization: { ...organization, accountsFile: accounts([null, { ...row, region: "eu-west-1" }]) },
        ...{ "verify.skipProfiles": ["dev", "sandbox"], "iam.allowedRegions": ["eu-west-1"], defaultProfile: "one" },
      },
      ["organization.accountsFile[0]", "null", "an object with profile, accountId, description, region", "YAML reads"],
    ],
    [
      "account in the file whose region has no endpoint of the hosted server",
      {
        organization: { ...organization, accountsFile: accounts([{ ...row, region: "eu-north-1" }]) },
        ...{ "mcp.enabled": false, "holmes.hosted": true },
      },
      ["holmes.hostedRegion", "no value, and accounts in eu-north-1, where no endpoint exists", "one of us-east-1"],
    ],
    [
      "accounts file and stack without accounts",
      {
        organization: { ...organization, accountsFile: empty },
        targetAccounts: [],
        image: undefined,
        "mcp.enabled": false,
      },
      ["targetAccounts", "[]", "at least one account, here or in organization.accountsFile"],
    ],
    [
      "invalid entries in the accounts file",
      { organization: { ...organization, accountsFile: short } },
      ["organization.accountsFile[0].accountId", "4", "12 digits in quotes", 'was it "000000000004"?'],
      ["organization.accountsFile[1].profil", none, "profile"],
    ],
    [
      "names of built-in properties in the accounts file",
      { organization: { ...organization, accountsFile: builtIn } },
      ["organization.accountsFile[0].__proto__", none, "a different name"],
      ["organization.accountsFile[0].toString", none, "a different name"],
    ],
    [
      "duplicate entries in the accounts file",
      { organization: { ...organization, accountsFile: twice } },
      [
        "organization.accountsFile[1].profile",
        '"ONE"',
        "a unique profile",
        "It duplicates organization.accountsFile[0].profile.",
      ],
      [
        "organization.accountsFile[1].accountId",
        '"111111111111"',
        "a unique account ID",
        "It duplicates targetAccounts[0].accountId.",
      ],
    ],
    [
      "default profile that is neither in the stack nor in the accounts file",
      { organization: { ...organization, accountsFile: fine }, defaultProfile: "two" },
      ["defaultProfile", '"two"', "a profile in targetAccounts or organization.accountsFile: one of dev, sandbox, one"],
    ],
  ]);
});

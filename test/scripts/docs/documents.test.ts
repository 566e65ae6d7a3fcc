// Each page in docs/ has the parts that the program generates, and the numbers that its prose states.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { limits, partitionOf } from "../../../config/limits.js";
import { issuerPath, unknownIssuer } from "../../../config/settings.js";
import { awsConfigFile } from "../../../documents/awsConfigFile.js";
import { billedCalls, optionalGroups } from "../../../policies/groups.js";
import { TEMPLATE_BODY_LIMIT } from "../../../policies/organization.js";
import {
  INLINE_POLICIES_LIMIT,
  MANAGED_POLICIES_PER_ROLE,
  MANAGED_POLICY_LIMIT,
  TRUST_POLICY_LIMIT,
  TRUST_POLICY_LIMIT_MAX,
} from "../../../policies/size.js";
import { packTrustPolicies, type Subject } from "../../../policies/trust.js";
import { generatedParts } from "../../../scripts/docs/documents.js";
import { page } from "../../../scripts/docs/page.js";

const pages = Object.entries(await generatedParts());
const limitsPage = readFileSync("docs/limits.md", "utf8");

test.each(pages)("%s is up to date (update: npm run docs)", (path, parts) => {
  expect(readFileSync(path, "utf8")).toBe(page(path, parts));
});

test("docs/doctor.md marks the findings that up changes", () => {
  expect(readFileSync("docs/doctor.md", "utf8")).toContain("| `role-differs` Δ |");
});

test("docs/permissions.md names sensitive reads, optional groups and billed calls", () => {
  const document = readFileSync("docs/permissions.md", "utf8");
  for (const name of ["logs:StartQuery", "secretsmanager:GetSecretValue", ...optionalGroups.map(({ id }) => id)])
    expect(document).toContain(`\`${name}\``);
  for (const [id, actions] of Object.entries(billedCalls)) {
    const row = document.split("\n").find((line) => line.startsWith(`| \`${id}\` |`));
    expect(row).toContain(`| ${actions.map((action) => `\`${action}\``).join(" ")} |`);
  }
});

test.each([
  ["trust policy of a role", [TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX]],
  ["inline policies of a role, in total", [INLINE_POLICIES_LIMIT]],
  ["managed policy", [MANAGED_POLICY_LIMIT]],
  ["managed policies on a role", [MANAGED_POLICIES_PER_ROLE, 20]],
  ["OIDC providers in an account", [limits.oidcProvidersPerAccount]],
  ["tags of a role, policy or provider", [limits.tags]],
  ["maximum session duration of the role (`iam.sessionDuration`)", Object.values(limits.sessionDuration)],
  ["session name", [limits.roleSessionName]],
  ["template of the StackSet", [TEMPLATE_BODY_LIMIT]],
])("docs/limits.md has the limit of the program: %s", (name, values) => {
  const row = limitsPage.split("\n").find((line) => line.startsWith(`| ${name} |`))!;
  expect(
    row
      .split(" | ")[1]!
      .match(/\b\d+\b/g)!
      .map(Number),
  ).toEqual(values);
});

test("docs/limits.md has the size of a profile in the ConfigMap", () => {
  const name = "production-data";
  const roleArn = "arn:aws:iam::111122223333:role/EKSMultiAccountMCPRole";
  const profile = { name, accountId: "111122223333", region: "us-east-1", description: "", roleArn };
  const size = Buffer.byteLength(awsConfigFile("prod-us-east-1", [profile], profile.region));
  expect(limitsPage).toContain(
    `about ${Math.round(size / 10) * 10} bytes, so about ${Math.floor(1_048_576 / size / 100) * 100} accounts`,
  );
});

/** The first role of an account that trusts `count` clusters of one region. */
function firstRole(region: string, subjects: Subject[], limit: number, count = 50) {
  const clusters = Array.from({ length: count }, (_, index) => ({
    name: `cluster-${index}`,
    // Same length as a real issuer, and different for each cluster.
    issuers: [issuerPath(unknownIssuer(region)).slice(0, -2) + String(index).padStart(2, "0")],
  }));
  const [role] = packTrustPolicies({
    ...{ clusters, subjects, limit },
    ...{ accountId: "111122223333", partition: partitionOf(region) },
  });
  return role!;
}

test("docs/limits.md has the clusters per role by region and trusted service accounts", () => {
  const rows = limitsPage.split("\n").filter((line) => /^\| [a-z-]+-\d \|/.test(line));
  expect(rows).toHaveLength(10);
  for (const row of rows) {
    const [region, names, ...numbers] = row.slice(2, -2).split(" | ");
    const subjects = [...names!.matchAll(/`(.*?):(.*?)`/g)].map(([, namespace, serviceAccount]) => ({
      namespace: namespace!,
      serviceAccount: serviceAccount!,
    }));
    expect(numbers.map(Number), row).toEqual([
      firstRole(region!, subjects, TRUST_POLICY_LIMIT, 1).size,
      firstRole(region!, subjects, TRUST_POLICY_LIMIT).clusters.length,
      firstRole(region!, subjects, TRUST_POLICY_LIMIT_MAX).clusters.length,
    ]);
  }
});

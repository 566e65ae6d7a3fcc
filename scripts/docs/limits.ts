/** Renders docs/limits.md: every limit from where the program has it, every count from the functions that it runs. */
import { limits, partitionOf } from "../../config/limits.js";
import { issuerPath, unknownIssuer } from "../../config/settings.js";
import { awsConfigFile } from "../../documents/awsConfigFile.js";
import { TEMPLATE_BODY_LIMIT } from "../../policies/organization.js";
import { permissionPolicies } from "../../policies/permissions.js";
import {
  INLINE_POLICIES_LIMIT,
  MANAGED_POLICIES_PER_ROLE,
  MANAGED_POLICIES_PER_ROLE_MAX,
  MANAGED_POLICY_LIMIT,
  TRUST_POLICY_LIMIT,
  TRUST_POLICY_LIMIT_MAX,
} from "../../policies/size.js";
import { packTrustPolicies, type Subject } from "../../policies/trust.js";

/** Where the document belongs, from the project's folder. */
export const limitsPath = "docs/limits.md";

const iamQuotas = "[IAM quotas](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)";

/** Kubernetes' limit for the data of a ConfigMap, in bytes. */
const CONFIG_MAP_LIMIT = 1_048_576;

/** What one AWS provider process is planned with, in MB: "some hundred" were seen. */
const PROVIDER_MEMORY = 300;

export function limitsDocument(): string {
  return `# Limits

<!-- Generated from config/limits.ts, policies/ and documents/ by \`npm run docs\`. Do not edit. -->

The config reader, \`npm run plan\` and \`npm run doctor\` hold a stack to these limits before anything is made. Sizes of
policies are counted as AWS counts them: the characters of the JSON that are not white space.

| limit | value | what the program does | source |
| --- | --- | --- | --- |
${table([
  [
    "trust policy of a role",
    `${TRUST_POLICY_LIMIT} characters; ${TRUST_POLICY_LIMIT_MAX} after a quota increase (L-C07B4B0D)`,
    "spreads clusters over further roles at `iam.trustPolicyLimit` ([below](#clusters-per-role)); `doctor` compares it with each account's own quota",
    iamQuotas,
  ],
  [
    "inline policies of a role, together",
    `${INLINE_POLICIES_LIMIT} characters`,
    `one inline policy as long as it fits; the default one has ${defaultSize()}`,
    iamQuotas,
  ],
  [
    "managed policy",
    `${MANAGED_POLICY_LIMIT} characters`,
    "what does not fit inline is split over managed policies, by service group",
    iamQuotas,
  ],
  [
    "managed policies on a role",
    `${MANAGED_POLICIES_PER_ROLE}; ${MANAGED_POLICIES_PER_ROLE_MAX} after a quota increase (L-0DA4ABF3)`,
    `more than ${MANAGED_POLICIES_PER_ROLE} are an error`,
    iamQuotas,
  ],
  [
    "OIDC providers in an account",
    `${limits.oidcProvidersPerAccount}`,
    "more issuers (previous ones counted) are an error; `doctor` counts those that are there",
    iamQuotas,
  ],
  [
    "tags of a role, policy or provider",
    `${limits.tags}`,
    "more in `iam.tags` are an error; the program adds `holmes-aws-mcp/stack`",
    iamQuotas,
  ],
  [
    "longest session of the role (`iam.sessionDuration`)",
    `${limits.sessionDuration.min} to ${limits.sessionDuration.max} s`,
    "checked; the server's own sessions last 3600 s whatever it is, and the SDK renews them",
    "[CreateRole](https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html)",
  ],
  [
    "session name",
    `${limits.roleSessionName} characters`,
    "`holmes-<cluster>`, cut with a hash when it is longer",
    "[AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)",
  ],
  [
    "role name, policy name",
    "64, 128 characters",
    "3 of each are kept for the number of a further role or policy",
    iamQuotas,
  ],
  ["IAM path", "512 characters", "checked", iamQuotas],
  [
    "template of the StackSet",
    `${TEMPLATE_BODY_LIMIT} bytes`,
    "one that is larger is an error",
    "[CloudFormation quotas](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)",
  ],
  [
    "ConfigMap with the accounts",
    `${CONFIG_MAP_LIMIT} bytes`,
    `one profile takes about ${profileBytes()} bytes, so about ${Math.floor(CONFIG_MAP_LIMIT / profileBytes() / 100) * 100} accounts fit`,
    "[ConfigMap](https://kubernetes.io/docs/concepts/configuration/configmap/)",
  ],
])}

## Clusters per role

Each cluster takes one statement of the trust policy, with its issuer in it three times and every trusted service account;
a previous issuer takes as much as a cluster. How many fit a role depends on region and names:

| region | trusted service accounts | size of one cluster | clusters at ${TRUST_POLICY_LIMIT} | at ${TRUST_POLICY_LIMIT_MAX} |
| --- | --- | --- | --- | --- |
${table(clusterRows())}

The clusters fill \`<roleName>\`, then \`<roleName>-2\`, and so on, in the order of the config; one that is appended moves no
other. \`npm run plan\` shows the size of every trust policy. To have room for more in one role, ask AWS for the increase in
**every** target account (\`npm run doctor\` prints the command for each account that lacks it), then raise
\`iam.trustPolicyLimit\`. Raising it moves clusters to earlier roles: pin them first with \`clusters[].roleNumber\`
([docs/accounts.md](accounts.md#several-roles)).

## Hosted AWS MCP server

With \`holmes.hosted: true\`, AWS applies these quotas in each target account and Region
([AWS MCP Server quotas](https://docs.aws.amazon.com/agent-toolkit/latest/userguide/aws-mcp-limits.html), autumn 2026).
Requests above the rate return 429.

| quota | default |
| --- | --- |
| concurrent connections | 27, not adjustable |
| concurrent active sessions | 180, adjustable |
| concurrent active sessions of one role | 90, adjustable |
| requests | 3 per second |

## Accounts per stack

Pulumi runs one AWS provider process for each managed target account, all at once: some hundred MB each. So the memory of
the machine that runs \`pulumi up\` bounds the accounts of a stack, not AWS. Planned with ${PROVIDER_MEMORY} MB for a process:

| managed accounts | memory for providers | way |
| --- | --- | --- |
${table([10, 20, 50, 100].map((count) => [String(count), `about ${gigabytes(count)} GB`, way(count)]))}
| hundreds | none | \`organization\`: a StackSet makes roles and providers, the accounts stand in the stack with \`manage: false\` |

An account with \`manage: false\` costs no process: its role's ARN follows from account id and names. \`npm run doctor\` takes
no such process for any account.
`;
}

const table = (rows: readonly (readonly string[])[]) => rows.map((row) => `| ${row.join(" | ")} |`).join("\n");

const gigabytes = (accounts: number) => Math.ceil((accounts * PROVIDER_MEMORY) / 1000);

const way = (accounts: number) =>
  accounts <= 20 ? "one stack" : "several stacks with accounts of their own, or `organization`";

const defaultSize = () => permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws" }).policies[0]!.size;

const own: Subject = { namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" };
const holmes: Subject = { namespace: "default", serviceAccount: "robusta-holmes-service-account" };

function clusterRows(): string[][] {
  const regions = ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-northwest-1"];
  return regions.flatMap((region) =>
    [[own], [own, holmes]].map((subjects) => {
      const alone = rolesOf(region, subjects, TRUST_POLICY_LIMIT, 1)[0]!;
      const names = subjects.map(({ namespace, serviceAccount }) => `\`${namespace}:${serviceAccount}\``).join(", ");
      return [
        region,
        names,
        String(alone.size),
        ...[TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX].map((limit) =>
          String(clustersPerRole(region, subjects, limit)),
        ),
      ];
    }),
  );
}

/** Clusters of a region in the first role, when there are more than it can take. */
export function clustersPerRole(region: string, subjects: Subject[], limit: number): number {
  return rolesOf(region, subjects, limit, 50)[0]!.clusters.length;
}

function rolesOf(region: string, subjects: Subject[], limit: number, count: number) {
  return packTrustPolicies({
    clusters: Array.from({ length: count }, (_, index) => ({
      name: `cluster-${index}`,
      // As long as a real issuer, and another one for each cluster.
      issuers: [issuerPath(unknownIssuer(region)).slice(0, -2) + String(index).padStart(2, "0")],
    })),
    subjects,
    accountId: "111122223333",
    partition: partitionOf(region),
    limit,
  });
}

function profileBytes(): number {
  const profile = {
    name: "production-data",
    accountId: "111122223333",
    region: "us-east-1",
    description: "",
    roleArn: "arn:aws:iam::111122223333:role/EKSMultiAccountMCPRole",
  };
  return Buffer.byteLength(awsConfigFile("prod-us-east-1", [profile], "production-data"));
}

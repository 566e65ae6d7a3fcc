/** The tables of docs/limits.md that follow from the limits and the functions of the program. */
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
import { page, table } from "./page.js";

/** Path of the document, relative to the project directory. */
export const limitsPath = "docs/limits.md";

const iamQuotas = "[IAM quotas](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)";

/** Kubernetes limit of the data of a ConfigMap, in bytes. */
const CONFIG_MAP_LIMIT = 1_048_576;

export const limitsDocument = () =>
  page(limitsPath, {
    limits: table(
      ["Limit", "Value", "Behavior of the program", "Source"],
      [
        [
          "trust policy of a role",
          `${TRUST_POLICY_LIMIT} characters; ${TRUST_POLICY_LIMIT_MAX} after a quota increase (L-C07B4B0D)`,
          "distributes clusters across additional roles at `iam.trustPolicyLimit` ([below](#clusters-per-role)); `doctor` compares the limit with the quota of each account",
          iamQuotas,
        ],
        [
          "inline policies of a role, in total",
          `${INLINE_POLICIES_LIMIT} characters`,
          `uses one inline policy if it fits; the default policy has ${defaultSize()}`,
          iamQuotas,
        ],
        [
          "managed policy",
          `${MANAGED_POLICY_LIMIT} characters`,
          "splits a larger policy into managed policies, by service group",
          iamQuotas,
        ],
        [
          "managed policies on a role",
          `${MANAGED_POLICIES_PER_ROLE}; ${MANAGED_POLICIES_PER_ROLE_MAX} after a quota increase (L-0DA4ABF3)`,
          `rejects more than ${MANAGED_POLICIES_PER_ROLE}`,
          iamQuotas,
        ],
        [
          "OIDC providers in an account",
          `${limits.oidcProvidersPerAccount}`,
          "rejects more issuers, including previous issuers; `doctor` counts the existing providers",
          iamQuotas,
        ],
        [
          "tags of a role, policy or provider",
          `${limits.tags}`,
          "rejects more tags in `iam.tags`; adds the tag `holmes-aws-mcp/stack`",
          iamQuotas,
        ],
        [
          "maximum session duration of the role (`iam.sessionDuration`)",
          `${limits.sessionDuration.min} to ${limits.sessionDuration.max} s`,
          "rejects other values; sessions of the MCP server always last 3600 s, and the SDK renews them",
          "[CreateRole](https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html)",
        ],
        [
          "session name",
          `${limits.roleSessionName} characters`,
          "uses `holmes-<cluster>`, and replaces the end of a longer name with a hash",
          "[AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)",
        ],
        [
          "role name, policy name",
          "64, 128 characters",
          "reserves characters of each name for the number of an additional role or policy",
          iamQuotas,
        ],
        ["IAM path", "512 characters", "rejects a longer path", iamQuotas],
        [
          "template of the StackSet",
          `${TEMPLATE_BODY_LIMIT} bytes`,
          "rejects a larger template",
          "[CloudFormation quotas](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)",
        ],
        [
          "ConfigMap with the accounts",
          `${CONFIG_MAP_LIMIT} bytes`,
          `one profile takes about ${profileBytes()} bytes, so about ${Math.floor(CONFIG_MAP_LIMIT / profileBytes() / 100) * 100} accounts fit`,
          "[ConfigMap](https://kubernetes.io/docs/concepts/configuration/configmap/)",
        ],
      ],
    ),
    "clusters-per-role": table(
      [
        "Region",
        "Trusted service accounts",
        "Size of one cluster",
        `Clusters at ${TRUST_POLICY_LIMIT}`,
        `at ${TRUST_POLICY_LIMIT_MAX}`,
      ],
      clusterRows(),
    ),
  });

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

/** Number of clusters of a region that fit the first role. */
export function clustersPerRole(region: string, subjects: Subject[], limit: number): number {
  return rolesOf(region, subjects, limit, 50)[0]!.clusters.length;
}

function rolesOf(region: string, subjects: Subject[], limit: number, count: number) {
  return packTrustPolicies({
    clusters: Array.from({ length: count }, (_, index) => ({
      name: `cluster-${index}`,
      // Same length as a real issuer, and different for each cluster.
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
  return Buffer.byteLength(awsConfigFile("prod-us-east-1", [profile], profile.region));
}

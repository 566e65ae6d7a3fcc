/** The table of clusters per role in docs/limits.md. */
import { partitionOf } from "../../config/limits.js";
import { issuerPath, unknownIssuer } from "../../config/settings.js";
import { TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX } from "../../policies/size.js";
import { packTrustPolicies, type Subject, type TrustRole } from "../../policies/trust.js";
import { table } from "./page.js";

const regions = ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-northwest-1"];
const own: Subject = { namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" };
const holmes: Subject = { namespace: "default", serviceAccount: "robusta-holmes-service-account" };

export const clustersPerRole = () =>
  table(
    [
      "Region",
      "Trusted service accounts",
      "Size of one cluster",
      `Clusters at ${TRUST_POLICY_LIMIT}`,
      `at ${TRUST_POLICY_LIMIT_MAX}`,
    ],
    regions.flatMap((region) =>
      [[own], [own, holmes]].map((subjects) => [
        region,
        subjects.map(({ namespace, serviceAccount }) => `\`${namespace}:${serviceAccount}\``).join(", "),
        firstRole(region, subjects, TRUST_POLICY_LIMIT, 1).size,
        firstRole(region, subjects, TRUST_POLICY_LIMIT).clusters.length,
        firstRole(region, subjects, TRUST_POLICY_LIMIT_MAX).clusters.length,
      ]),
    ),
  );

/** The first role of an account that trusts `count` clusters of one region. */
export function firstRole(region: string, subjects: Subject[], limit: number, count = 50): TrustRole {
  const clusters = Array.from({ length: count }, (_, index) => ({
    name: `cluster-${index}`,
    // Same length as a real issuer, and different for each cluster.
    issuers: [issuerPath(unknownIssuer(region)).slice(0, -2) + String(index).padStart(2, "0")],
  }));
  return packTrustPolicies({
    clusters,
    subjects,
    accountId: "111122223333",
    partition: partitionOf(region),
    limit,
  })[0]!;
}

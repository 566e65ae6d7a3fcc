import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { policySize, SizeError, TRUST_POLICY_LIMIT, TRUST_POLICY_LIMIT_MAX } from "../../policies/size.js";
import {
  oidcProviderArn,
  packTrustPolicies,
  roleNameFor,
  type TrustCluster,
  trustPolicy,
} from "../../policies/trust.js";

const accountId = "111122223333";
const subjects = [{ namespace: "default", serviceAccount: "multi-account-mcp-sa" }];
const issuerOf = (n: number, region = "eu-west-1") =>
  `oidc.eks.${region}.amazonaws.com/id/${n.toString(16).toUpperCase().padStart(32, "A")}`;
const cluster = (n: number, extra: Partial<TrustCluster> = {}): TrustCluster => ({
  name: `cluster-${n}`,
  issuers: [issuerOf(n)],
  ...extra,
});
const spread = (clusters: TrustCluster[], limit = TRUST_POLICY_LIMIT) =>
  packTrustPolicies({ clusters, subjects, accountId, partition: "aws", limit });
const numberOf = (clusters: TrustCluster[], name: string, limit = TRUST_POLICY_LIMIT) =>
  spread(clusters, limit).find((role) => role.clusters.includes(name))?.number;

describe("trustPolicy", () => {
  test("trusts one subject of one cluster by audience and subject", () => {
    const issuer = issuerOf(1);
    expect(trustPolicy({ accountId, partition: "aws", issuers: [issuer], subjects })).toStrictEqual({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/${issuer}` },
          Action: "sts:AssumeRoleWithWebIdentity",
          Condition: {
            StringEquals: {
              [`${issuer}:aud`]: "sts.amazonaws.com",
              [`${issuer}:sub`]: "system:serviceaccount:default:multi-account-mcp-sa",
            },
          },
        },
      ],
    });
  });

  test("names every subject in every cluster's statement", () => {
    const holmes = { namespace: "robusta", serviceAccount: "robusta-holmes-service-account" };
    const issuers = [1, 2].map((n) => issuerOf(n));
    const document = trustPolicy({ accountId, partition: "aws", issuers, subjects: [...subjects, holmes] });
    expect(
      document.Statement.map(({ Condition }, index) => Condition?.StringEquals?.[`${issuers[index]!}:sub`]),
    ).toEqual(
      Array(2).fill([
        "system:serviceaccount:default:multi-account-mcp-sa",
        "system:serviceaccount:robusta:robusta-holmes-service-account",
      ]),
    );
  });

  test.each([
    ["aws", "eu-west-1", "amazonaws.com"],
    ["aws-us-gov", "us-gov-west-1", "amazonaws.com"],
    ["aws-cn", "cn-north-1", "amazonaws.com.cn"],
  ])("in %s, the partition is in the provider's ARN and the audience is the same", (partition, region, suffix) => {
    const issuer = `oidc.eks.${region}.${suffix}/id/${"C".repeat(32)}`;
    const [statement] = trustPolicy({ accountId, partition, issuers: [issuer], subjects }).Statement;
    expect(statement?.Principal).toEqual({ Federated: oidcProviderArn(partition, accountId, issuer) });
    expect(statement?.Principal).toEqual({ Federated: `arn:${partition}:iam::${accountId}:oidc-provider/${issuer}` });
    expect(statement?.Condition?.StringEquals?.[`${issuer}:aud`]).toBe("sts.amazonaws.com");
  });

  test("accepts a self-hosted issuer with port and path", () => {
    const issuer = "kubernetes.example.com:8443/clusters/one";
    const [statement] = trustPolicy({
      accountId,
      partition: "aws",
      issuers: [issuer],
      subjects,
    }).Statement;
    expect(Object.keys(statement?.Condition?.StringEquals ?? {})).toEqual([`${issuer}:aud`, `${issuer}:sub`]);
  });
});

describe("packTrustPolicies", () => {
  test("fits four clusters into the default quota and eight or nine into the largest", () => {
    const clusters = Array.from({ length: 20 }, (_, n) => cluster(n));
    expect(spread(clusters)[0]?.clusters).toHaveLength(4);
    const large = spread(clusters, TRUST_POLICY_LIMIT_MAX)[0]?.clusters.length;
    expect(large).toBeGreaterThanOrEqual(8);
    expect(large).toBeLessThanOrEqual(9);
  });

  test("fills the roles in config order and reports the size of each", () => {
    const clusters = Array.from({ length: 10 }, (_, n) => cluster(n));
    const roles = spread(clusters);
    expect(roles.map(({ number, clusters: names }) => [number, names.length])).toEqual([
      [1, 4],
      [2, 4],
      [3, 2],
    ]);
    expect(roles.flatMap(({ clusters: names }) => names)).toEqual(clusters.map(({ name }) => name));
    for (const { document, size } of roles) {
      expect(size).toBe(policySize(document));
      expect(size).toBeLessThanOrEqual(2048);
    }
  });

  test("counts every issuer of a cluster that was re-created", () => {
    const recreated = cluster(3, { issuers: [issuerOf(3), issuerOf(33)] });
    const [role] = spread([cluster(1), recreated]);
    expect(role?.document.Statement.map(({ Principal }) => (Principal as { Federated: string }).Federated)).toEqual(
      [issuerOf(1), issuerOf(3), issuerOf(33)].map((issuer) => oidcProviderArn("aws", accountId, issuer)),
    );
  });

  test("puts a pinned cluster into its role and the others where they would be", () => {
    const clusters = [cluster(1), cluster(2, { roleNumber: 3 }), cluster(3), cluster(4)];
    expect(spread(clusters).map(({ number, clusters: names }) => [number, names])).toEqual([
      [1, ["cluster-1", "cluster-3", "cluster-4"]],
      [3, ["cluster-2"]],
    ]);
  });

  test("fills up a role that holds a pinned cluster only as far as it goes", () => {
    const clusters = [cluster(0, { roleNumber: 2 }), ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => cluster(n))];
    expect(spread(clusters).map(({ number, clusters: names }) => [number, names.length])).toEqual([
      [1, 4],
      [2, 4],
      [3, 1],
    ]);
  });

  test("reports a cluster that does not fit even alone, with the fix", () => {
    const error = caught(() => spread([cluster(1)], 300));
    expect(error).toMatchObject({ name: "SizeError", subject: "cluster-1", limit: 300 });
    expect(error.size).toBeGreaterThan(300);
    expect(error.message).toMatch(
      /^The trust policy of role 1, which trusts cluster-1, has \d+ characters\. The limit is 300/,
    );
    expect(error.message).toContain("raise iam.trustPolicyLimit");
    expect(error.message).toContain("additionalSubjects");
  });

  test("reports the clusters that prevent a pin", () => {
    const clusters = [...[1, 2, 3, 4].map((n) => cluster(n)), cluster(5, { roleNumber: 1 })];
    const error = caught(() => spread(clusters));
    expect(error.subject).toBe("cluster-5");
    expect(error.message).toMatch(/role 1, which trusts cluster-1, cluster-2, cluster-3, cluster-4, cluster-5,/);
  });

  describe("with a subset of trusted clusters", () => {
    const clusters = Array.from({ length: 10 }, (_, n) => cluster(n));
    const packed = (trusted?: string[]) =>
      packTrustPolicies({ clusters, trusted, subjects, accountId, partition: "aws", limit: TRUST_POLICY_LIMIT });

    test("trusts no other cluster, in fewer roles", () => {
      const roles = packed(["cluster-1", "cluster-7"]);
      expect(roles.map(({ number, clusters: names }) => [number, names])).toEqual([[1, ["cluster-1", "cluster-7"]]]);
      expect(roles[0]!.document).toEqual(documentFor([1, 7]));
      expect(roles[0]!.size).toBe(policySize(documentFor([1, 7])));
    });

    test("returns the documents of the whole list if it names every cluster, in any order", () => {
      expect(packed(clusters.map(({ name }) => name).reverse())).toEqual(packed());
    });

    test("keeps a pinned cluster in its role", () => {
      const pinned = clusters.map((one, n) => (n === 9 ? { ...one, roleNumber: 3 } : one));
      const roles = packTrustPolicies({
        clusters: pinned,
        trusted: ["cluster-0", "cluster-9"],
        subjects,
        accountId,
        partition: "aws",
        limit: TRUST_POLICY_LIMIT,
      });
      expect(roles.map(({ number, clusters: names }) => [number, names])).toEqual([
        [1, ["cluster-0"]],
        [3, ["cluster-9"]],
      ]);
    });

    function documentFor(numbers: number[]) {
      const issuers = numbers.map((n) => issuerOf(n));
      return trustPolicy({ accountId, partition: "aws", issuers, subjects });
    }
  });

  test("has no roles for no clusters", () => {
    expect(spread([])).toEqual([]);
  });

  test("never moves a cluster when others are appended, and never exceeds the limit", () => {
    const name = fc.string({ unit: fc.constantFrom(..."abcdefghij"), minLength: 1, maxLength: 40 });
    const arbitrary = fc.record({
      length: fc.integer({ min: 1, max: 25 }),
      pins: fc.array(fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }), { minLength: 25, maxLength: 25 }),
      issuers: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 25, maxLength: 25 }),
      namespace: name,
      limit: fc.integer({ min: 1500, max: TRUST_POLICY_LIMIT_MAX }),
    });
    let compared = 0;
    fc.assert(
      fc.property(arbitrary, ({ length, pins, issuers, namespace, limit }) => {
        const clusters = Array.from({ length }, (_, n) =>
          cluster(n, {
            issuers: Array.from({ length: issuers[n]! }, (_unused, k) => issuerOf(n * 10 + k)),
            ...(pins[n] === undefined ? {} : { roleNumber: pins[n] }),
          }),
        );
        const rolesOf = (count: number) => {
          try {
            return packTrustPolicies({
              clusters: clusters.slice(0, count),
              subjects: [{ namespace, serviceAccount: "sa" }],
              accountId,
              partition: "aws",
              limit,
            });
          } catch (error) {
            // A pin to a full role is rejected and moves no cluster.
            if (error instanceof SizeError) return undefined;
            throw error;
          }
        };
        const all = rolesOf(length);
        const before = rolesOf(length - 1);
        if (all === undefined || before === undefined) return;
        compared += 1;
        const place = (roles: typeof all) =>
          new Map(roles.flatMap(({ number, clusters: names }) => names.map((one) => [one, number])));
        const after = place(all);
        for (const [one, number] of place(before)) expect(after.get(one)).toBe(number);
        expect(after.size).toBe(length);
        for (const { size } of all) expect(size).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(50);
  });

  test("keeps every other cluster in place when all are pinned and one is removed", () => {
    const clusters = Array.from({ length: 9 }, (_, n) => cluster(n));
    const pinned = clusters.map((one) => ({ ...one, roleNumber: numberOf(clusters, one.name)! }));
    const without = pinned.filter(({ name }) => name !== "cluster-2");
    for (const { name, roleNumber } of without) expect(numberOf(without, name)).toBe(roleNumber);
  });
});

describe("roleNameFor", () => {
  test("numbers roles from the second on", () => {
    expect([1, 2, 12].map((number) => roleNameFor("X", number))).toEqual(["X", "X-2", "X-12"]);
  });
});

describe("policySize", () => {
  test("counts characters that are not white space, once each", () => {
    const document = { Version: "2012-10-17" as const, Statement: [{ Sid: "ä €😀", Effect: "Allow" as const }] };
    const text = '{"Version":"2012-10-17","Statement":[{"Sid":"ä€😀","Effect":"Allow"}]}';
    expect(policySize(document)).toBe([...text].length);
  });
});

function caught(run: () => unknown): SizeError {
  try {
    run();
  } catch (error) {
    if (error instanceof SizeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

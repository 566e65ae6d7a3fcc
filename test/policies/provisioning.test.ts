import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Catalogue, loadCatalogue } from "../../policies/catalogue.js";
import { provisioningPolicy, readingHalf } from "../../policies/provisioning.js";
import { MANAGED_POLICY_LIMIT, policySize } from "../../policies/size.js";
import { listOf, type PolicyDocument } from "../../policies/types.js";
import { evaluate } from "./evaluate.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue(["ecr", "eks", "iam", "sts"]);
});

/** The last documents of the page, which the page itself defines. */
const [ecr, eks] = readFileSync("docs/provisioning-policy.md", "utf8")
  .split("```json\n")
  .slice(-2)
  .map((text) => JSON.parse(text.split("```")[0]!) as PolicyDocument) as [PolicyDocument, PolicyDocument];

const accountId = "111122223333";
const names = { partition: "aws", accountId, roleName: "EKSMultiAccountMCPRole", policyName: "MCPReadOnlyPolicy" };
const boundary = `arn:aws:iam::${accountId}:policy/Boundary`;
const iam = (resource: string) => `arn:aws:iam::${accountId}:${resource}`;
const actionsOf = ({ Statement }: PolicyDocument) => Statement.flatMap(({ Action }) => listOf(Action)).sort();

/** What the resources of a target account call in the AWS provider, and what `doctor` looks up. */
const calls: Record<string, string[]> = {
  "every provider": ["sts:GetCallerIdentity"],
  OpenIdConnectProvider: [
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:CreateOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:RemoveClientIDFromOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
    "iam:UntagOpenIDConnectProvider",
    "iam:UpdateOpenIDConnectProviderThumbprint",
  ],
  Role: [
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    "iam:PutRolePermissionsBoundary",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
  ],
  RolePolicy: ["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
  Policy: [
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:TagPolicy",
    "iam:UntagPolicy",
  ],
  RolePolicyAttachment: ["iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies"],
  doctor: ["iam:GetAccountSummary", "iam:GetOpenIDConnectProvider", "iam:GetRole", "iam:ListOpenIDConnectProviders"],
};

describe("provisioningPolicy", () => {
  test("allows the program's own calls and no more", () => {
    const needed = [...new Set(Object.values(calls).flat())].sort();
    expect(actionsOf(provisioningPolicy(names))).toEqual(needed);
    const bounded = needed.filter((action) => action !== "iam:DeleteRolePermissionsBoundary");
    expect(actionsOf(provisioningPolicy({ ...names, permissionsBoundary: boundary }))).toEqual(bounded);
  });

  test.each([
    ["iam:CreateRole", "role/EKSMultiAccountMCPRole"],
    ["iam:CreateRole", "role/EKSMultiAccountMCPRole-2"],
    ["iam:PutRolePolicy", "role/EKSMultiAccountMCPRole"],
    ["iam:CreatePolicy", "policy/MCPReadOnlyPolicy-2"],
    ["iam:CreateOpenIDConnectProvider", `oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/${"A".repeat(32)}`],
  ])("allows %s on %s", (action, resource) => {
    expect(evaluate([provisioningPolicy(names)], { action, resource: iam(resource) }).decision).toBe("allowed");
  });

  test.each([
    ["iam:CreateRole", "role/Administrator"],
    ["iam:CreateRole", "role/other/EKSMultiAccountMCPRole"],
    ["iam:PutRolePolicy", "role/Administrator"],
    ["iam:AttachRolePolicy", "role/EKSMultiAccountMCPRoles"],
    ["iam:CreatePolicyVersion", "policy/Boundary"],
    ["iam:DeleteOpenIDConnectProvider", "oidc-provider/token.actions.githubusercontent.com"],
    ["iam:DeleteOpenIDConnectProvider", "oidc-provider/oidc.eks.evil.com/id/A"],
    ["iam:CreateUser", "user/u"],
    ["iam:CreateAccessKey", "user/u"],
    ["iam:PassRole", "role/EKSMultiAccountMCPRole"],
  ])("denies %s on %s", (action, resource) => {
    expect(evaluate([provisioningPolicy(names)], { action, resource: iam(resource) }).decision).toBe("implicitDeny");
  });

  test("denies the same names in another account", () => {
    const resource = "arn:aws:iam::999999999999:role/EKSMultiAccountMCPRole";
    expect(evaluate([provisioningPolicy(names)], { action: "iam:CreateRole", resource }).decision).toBe("implicitDeny");
  });

  test("follows partition, path and issuers", () => {
    const issuer = `oidc.eks.cn-north-1.amazonaws.com.cn/id/${"B".repeat(32)}`;
    const china = { ...names, partition: "aws-cn", path: "/holmes/" };
    const role = "arn:aws-cn:iam::111122223333:role/holmes/EKSMultiAccountMCPRole";
    const provider = `arn:aws-cn:iam::111122223333:oidc-provider/${issuer}`;
    for (const document of [provisioningPolicy(china), provisioningPolicy({ ...china, issuers: [issuer] })]) {
      expect(evaluate([document], { action: "iam:CreateRole", resource: role }).decision).toBe("allowed");
      expect(evaluate([document], { action: "iam:CreateOpenIDConnectProvider", resource: provider }).decision).toBe(
        "allowed",
      );
    }
    const other = provider.replace(/B/g, "C");
    const exact = provisioningPolicy({ ...china, issuers: [issuer] });
    expect(evaluate([exact], { action: "iam:CreateOpenIDConnectProvider", resource: other }).decision).toBe(
      "implicitDeny",
    );
  });

  test("creates roles only with the configured boundary, and never removes it", () => {
    const document = provisioningPolicy({ ...names, permissionsBoundary: boundary });
    const decide = (action: string, context: Record<string, string>) =>
      evaluate([document], { action, resource: iam("role/EKSMultiAccountMCPRole"), context }).decision;
    for (const action of [
      "iam:CreateRole",
      "iam:PutRolePolicy",
      "iam:AttachRolePolicy",
      "iam:PutRolePermissionsBoundary",
    ]) {
      expect(decide(action, { "iam:PermissionsBoundary": boundary })).toBe("allowed");
      expect(decide(action, { "iam:PermissionsBoundary": iam("policy/Other") })).toBe("implicitDeny");
      expect(decide(action, {})).toBe("implicitDeny");
    }
    expect(decide("iam:DeleteRolePermissionsBoundary", { "iam:PermissionsBoundary": boundary })).toBe("implicitDeny");
    expect(decide("iam:DeleteRole", {})).toBe("allowed");
  });
});

describe("the other accounts", () => {
  const repository = (name: string) => `arn:aws:ecr:eu-west-1:${accountId}:repository/${name}`;

  test("keeps pushing and deleting to the one repository", () => {
    for (const action of ["ecr:CreateRepository", "ecr:PutImage", "ecr:DeleteRepository", "ecr:SetRepositoryPolicy"]) {
      expect(evaluate([ecr], { action, resource: repository("holmes-aws-mcp") }).decision).toBe("allowed");
      expect(evaluate([ecr], { action, resource: repository("other") }).decision).toBe("implicitDeny");
    }
    expect(evaluate([ecr], { action: "ecr:GetAuthorizationToken" }).decision).toBe("allowed");
  });

  test("the read-only policy has every read of the full policy, and no write", () => {
    const whole = provisioningPolicy({ ...names, permissionsBoundary: boundary });
    const half = readingHalf(whole);
    const level = (action: string) => catalogue.matching(action)[0]!.level;
    expect(actionsOf(half)).toEqual(actionsOf(whole).filter((action) => ["Read", "List"].includes(level(action))));
    expect(half.Statement.map(({ Sid }) => Sid)).toEqual([
      ...["ManageOidcProviders", "ManageRoles", "ManagePolicies", "ReadAccount"],
    ]);
    for (const action of actionsOf(half)) {
      const resources = (all: PolicyDocument) => all.Statement.filter((one) => listOf(one.Action).includes(action));
      expect(resources(half).map(({ Resource }) => Resource)).toEqual(resources(whole).map(({ Resource }) => Resource));
    }
  });

  test("reads only the clusters that are named", () => {
    const cluster = (name: string) => `arn:aws:eks:eu-west-1:${accountId}:cluster/${name}`;
    expect(evaluate([eks], { action: "eks:DescribeCluster", resource: cluster("prod") }).decision).toBe("allowed");
    expect(evaluate([eks], { action: "eks:DescribeCluster", resource: cluster("dev") }).decision).toBe("implicitDeny");
    expect(actionsOf(eks)).toEqual(["eks:DescribeCluster", "sts:GetCallerIdentity"]);
  });
});

test("names only actions that AWS has, once, and within a managed policy", () => {
  const documents = [
    provisioningPolicy(names),
    provisioningPolicy({ ...names, permissionsBoundary: boundary }),
    ecr,
    eks,
  ];
  for (const document of documents) {
    const actions = actionsOf(document);
    for (const action of actions) expect(catalogue.matching(action).map((known) => known.action)).toEqual([action]);
    expect(new Set(actions).size).toBe(actions.length);
    expect(policySize(document)).toBeLessThanOrEqual(MANAGED_POLICY_LIMIT);
  }
});

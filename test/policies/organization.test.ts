import { describe, expect, test } from "vitest";
import {
  type OrganizationTemplateArgs,
  organizationTemplate,
  TEMPLATE_BODY_LIMIT,
} from "../../policies/organization.js";
import { type PermissionOptions, permissionPolicies } from "../../policies/permissions.js";
import { SizeError } from "../../policies/size.js";
import { packTrustPolicies, type TrustCluster } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";

/** JSON of a template, including intrinsic functions. */
type Json = string | number | boolean | Json[] | { [key: string]: Json };

const issuer = (digit: string, region = "us-east-1") => `oidc.eks.${region}.amazonaws.com/id/${digit.repeat(32)}`;
const clusters: TrustCluster[] = ["A", "B", "C", "D", "E"].map((digit) => ({ name: digit, issuers: [issuer(digit)] }));
const subjects = [
  { namespace: "default", serviceAccount: "multi-account-mcp-sa" },
  { namespace: "robusta", serviceAccount: "robusta-holmes-service-account" },
];
const plan = (options: Partial<PermissionOptions> = {}) =>
  permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws", ...options });
const args = (more: Partial<OrganizationTemplateArgs> = {}): OrganizationTemplateArgs => ({
  clusters,
  subjects,
  partition: "aws",
  trustPolicyLimit: 2048,
  roleName: "EKSMultiAccountMCPRole",
  path: "/",
  sessionDuration: 3600,
  tags: { team: "platform" },
  permissions: plan(),
  retainOidcProviders: false,
  ...more,
});

type Resources = Record<
  string,
  { Type: string; Condition?: string; DependsOn?: string[]; Properties: Record<string, Json> }
>;

/** The template as CloudFormation evaluates it in one account: conditions and functions are resolved. */
function render(more: Partial<OrganizationTemplateArgs>, accountId: string, partition = "aws"): Resources {
  const { Conditions = {}, Resources: resources } = JSON.parse(JSON.stringify(organizationTemplate(args(more))));
  const pseudo: Record<string, string> = { "AWS::AccountId": accountId, "AWS::Partition": partition };
  const value = (json: Json): Json => {
    if (Array.isArray(json)) return json.map(value);
    if (typeof json !== "object") return json;
    const [[key, inner] = []] = Object.entries(json);
    if (key === "Fn::Sub") {
      return (inner as string).replace(/\$\{(!?)([^}]*)\}/g, (_, literal, name) =>
        literal === "!" ? `\${${name}}` : (pseudo[name] ?? expect.fail(`unknown variable ${name}`)),
      );
    }
    if (key === "Ref" && pseudo[inner as string] !== undefined) return pseudo[inner as string]!;
    if (key === "Fn::Equals") return (value(inner!) as string[])[0] === (value(inner!) as string[])[1];
    if (key === "Fn::Or") {
      expect((inner as Json[]).length).toBeGreaterThanOrEqual(2);
      expect((inner as Json[]).length).toBeLessThanOrEqual(10);
      return (value(inner!) as boolean[]).some(Boolean);
    }
    if (key === "Fn::Not") return !(value(inner!) as boolean[])[0];
    return Object.fromEntries(Object.entries(json).map(([name, one]) => [name, value(one)]));
  };
  return Object.fromEntries(
    Object.entries(resources as Resources)
      .filter(([, { Condition }]) => Condition === undefined || value(Conditions[Condition]) === true)
      .map(([id, resource]) => [id, value(resource as unknown as Json) as unknown as Resources[string]]),
  );
}

const ofType = (resources: Resources, type: string) => Object.values(resources).filter(({ Type }) => Type === type);

describe("organizationTemplate", () => {
  test.each([
    ["aws", "111122223333"],
    ["aws-us-gov", "012345678901"],
    ["aws-cn", "999988887777"],
  ])("in %s, account %s, the template creates the same resources as the providers", (partition, accountId) => {
    const resources = render({}, accountId, partition);
    const direct = packTrustPolicies({ clusters, subjects, accountId, partition, limit: 2048 });
    const roles = ofType(resources, "AWS::IAM::Role").map(({ Properties }) => Properties);
    expect(direct.length).toBeGreaterThan(1);
    expect(roles.map(({ RoleName }) => RoleName)).toEqual(["EKSMultiAccountMCPRole", "EKSMultiAccountMCPRole-2"]);
    expect(roles.map(({ AssumeRolePolicyDocument }) => AssumeRolePolicyDocument)).toEqual(
      direct.map(({ document }) => document),
    );
    const policies = plan({ partition }).policies.map(({ name, document }) => ({
      PolicyName: name,
      PolicyDocument: document,
    }));
    for (const role of roles) {
      expect(role).toMatchObject({
        Path: "/",
        MaxSessionDuration: 3600,
        Policies: policies,
        Tags: [{ Key: "team", Value: "platform" }],
      });
      expect(role).not.toHaveProperty("PermissionsBoundary");
    }
    expect(ofType(resources, "AWS::IAM::OIDCProvider").map(({ Properties }) => Properties)).toEqual(
      clusters.map(({ issuers }) => ({
        Url: `https://${issuers[0]}`,
        ClientIdList: ["sts.amazonaws.com"],
        Tags: [{ Key: "team", Value: "platform" }],
      })),
    );
  });

  test("creates managed policies if the inline quota is exceeded, and attaches all of them to each role", () => {
    const permissions = plan({
      additionalActions: Array.from({ length: 40 }, (_, n) => `ec2:Describe${"x".repeat(40)}${n}`),
    });
    const resources = render({ permissions }, "111122223333");
    const policies = Object.entries(resources).filter(([, { Type }]) => Type === "AWS::IAM::ManagedPolicy");
    expect(policies.map(([, { Properties }]) => [Properties.ManagedPolicyName, Properties.PolicyDocument])).toEqual(
      permissions.policies.map(({ name, document }) => [name, document]),
    );
    expect(policies.length).toBeGreaterThan(1);
    for (const { Properties } of ofType(resources, "AWS::IAM::Role")) {
      expect(Properties.ManagedPolicyArns).toEqual(policies.map(([id]) => ({ Ref: id })));
      expect(Properties).not.toHaveProperty("Policies");
    }
  });

  test("leaves a user's own variables and ARNs as they are", () => {
    const replacement: PolicyDocument = {
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: "s3:ListBucket", Resource: ["arn:aws:s3:::logs-${aws:PrincipalAccount}", "*"] },
      ],
    };
    const permissions = plan({ replacement, sensitiveReads: "allow" });
    const [role] = ofType(render({ permissions }, "111122223333"), "AWS::IAM::Role");
    expect(role?.Properties.Policies).toEqual([{ PolicyName: "MCPReadOnlyPolicy", PolicyDocument: replacement }]);
  });

  test.each([
    ["Boundary", "arn:aws:iam::111122223333:policy/Boundary"],
    ["team/Boundary", "arn:aws:iam::111122223333:policy/team/Boundary"],
    ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"],
  ])("puts the boundary %s on each role", (permissionsBoundary, arn) => {
    for (const { Properties } of ofType(render({ permissionsBoundary }, "111122223333"), "AWS::IAM::Role")) {
      expect(Properties.PermissionsBoundary).toBe(arn);
    }
  });

  test.each([1, 2, 11, 101])("creates no provider in the %s accounts that already have it", (count) => {
    const having = Array.from({ length: count }, (_, n) => String(100_000_000_000 + n));
    const existingOidcProviders = { B: having };
    const urls = (accountId: string) =>
      ofType(render({ existingOidcProviders }, accountId), "AWS::IAM::OIDCProvider").map(
        ({ Properties }) => Properties.Url,
      );
    for (const accountId of [having[0]!, having.at(-1)!]) {
      expect(urls(accountId)).toHaveLength(4);
      expect(urls(accountId)).not.toContain(`https://${issuer("B")}`);
    }
    expect(urls("999999999999")).toHaveLength(5);
  });

  test("creates each role after the providers that it trusts, including previous ones of a re-created cluster", () => {
    const recreated = [{ name: "A", issuers: [issuer("A"), issuer("F")] }];
    const resources = render({ clusters: recreated }, "111122223333");
    const providers = Object.keys(resources).filter((id) => resources[id]!.Type === "AWS::IAM::OIDCProvider");
    expect(providers).toHaveLength(2);
    expect(ofType(resources, "AWS::IAM::Role")[0]?.DependsOn).toEqual(providers);
  });

  test("keeps the logical ids of a cluster when others come or go", () => {
    const ids = (some: TrustCluster[]) =>
      Object.entries(organizationTemplate(args({ clusters: some })).Resources).map(([id, { Type }]) => `${Type} ${id}`);
    expect(ids(clusters)).toEqual(expect.arrayContaining(ids(clusters.slice(0, 4))));
    expect(ids(clusters.slice(1)).every((id) => ids(clusters).includes(id))).toBe(true);
  });

  test("retains the providers on deletion only if configured", () => {
    const policies = (retainOidcProviders: boolean) =>
      Object.values(organizationTemplate(args({ retainOidcProviders })).Resources)
        .filter(({ Type }) => Type === "AWS::IAM::OIDCProvider")
        .map(({ DeletionPolicy }) => DeletionPolicy);
    expect(new Set(policies(true))).toEqual(new Set(["Retain"]));
    expect(new Set(policies(false))).toEqual(new Set([undefined]));
  });

  test("has the IDs, attributes and size that CloudFormation accepts", () => {
    const template = organizationTemplate(args({ existingOidcProviders: { A: ["111122223333"] } }));
    const ids = [
      ...Object.keys(template.Resources),
      ...Object.keys(template.Outputs),
      ...Object.keys(template.Conditions!),
    ];
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{1,255}$/);
    expect(Buffer.byteLength(JSON.stringify(template))).toBeLessThanOrEqual(TEMPLATE_BODY_LIMIT);
  });

  test("reports too many roles for one template, and a cluster that does not fit", () => {
    const many = Array.from({ length: 40 }, (_, n) => ({
      name: `c${n}`,
      issuers: [issuer(n.toString(16).slice(-1).toUpperCase())],
    }));
    expect(() => organizationTemplate(args({ clusters: many }))).toThrow(
      expect.objectContaining({ name: "SizeError", subject: "the template of the StackSet", limit: 51200 }),
    );
    expect(() => organizationTemplate(args({ trustPolicyLimit: 300 }))).toThrow(SizeError);
  });
});

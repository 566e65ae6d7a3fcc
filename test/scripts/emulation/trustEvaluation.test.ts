import { describe, expect, test } from "vitest";
import type { PolicyDocument, Statement } from "../../../policies/types.js";
import { evaluateTrust } from "../../../scripts/emulation/trustEvaluation.js";

const issuer = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const providerArn = `arn:aws:iam::111111111111:oidc-provider/${issuer}`;
const subject = "system:serviceaccount:default:multi-account-mcp-sa";
const claims = { aud: ["sts.amazonaws.com"], sub: subject };

const statement = (change: Partial<Statement> = {}): Statement => ({
  Effect: "Allow",
  Principal: { Federated: providerArn },
  Action: "sts:AssumeRoleWithWebIdentity",
  Condition: { StringEquals: { [`${issuer}:aud`]: "sts.amazonaws.com", [`${issuer}:sub`]: subject } },
  ...change,
});
const policy = (...statements: Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement: statements });
const allowed = (change: Partial<Statement>, token: Record<string, unknown> = claims) =>
  evaluateTrust(policy(statement(change)), { providerArn, claims: token }).allowed;
const subjectIs = (operator: string, ...values: string[]) => ({
  Condition: { [operator]: { [`${issuer}:sub`]: values } },
});

describe("evaluateTrust", () => {
  test("allows the pair in the policy, and reports the statement", () => {
    const other = statement({ Principal: { Federated: providerArn.replace("eu-west-1", "us-east-1") } });
    expect(evaluateTrust(policy(other, statement()), { providerArn, claims })).toEqual({
      allowed: true,
      reason: "statement 2 allows it",
    });
  });

  test("denies when no statement matches, and reports the reason for each", () => {
    const verdict = evaluateTrust(policy(statement(), statement({ Action: "sts:AssumeRole" })), {
      providerArn,
      claims: { ...claims, sub: "system:serviceaccount:default:other" },
    });
    expect(verdict.allowed).toBe(false);
    expect(verdict.reason).toContain(`statement 1: ${issuer}:sub is "system:serviceaccount:default:other", not`);
    expect(verdict.reason).toContain("statement 2: its action is not sts:AssumeRoleWithWebIdentity");
  });

  test("denies with a policy without statements", () => {
    expect(evaluateTrust(policy(), { providerArn, claims }).allowed).toBe(false);
  });

  test.each<[string, Partial<Statement>, boolean]>([
    ["the provider", { Principal: { Federated: providerArn } }, true],
    [
      "one of several providers",
      { Principal: { Federated: ["arn:aws:iam::111111111111:oidc-provider/x", providerArn] } },
      true,
    ],
    ["any principal", { Principal: "*" }, true],
    ["any principal, written as AWS", { Principal: { AWS: "*" } }, true],
    ["another account's provider", { Principal: { Federated: providerArn.replaceAll("1111", "2222") } }, false],
    ["an account", { Principal: { AWS: "arn:aws:iam::111111111111:root" } }, false],
    ["a service", { Principal: { Service: "pods.eks.amazonaws.com" } }, false],
    ["no principal", { Principal: undefined }, false],
  ])("principal: %s", (_, change, expected) => {
    expect(allowed(change)).toBe(expected);
  });

  test.each<[string, boolean]>([
    ["sts:AssumeRoleWithWebIdentity", true],
    ["STS:assumerolewithwebidentity", true],
    ["sts:AssumeRole*", true],
    ["sts:*", true],
    ["*", true],
    ["sts:AssumeRole", false],
    ["sts:TagSession", false],
  ])("action %s", (action, expected) => {
    expect(allowed({ Action: action })).toBe(expected);
    expect(allowed({ Action: ["sts:TagSession", action] })).toBe(expected);
  });

  test("matches a wildcard literally in StringEquals, on either side", () => {
    expect(allowed(subjectIs("StringEquals", "system:serviceaccount:default:*"))).toBe(false);
    expect(allowed({}, { ...claims, sub: "system:serviceaccount:default:*" })).toBe(false);
    expect(allowed({}, { ...claims, sub: "*" })).toBe(false);
  });

  test("compares values with their case and condition keys without", () => {
    expect(allowed({}, { ...claims, sub: subject.toUpperCase() })).toBe(false);
    expect(allowed({ Condition: { StringEquals: { [`${issuer.toUpperCase()}:SUB`]: subject } } })).toBe(true);
  });

  test("needs every key, and one value of each key", () => {
    const both = { [`${issuer}:aud`]: "sts.amazonaws.com", [`${issuer}:sub`]: "another-subject" };
    expect(allowed({ Condition: { StringEquals: both } })).toBe(false);
    expect(allowed(subjectIs("StringEquals", "another-subject", subject))).toBe(true);
    expect(allowed({}, { ...claims, aud: "https://kubernetes.default.svc" })).toBe(false);
    expect(allowed({}, { ...claims, aud: ["https://kubernetes.default.svc", "sts.amazonaws.com"] })).toBe(true);
  });

  test("has no value for a missing claim or a key of another issuer", () => {
    expect(allowed({}, { aud: claims.aud })).toBe(false);
    expect(allowed({ Condition: { StringEquals: { "other.example:sub": subject } } })).toBe(false);
    expect(allowed({ Condition: { StringEquals: { "aws:PrincipalOrgID": "*" } } })).toBe(false);
  });

  test("compares aud with the authorized party when the token has one", () => {
    expect(allowed({}, { ...claims, azp: "another-client" })).toBe(false);
    expect(allowed({}, { ...claims, aud: ["x"], azp: "sts.amazonaws.com" })).toBe(true);
  });

  test("a matching Deny overrides every Allow, in any position", () => {
    const deny = statement({ Effect: "Deny" });
    expect(evaluateTrust(policy(statement(), deny), { providerArn, claims })).toEqual({
      allowed: false,
      reason: "statement 2 denies it",
    });
    const denyOther = statement({ Effect: "Deny", ...subjectIs("StringEquals", "another-subject") });
    expect(evaluateTrust(policy(denyOther, statement()), { providerArn, claims }).allowed).toBe(true);
  });

  test.each<[string, Partial<Statement> & Record<string, unknown>]>([
    ["StringLike", subjectIs("StringLike", subject)],
    ["StringNotEquals", subjectIs("StringNotEquals", "x")],
    ["StringEqualsIfExists", subjectIs("StringEqualsIfExists", subject)],
    ["ForAnyValue:StringEquals", subjectIs("ForAnyValue:StringEquals", subject)],
    ["policy variable", subjectIs("StringEquals", "${aws:username}")],
    ["NotPrincipal", { Principal: undefined, NotPrincipal: "*" }],
    ["NotAction", { Action: undefined, NotAction: "s3:*" }],
    ["Effect", { Effect: "allow" as "Allow" }],
  ])("throws for elements that it cannot evaluate, in an Allow and in a Deny: %s", (what, change) => {
    expect(() => allowed(change)).toThrow(what);
    const deny = statement({ Effect: "Deny", ...change });
    expect(() => evaluateTrust(policy(statement(), deny), { providerArn, claims })).toThrow(what);
  });
});

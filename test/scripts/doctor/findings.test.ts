/** Findings for given facts, without an account. */
import { describe, expect, test } from "vitest";
import { OWNERSHIP_TAG, ownershipTag } from "../../../config/ownership.js";
import { trustRoles } from "../../../config/profiles.js";
import type { Settings } from "../../../config/settings.js";
import { documentOf } from "../../../policies/types.js";
import { accountAccesses } from "../../../scripts/doctor/accountAccess.js";
import type { Report } from "../../../scripts/doctor/doctor.js";
import { networkPolicyFinding } from "../../../scripts/doctor/findings/eks.js";
import { examine, wantedOf } from "../../../scripts/doctor/findings/examine.js";
import type { Finding } from "../../../scripts/doctor/findings/finding.js";
import type { AccountFacts, OidcProviderFacts, RoleFacts } from "../../../scripts/doctor/readings.js";
import { breakable, reportText } from "../../../scripts/doctor/report.js";
import { StackState } from "../../../scripts/doctor/state.js";
import { advice, audience, issuerOf, LegacyScript, providerArn, settingsOf } from "./support.js";

const accountId = "111111111111";
const roleName = "EKSMultiAccountMCPRole";
const script = new LegacyScript(undefined as never, accountId);
const trust = (...ids: string[]) => JSON.parse(script.trust(ids));

const provider = (id: string, more: Partial<OidcProviderFacts> = {}): OidcProviderFacts => ({
  arn: providerArn(accountId, id),
  audiences: [audience],
  tags: {},
  ...more,
});

const role = (more: Partial<RoleFacts> = {}): RoleFacts => ({
  name: roleName,
  arn: `arn:aws:iam::${accountId}:role/${roleName}`,
  path: "/",
  description: "",
  sessionDuration: 3600,
  boundaryArn: undefined,
  trust: trust("A", "B"),
  tags: {},
  inline: new Map([["MCPReadOnlyPolicy", { Version: "2012-10-17" as const, Statement: [] }]]),
  attached: [],
  ...more,
});

interface Has {
  providers?: readonly OidcProviderFacts[];
  roles?: readonly RoleFacts[];
  /** The stack's state; undefined if it is not given to doctor. */
  deployment?: object;
}

function findings(settings: Settings, { providers = [], roles = [], deployment }: Has) {
  const account = settings.targetAccounts[0]!;
  const wanted = wantedOf(settings, account);
  const find = <T>(names: readonly string[], get: (name: string) => T | undefined) =>
    new Map(names.map((name) => [name, { value: get(name) }]));
  const facts: AccountFacts = {
    oidcProviderCount: { value: providers.length },
    oidcProviders: find(wanted.oidcProviders, (arn) => providers.find((item) => item.arn === arn)),
    allRoles: { value: roles },
    roles: find(wanted.roles, (name) => roles.find((item) => item.name === name)),
    policies: find(wanted.managedPolicies, () => undefined),
    boundary: undefined,
    trustPolicyQuota: { value: 2048 },
  };
  const state = deployment && StackState.parse(JSON.stringify({ deployment }), "test", "state.json");
  return examine({ settings, account, facts, state });
}

const settings = (account: Record<string, unknown> = {}, overrides: Record<string, unknown> = {}) =>
  settingsOf([{ profile: "dev", accountId, ...account }], overrides);

test("an interrupted creation that AWS has is a problem, whose subject is the ARN that --repair completes", async () => {
  const urn = "urn:pulumi:test::p::pulumi:providers:aws::dev/aws";
  const inputs = { allowedAccountIds: [accountId], region: "us-east-1" };
  const pending = (type: string, own: object) => ({
    type: "creating",
    resource: { urn: `urn:pulumi:test::p::${type}::x`, type, inputs: own, provider: `${urn}::id` },
  });
  const deployment = {
    resources: [{ urn, type: "pulumi:providers:aws", id: "id", inputs }],
    pending_operations: [
      pending("aws:iam/role:Role", { name: roleName, path: "/" }),
      pending("aws:iam/openIdConnectProvider:OpenIdConnectProvider", { url: `https://${issuerOf("A")}` }),
    ],
  };
  const found = findings(await settings(), { roles: [role()], deployment });
  expect(advice(found.filter(({ code }) => code === "interrupted"))).toEqual([
    { level: "problem", code: "interrupted", subject: role().arn },
  ]);
});

/** alpha was re-created: its issuer is C…, the previous one A…. */
const recreated = {
  clusters: [
    {
      name: "alpha",
      region: "us-east-1",
      accountId: "999999999999",
      oidcIssuerId: "C".repeat(32),
      previousIssuers: [`https://${issuerOf("A")}`],
      deploy: false,
    },
  ],
};

test("reads only the OIDC providers of clusters that the account trusts", async () => {
  const other = { profile: "other", accountId: "222222222222" };
  const some = await settingsOf([{ profile: "dev", accountId, clusters: ["beta"] }, other]);
  expect(wantedOf(some, some.targetAccounts[0]!).oidcProviders).toEqual([providerArn(accountId, "B")]);
});

/** Without differences in content: these resources are older than the tag. */
const obstacles = (found: readonly Finding[]) => advice(found.filter(({ code }) => !code.endsWith("-differs")));

describe("a re-created cluster", () => {
  test("with the previous provider owned by the stack: the stack creates the new one", async () => {
    const tagged = { tags: { team: "platform" } };
    const found = findings(await settings({}, { ...recreated, iam: tagged }), {
      providers: [provider("A", tagged)],
      roles: [role({ trust: trust("A"), ...tagged })],
    });
    expect(obstacles(found)).toEqual([]);
    expect(found.map(({ code }) => code).slice(0, 2)).toEqual(["provider-absent", "provider-differs"]);
  });

  test("with the previous provider created by the legacy script: two steps, because a missing provider cannot be imported", async () => {
    const has = { providers: [provider("A")], roles: [role({ trust: trust("A") })] };
    const found = findings(await settings({}, recreated), has);
    const absent = found.find(({ code }) => code === "provider-adopt-absent")!;
    expect(absent.fix!.what).toMatch(/^Two steps: run pulumi up with oidcIssuerUrl set to the existing issuer/);
    expect(advice(findings(await settings({ adopt: true }, recreated), has))[0]).toMatchObject({
      level: "problem",
      code: "provider-adopt-absent",
      subject: "OIDC provider of alpha",
    });
  });

  test("with the previous provider of another owner: the new one must exist too", async () => {
    const foreign = [provider("A", { tags: { owner: "eksctl" } })];
    const create = `aws iam create-open-id-connect-provider --url https://${issuerOf("C")} --client-id-list ${audience} --profile dev`;
    const existing = { at: "targetAccounts, profile dev", config: "existingOidcProviders: [alpha]" };
    expect(advice(findings(await settings({}, recreated), { providers: foreign }))).toEqual([
      {
        level: "problem",
        code: "provider-existing-absent",
        subject: "OIDC provider of alpha",
        ...existing,
        commands: [create],
      },
      {
        level: "problem",
        code: "provider-of-others",
        subject: `OIDC provider of alpha (previous issuer ${"A".repeat(32)})`,
        ...existing,
      },
    ]);
    const declared = await settings({ existingOidcProviders: ["alpha"] }, recreated);
    expect(advice(findings(declared, { providers: foreign }))).toEqual([
      {
        level: "problem",
        code: "provider-existing-absent",
        subject: "OIDC provider of alpha",
        ...existing,
        commands: [create],
      },
    ]);
    // With iam.retainOidcProviders, a deleted provider that is still in the state changes nothing.
    const type = "aws:iam/openIdConnectProvider:OpenIdConnectProvider";
    const resources = [{ urn: `urn:pulumi:test::p::${type}::x`, type, id: providerArn(accountId, "C") }];
    const retained = await settings(
      { existingOidcProviders: ["alpha"] },
      { ...recreated, iam: { retainOidcProviders: true } },
    );
    expect(advice(findings(retained, { providers: foreign, deployment: { resources } }))).toEqual(
      advice(findings(declared, { providers: foreign })),
    );
    // A missing previous provider is only a note, because the previous cluster is being removed.
    const now = [provider("C", { tags: { owner: "eksctl" } })];
    expect(advice(findings(declared, { providers: now })).map(({ level }) => level)).toEqual(["note"]);
  });

  test.each([
    ["another owner", { tags: { owner: "eksctl" } }, []],
    ["the legacy script", {}, [role({ trust: trust("A") })]],
  ])("with the previous provider of %s, and the stack's new one deleted: up --refresh", async (_, more, roles) => {
    const type = "aws:iam/openIdConnectProvider:OpenIdConnectProvider";
    const resources = [{ urn: `urn:pulumi:test::p::${type}::x`, type, id: providerArn(accountId, "C") }];
    const has = { providers: [provider("A", more)], roles, deployment: { resources } };
    expect(findings(await settings({}, recreated), has)[0]).toMatchObject({
      level: "problem",
      code: "provider-gone",
      subject: "OIDC provider of alpha",
      fix: { commands: ["pulumi up --refresh --stack test"] },
    });
  });
});

describe("an OIDC provider with the tags of iam.tags", () => {
  const tagged = { tags: { team: "platform" } };

  test("belongs to another owner if no role of the stack trusts it", async () => {
    const found = findings(await settings({}, { iam: tagged }), { providers: [provider("A", tagged)] });
    expect(advice(found).map(({ code, config }) => [code, config])).toEqual([
      ["provider-of-others", "existingOidcProviders: [alpha]"],
    ]);
  });

  test("belongs to the stack if a role of the stack has the same tags, even after iam.tags changed", async () => {
    const written = {
      inline: new Map([["MCPReadOnlyPolicy", (await settings()).targetAccounts[0]!.permissions.policies[0]!.document]]),
    };
    const found = findings(await settings({}, { iam: { tags: { team: "new" } } }), {
      providers: [provider("A", tagged), provider("B", { tags: { owner: "eksctl" } })],
      roles: [role({ ...tagged, ...written })],
    });
    expect(found.map(({ code }) => code)).toEqual(expect.arrayContaining(["provider-differs", "role-ours"]));
    expect(obstacles(found).map(({ code, config }) => [code, config])).toEqual([
      ["provider-of-others", "existingOidcProviders: [beta]"],
    ]);
  });
});

test("the stack's own OIDC provider without its audience is a problem also without --expect-no-changes", async () => {
  const tags = { [OWNERSHIP_TAG]: ownershipTag("test") };
  const found = findings(await settings(), { providers: [provider("A", { tags, audiences: ["other"] })] });
  expect(found.find(({ code }) => code === "provider-audience")).toEqual({
    level: "problem",
    code: "provider-audience",
    subject: "OIDC provider of alpha",
    message: "its audiences are other, without sts.amazonaws.com: STS rejects the server's tokens",
    fix: expect.objectContaining({ commands: ["pulumi up --refresh --stack test"] }),
  });
});

test("an existingOidcProviders entry that the account does not trust does not count for adopt: true", async () => {
  const partly = { profile: "dev", accountId, clusters: ["alpha", "beta"], existingOidcProviders: ["gamma"] };
  const clusters = ["A", "B", "C"].map((id, index) => ({
    name: ["alpha", "beta", "gamma"][index],
    region: "us-east-1",
    accountId: "999999999999",
    oidcIssuerId: id.repeat(32),
    deploy: false,
  }));
  const both = await settingsOf([partly, { profile: "other", accountId: "222222222222" }], { clusters });
  const found = findings(both, { providers: [provider("A")], roles: [role({ trust: trust("A") })] });
  expect(found.find(({ code }) => code === "provider-of-script")!.fix!.config).toBe(
    "adopt: {oidcProviders: [alpha], role: true, policy: true}",
  );
});

describe("a role", () => {
  const all = [provider("A"), provider("B")];

  test("with the stack's trust policy and description belongs to the stack, without other evidence", async () => {
    const described = await settings({ description: "Development" });
    const document = trustRoles(described, described.targetAccounts[0]!, [
      { name: "alpha", issuerUrl: `https://${issuerOf("A")}`, previousIssuers: [] },
      { name: "beta", issuerUrl: `https://${issuerOf("B")}`, previousIssuers: [] },
    ])[0]!.document;
    const roles = [role({ trust: document, description: "Development", inline: new Map() })];
    expect(obstacles(findings(described, { providers: all, roles }))).toEqual([]);
  });

  test("that is not in the state is not described as unlike the stack", async () => {
    const tagged = { tags: { team: "platform" } };
    const has = { providers: all, roles: [role(tagged)], deployment: {} };
    const found = findings(await settings({}, { iam: tagged }), has);
    expect(found.find(({ code }) => code === "role-of-others")!.message).toBe(
      "managed outside this stack: it is not in the stack's state and does not have the legacy script's form",
    );
  });

  test("with the inline policy from before its permissions moved to managed policies: up deletes it first", async () => {
    const plain = await settings();
    const managed: Settings = {
      ...plain,
      targetAccounts: plain.targetAccounts.map((account) => ({
        ...account,
        permissions: { ...account.permissions, placement: "managed" },
      })),
    };
    const own = role({ tags: { [OWNERSHIP_TAG]: ownershipTag("test") } });
    const found = findings(managed, { providers: all, roles: [own] });
    expect(found.find(({ code }) => code === "policy-of-others")!.fix!.what).toMatch(/^After the next pulumi up/);
  });

  test("of the stack at another path", async () => {
    const tagged = { tags: { team: "platform" } };
    const iam = await settings({}, { iam: { ...tagged, path: "/holmes/" } });
    const providers = [provider("A", tagged), provider("B", tagged)];
    expect(obstacles(findings(iam, { providers, roles: [role(tagged)] }))).toEqual([
      { level: "note", code: "role-path", subject: `role ${roleName}`, at: "iam", config: "path: /" },
    ]);
  });

  test.each([
    ["one statement of this program in its policy", ["Observability"], "role-of-script"],
    ["two statements of this program in its policy", ["Observability", "ComputeAndVpc"], "role-ours"],
  ])("without tags and with %s", async (_, sids, code) => {
    const document = documentOf(sids.map((Sid) => ({ Sid, Effect: "Allow", Action: "*", Resource: "*" })));
    const roles = [role({ inline: new Map([["MCPReadOnlyPolicy", document]]) })];
    const found = findings(await settings(), { providers: all, roles });
    expect(found.map((finding) => finding.code)).toContain(code);
  });

  test("of another stack of this program does not belong to this stack, with any tags", async () => {
    const tagged = { tags: { team: "platform" } };
    const sibling = role({ ...tagged, trust: trust("F") });
    const found = advice(findings(await settings({}, { iam: tagged }), { roles: [sibling] }));
    expect(found).toEqual([
      {
        level: "problem",
        code: "role-of-others",
        subject: `role ${roleName}`,
        at: "iam",
        config: `roleName: ${roleName}-holmes`,
      },
    ]);
  });

  test("of the legacy script that trusts more clusters than the stack: reported, because up removes them", async () => {
    const roles = [role({ trust: trust("A", "B", "F") })];
    const found = findings(await settings({ adopt: true }), { providers: all, roles });
    expect(advice(found).map(({ level, code }) => [level, code])).toEqual([["note", "role-trust-removed"]]);
    expect(found.find(({ code }) => code === "role-trust-removed")!.message).toContain(issuerOf("F"));
  });

  test("with a number was not created by the legacy script: the fix is another role name", async () => {
    const pinned = await settings(
      {},
      {
        clusters: ["A", "B"].map((id, index) => ({
          name: `c${index}`,
          region: "us-east-1",
          accountId: "999999999999",
          oidcIssuerId: id.repeat(32),
          roleNumber: index + 1,
          deploy: false,
        })),
      },
    );
    const roles = [role({ name: `${roleName}-2`, arn: `arn:aws:iam::${accountId}:role/${roleName}-2` })];
    expect(advice(findings(pinned, { roles })).map(({ code, config }) => [code, config])).toEqual([
      ["role-of-others", `roleName: ${roleName}-holmes`],
    ]);
  });

  test.each([
    ["a principal of another kind", { Principal: { AWS: "arn:aws:iam::222222222222:root" } }],
    ["a second condition", { Condition: { StringEquals: {}, IpAddress: {} } }],
    [
      "another audience",
      { Condition: { StringEquals: { [`${issuerOf("A")}:aud`]: "x", [`${issuerOf("A")}:sub`]: "y" } } },
    ],
    ["a Sid", { Sid: "Console" }],
    ["a wildcard operator", { Condition: { StringLike: trust("A").Statement[0].Condition.StringEquals } }],
  ])("with %s in its trust policy was not created by the legacy script", async (_, change) => {
    const document = trust("A");
    Object.assign(document.Statement[0], change);
    const codes = findings(await settings(), { roles: [role({ trust: document })] }).map(({ code }) => code);
    expect(codes).toContain("role-of-others");
    expect(codes).not.toContain("role-of-script");
  });
});

test("the trust policy quota is raised through AWS Support outside the partition aws; without --profile for an assumed role", async () => {
  const china = await settings({ region: "cn-north-1" }, { iam: { trustPolicyLimit: 4096 } });
  expect(findings(china, {}).find(({ code }) => code === "trust-quota")!.fix).toEqual({
    what: `Ask AWS Support to raise the trust policy quota of account ${accountId} to 4096.`,
    at: "iam",
    config: "trustPolicyLimit: 2048",
  });
  const assumeRole = { roleArn: `arn:aws:iam::${accountId}:role/Provisioner` };
  const assumed = await settings({ assumeRole }, { iam: { trustPolicyLimit: 4096 } });
  expect(findings(assumed, {}).find(({ code }) => code === "trust-quota")!.fix!.commands![0]).toMatch(
    /--region us-east-1$/,
  );
});

describe("the report", () => {
  const report: Report = {
    stack: "dev",
    ok: false,
    upWithout: null,
    recovery: null,
    accounts: [
      {
        profile: "dev",
        accountId,
        purposes: ["target account"],
        read: true,
        caller: "arn:aws:sts::111111111111:assumed-role/x/y",
        findings: [
          { level: "ok", code: "credentials", subject: "credentials", message: "account 111111111111" },
          { level: "ok", code: "provider-absent", subject: "OIDC provider of alpha", message: "absent" },
          {
            level: "problem",
            code: "role-of-script",
            subject: `role ${roleName}`,
            message: `arn:aws:iam::${accountId}:role/${"a-very-long-name".repeat(8)}`,
            fix: {
              what: "Adopt it.",
              at: "targetAccounts, profile dev",
              config: "adopt: true",
              commands: ["aws x"],
            },
          },
        ],
      },
    ],
  };

  test("has a row for each problem and note, and complete lines to copy", () => {
    const text = reportText(report, 120);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
    const cells = text.split("\n").filter((line) => line.startsWith("│"));
    expect(cells[1]).toContain("│ dev     │ 111111111111 │ ✗ role EKSMultiAccountMCPRole:");
    expect(text.replaceAll(/[│\s]/g, "")).toContain("a-very-long-name".repeat(8).slice(0, 40));
    expect(text).toContain("✓ credentials, OIDC provider of alpha (to be");
    expect(text).toContain("\n[1] targetAccounts, profile dev: adopt: true\n[2] run: aws x\n");
    expect(text.split("\n").at(-1)).toBe("dev: 1 problem; 1 account read, nothing was changed");
  });

  test("breaks long words at the end of the line without losing characters", () => {
    const ten = "x".repeat(10);
    expect(breakable(`short ${ten}${ten}xxxxx end`, 10)).toBe(`short ${ten} ${ten} xxxxx end`);
    expect(breakable(`one\n${ten}`, 10)).toBe(`one\n${ten}`);
    expect(reportText(report, 100)).not.toContain("…");
  });
});

test("quotes names that YAML would parse as another type", async () => {
  const clusters = ["true", "123"].map((name, index) => ({
    name,
    region: "us-east-1",
    accountId: "999999999999",
    oidcIssuerId: ["A", "B"][index]!.repeat(32),
    deploy: false,
  }));
  const foreign = { tags: { owner: "eksctl" } };
  const found = findings(await settings({}, { clusters }), {
    providers: [provider("A", foreign), provider("B", foreign)],
  });
  expect(found[0]!.fix!.config).toBe('existingOidcProviders: ["true", "123"]');
});

describe("the add-on vpc-cni", () => {
  const finding = async (found: Parameters<typeof networkPolicyFinding>[2]) => {
    const settings = await settingsOf([{ profile: "home", accountId }], {
      clusters: [
        { name: "prod", eksName: "production", region: "us-east-1", accountId, profile: "home", deploy: false },
      ],
    });
    const access = accountAccesses(settings).find(({ clusters }) => clusters.length > 0)!;
    return networkPolicyFinding(access.clusters[0]!, access, found);
  };

  test.each(['{"enableNetworkPolicy":"true"}', '{"enableNetworkPolicy": true, "env": {}}'])(
    "enforces NetworkPolicies with %s",
    async (value) => expect(await finding({ value })).toMatchObject({ level: "ok", code: "network-policy" }),
  );

  test.each(["{}", '{"enableNetworkPolicy":"false"}', '{"env":{"NOTE":"enableNetworkPolicy"}}'])(
    "does not enforce NetworkPolicies with %s",
    async (value) =>
      expect(await finding({ value })).toMatchObject({
        level: "note",
        code: "network-policy-off",
        fix: { commands: [expect.stringMatching(/eks update-addon --cluster-name production --region us-east-1/)] },
      }),
  );

  test("is not checked when EKS does not manage it or rejects the call", async () => {
    expect(await finding({ value: undefined })).toMatchObject({
      level: "note",
      code: "network-policy",
      message: expect.stringContaining("EKS does not manage vpc-cni"),
    });
    const failure = { call: "eks:DescribeAddon", code: "AccessDenied", message: "no" };
    expect(await finding({ failure } as never)).toMatchObject({
      level: "note",
      code: "network-policy",
      message: "not checked: eks:DescribeAddon: AccessDenied: no",
    });
  });
});

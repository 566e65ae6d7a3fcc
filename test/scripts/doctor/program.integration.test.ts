/** doctor with the program itself: the program's resources belong to the stack, and both authenticate the same way. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Evaluation } from "../../../scripts/common/evaluate.js";
import { accountAccesses } from "../../../scripts/doctor/accountAccess.js";
import { upWithout } from "../../../scripts/doctor/advice.js";
import { doctor, type Report } from "../../../scripts/doctor/doctor.js";
import { StackState } from "../../../scripts/doctor/state.js";
import { EmulatedAws } from "../../../scripts/emulation/emulatedAws.js";
import { accountClient } from "../../../scripts/emulation/moto.js";
import { evaluated } from "../../program/stacks.js";
import { changes } from "./changes.js";
import { advice, Emulation, providerArn } from "./support.js";

const emulation = new Emulation();
const role = "EKSMultiAccountMCPRole";

beforeAll(() => emulation.start());
afterAll(() => emulation.stop());

type Raw = Record<string, unknown>;

const cluster = (name: string, id: string): Raw => ({
  name,
  region: "us-east-1",
  accountId: "999999999999",
  oidcIssuerId: id.repeat(32),
  deploy: false,
});

/** Enough to exceed the limit of inline policies. */
const manyActions = Array.from({ length: 50 }, (_, index) => `glue:GetJobRun${index}`);

/** Evaluates the program with a config; with `make`, creates its IAM resources in the emulated AWS. */
async function program(config: Raw, make = true): Promise<Evaluation> {
  const values = Object.entries(config).map(([key, value]) => [`holmes-aws-mcp:${key}`, JSON.stringify(value)]);
  const evaluation = await evaluated("test", { values: Object.fromEntries(values), secretKeys: [] });
  if (make) await new EmulatedAws(emulation.motoUrl).create(evaluation, evaluation.settings.targetAccounts);
  return evaluation;
}

/**
 * The output of `pulumi stack export` after that.
 *
 * @param accountIds by profile, which starts the names of an account's resources
 */
function stateOf({ resources }: Evaluation, accountIds: Readonly<Record<string, string>>): string {
  const arns: Record<string, (inputs: Record<string, unknown>) => string> = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": ({ url }) =>
      `oidc-provider/${String(url).replace("https://", "")}`,
    "aws:iam/role:Role": ({ path, name }) => `role${path}${name}`,
    "aws:iam/policy:Policy": ({ path, name }) => `policy${path}${name}`,
  };
  return JSON.stringify({
    version: 3,
    deployment: {
      resources: [
        { urn: "urn:pulumi:test::holmes-aws-mcp::pulumi:pulumi:Stack::x", type: "pulumi:pulumi:Stack" },
        ...resources.map(({ urn, type, name, open }) => ({
          urn,
          type,
          id: name,
          outputs: { arn: arns[type] && `arn:aws:iam::${accountIds[name.split("/")[0]!]}:${arns[type](open)}` },
        })),
      ],
    },
  });
}

describe("resources that the program created", () => {
  test.each([
    ["with the defaults", {}],
    ["with tags and a path", { iam: { tags: { team: "platform" }, path: "/holmes/" } }],
    [
      "for many clusters, in several roles",
      { clusters: ["1", "2", "3", "4", "5", "6"].map((id) => cluster(`c${id}`, id)) },
    ],
    ["in managed policies", { iam: { policyChecks: "warn", additionalActions: manyActions } }],
  ])("belong to the stack without the state, %s", async (name, overrides: Raw) => {
    const own = await emulation.account(name.replaceAll(/\W/g, "-"));
    const { settings } = await program({ clusters: [cluster("alpha", "A")], targetAccounts: [own], ...overrides });
    const report = await doctor(settings);
    const { findings } = report.accounts[0]!;
    expect(advice(findings)).toEqual([]);
    const codes = findings.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(["provider-ours", "role-ours"]));
    expect(codes.filter((code) => /absent/.test(code))).toEqual([]);
    expect(report.ok).toBe(true);
  });

  test("still belong to the stack after tags and description change, and are reported as different", async () => {
    const own = await emulation.account("changed");
    const config = { clusters: [cluster("alpha", "A")], targetAccounts: [own] };
    await program(config);
    const { settings } = await program(
      { ...config, targetAccounts: [{ ...own, description: "New" }], iam: { tags: { team: "new" } } },
      false,
    );
    const report = await doctor(settings);
    expect(report.ok).toBe(true);
    expect(advice(report.accounts[0]!.findings).map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      "provider-differs OIDC provider of alpha",
      `role-differs description of role ${role}`,
      `role-differs tags of role ${role}`,
    ]);
  });

  test("belong to another stack if the stack has another name", async () => {
    const own = await emulation.account("other-stack");
    const { settings } = await program({ clusters: [cluster("alpha", "A")], targetAccounts: [own] });
    const report = await doctor({ ...settings, stack: "second" });
    expect(advice(report.accounts[0]!.findings).map(({ code }) => code)).toEqual([
      "provider-of-others",
      "role-of-others",
    ]);
  });
});

describe("a change outside Pulumi", () => {
  const profileOf = (name: string) => name.replaceAll(/\W/g, "-");
  /** One account per change. */
  let before: Report;
  let after: Report;

  beforeAll(async () => {
    const targetAccounts = [];
    for (const { name } of changes) {
      targetAccounts.push(await emulation.account(profileOf(name), (script) => script.managedPolicy("Boundary")));
    }
    const made = await program({
      clusters: [cluster("alpha", "A")],
      targetAccounts,
      iam: { tags: { team: "platform" }, permissionsBoundary: "Boundary" },
    });
    const accountIds = Object.fromEntries(targetAccounts.map(({ profile, accountId }) => [profile, accountId]));
    const state = StackState.parse(stateOf(made, accountIds), "test", "state.json");
    before = await doctor(made.settings, { state, expectNoChanges: true });
    for (const [index, { apply }] of changes.entries()) {
      const { accountId } = targetAccounts[index]!;
      const iam = accountClient(emulation.motoUrl, accountId);
      await apply({ iam, accountId, provider: providerArn(accountId, "A") });
      iam.destroy();
    }
    after = await doctor(made.settings, { state, expectNoChanges: true });
  });

  test("is not reported before it happens", () => {
    expect(before.ok).toBe(true);
    expect(before.accounts.map(({ findings }) => advice(findings))).toEqual(changes.map(() => []));
    expect(after.ok).toBe(false);
  });

  test.each(changes)("$name", ({ name, code, says, command }) => {
    const { findings } = after.accounts.find(({ profile }) => profile === profileOf(name))!;
    const named = findings.filter(({ level }) => level === "problem");
    expect(named.map((finding) => finding.code)).toEqual([code]);
    expect(`${named[0]!.subject} ${named[0]!.message}`).toMatch(says);
    expect(named[0]!.fix!.commands!.join()).toMatch(command ?? /^pulumi up --refresh --stack test$/);
  });
});

describe("the state", () => {
  test("shows the owner of each resource, and missing resources", async () => {
    const own = await emulation.account("stated");
    const config = { clusters: [cluster("alpha", "A"), cluster("beta", "B")], targetAccounts: [own] };
    const made = await program(config);
    const state = StackState.parse(stateOf(made, { stated: own.accountId }), "test", "state.json");
    const report = await doctor(made.settings, { state });
    expect(report.ok).toBe(true);
    expect(
      report.accounts[0]!.findings.filter(
        ({ message }) => message === "belongs to this stack: it is in the stack's state",
      ),
    ).toHaveLength(3);

    // The state does not contain them: adopt imports them again.
    const none = StackState.parse('{"version":3,"deployment":{}}', "test", "state.json");
    const withoutThem = await doctor(made.settings, { state: none });
    expect(advice(withoutThem.accounts[0]!.findings).map(({ code }) => code)).toEqual([
      "provider-of-script",
      "provider-of-script",
      "role-of-script",
    ]);

    // With existingOidcProviders, the next up would delete the stack's own providers.
    const declared = {
      ...made.settings,
      targetAccounts: made.settings.targetAccounts.map((item) => ({
        ...item,
        existingOidcProviders: ["alpha", "beta"],
      })),
    };
    const urn = made.resources.find(({ open }) => String(open.url).endsWith("A".repeat(32)))!.urn;
    const removing = advice((await doctor(declared, { state })).accounts[0]!.findings);
    expect(removing).toHaveLength(2);
    expect(removing[0]).toEqual({
      level: "problem",
      code: "provider-existing-ours",
      subject: "OIDC provider of alpha",
      at: "targetAccounts, profile stated",
      config: "existingOidcProviders: []",
      commands: [`pulumi state delete --stack test '${urn}'`],
    });

    // The resources were deleted manually, but the state still contains them.
    const cleaned = await emulation.account("cleaned");
    const empty = {
      ...made.settings,
      targetAccounts: made.settings.targetAccounts.map((item) => ({ ...item, ...cleaned })),
    };
    const lost = StackState.parse(stateOf(made, { stated: cleaned.accountId }), "test", "state.json");
    expect(advice((await doctor(empty, { state: lost })).accounts[0]!.findings)).toEqual([
      ...["alpha", "beta"].map((name) => ({
        level: "problem",
        code: "provider-gone",
        subject: `OIDC provider of ${name}`,
        commands: ["pulumi up --refresh --stack test"],
      })),
      { level: "problem", code: "role-gone", subject: `role ${role}`, commands: ["pulumi up --refresh --stack test"] },
    ]);
  });

  test("is rejected if it is not an export or belongs to another stack", () => {
    const parse = (content: string) => () => StackState.parse(content, "prod", "state.json");
    expect(parse("{")).toThrow("--state state.json: not JSON");
    expect(parse('{"resources":[]}')).toThrow('not a stack export: it has no "deployment"');
    const resources = [{ urn: "urn:pulumi:dev::holmes-aws-mcp::pulumi:pulumi:Stack::x", type: "pulumi:pulumi:Stack" }];
    expect(parse(JSON.stringify({ deployment: { resources } }))).toThrow(
      "the state of stack dev, not of prod. Create it with: pulumi stack export --stack prod --file state.json",
    );
  });

  test("also finds a resource by its ID, and ignores resources that are pending deletion", () => {
    const arn = providerArn("111111111111", "A");
    const of = (more: object) =>
      StackState.parse(
        JSON.stringify({
          deployment: {
            resources: [
              {
                urn: "urn:pulumi:test::p::aws:iam/openIdConnectProvider:OpenIdConnectProvider::x",
                type: "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
                id: arn,
                ...more,
              },
            ],
          },
        }),
        "test",
        "state.json",
      ).urnOf(arn);
    expect(of({})).toMatch(/::x$/);
    expect(of({ delete: true })).toBeUndefined();
  });
});

test("authenticates to every account as the program's providers do", async () => {
  const assumeRole = { roleArn: "arn:aws:iam::333333333333:role/P", externalId: "ext-1", sourceProfile: "source" };
  const evaluation = await program(
    {
      clusters: [
        { ...cluster("known", "A"), profile: "cluster-a" },
        { name: "looked-up", region: "eu-west-1", accountId: "888888888888", profile: "cluster-b", deploy: false },
        { ...cluster("home", "C"), accountId: "111111111111", profile: "dev", deploy: true },
        { ...cluster("kube", "D"), profile: "cluster-d", deploy: true, context: "kube" },
      ],
      targetAccounts: [
        { profile: "dev", accountId: "111111111111" },
        { profile: "second", accountId: "222222222222", manage: false },
        { profile: "third", accountId: "333333333333", region: "us-west-2", assumeRole },
      ],
      image: { build: { repository: "holmes/mcp", ecr: { profile: "third" } } },
    },
    false,
  );
  const text = (value: unknown) => (typeof value === "string" ? JSON.parse(value) : value);
  const ofProviders = evaluation.resources
    .filter(({ type }) => type === "pulumi:providers:aws")
    .map(({ open }) => {
      const role = (text(open.assumeRoles) as Array<Record<string, string>> | undefined)?.[0];
      return JSON.stringify([text(open.allowedAccountIds)[0], open.profile, role?.roleArn, role?.externalId]);
    });
  const ofPlaces = accountAccesses(evaluation.settings).map(({ accountId, profile, assumeRole: role }) =>
    JSON.stringify([accountId, role === undefined ? profile : role.sourceProfile, role?.roleArn, role?.externalId]),
  );
  expect(new Set(ofPlaces)).toEqual(new Set(ofProviders));
  expect(ofPlaces).toHaveLength(new Set(ofPlaces).size);
  expect(ofPlaces).toHaveLength(3);
});

describe("accounts that are excluded from an update", () => {
  /** Globs as the engine reads them (pulumi/pulumi pkg/resource/deploy/deployment.go, getMatcher). */
  const matcher = (glob: string) => {
    const quote = (text: string) => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
    const parts = glob.split("**").map((part) => part.split("*").map(quote).join("[^:]*"));
    return new RegExp(`^${parts.join(".*")}$`);
  };

  test.each([
    ["with its own name", "eks-one"],
    ["named like a cluster", "broken"],
  ])("are excluded completely, and no other resource: %s", async (_, name) => {
    const evaluation = await program(
      {
        clusters: [{ ...cluster(name, "A"), deploy: true, context: "kube" }],
        targetAccounts: [
          { profile: "broken", accountId: "111111111111" },
          { profile: "broken-2", accountId: "222222222222" },
          { profile: "image", accountId: "333333333333" },
        ],
        image: { prebuilt: `registry.example.com/mcp@sha256:${"0".repeat(64)}` },
      },
      false,
    );
    for (const profile of ["broken", "image"]) {
      const globs = [...upWithout(evaluation.stack, [profile]).matchAll(/--exclude '([^']+)'/g)].map(([, glob]) =>
        matcher(glob!),
      );
      const excluded = evaluation.resources.filter(({ urn }) => globs.some((glob) => glob.test(urn)));
      const component = evaluation.resources.find(
        ({ type, name: resource }) => type === "holmes-aws-mcp:index:TargetAccount" && resource === profile,
      )!;
      const own = evaluation.resources.filter(
        ({ parent, type, name: resource }) =>
          parent === component.urn || (type === "pulumi:providers:aws" && resource === `${profile}/aws`),
      );
      expect(own.length).toBeGreaterThan(3);
      expect(excluded.map(({ urn }) => urn).sort()).toEqual([component, ...own].map(({ urn }) => urn).sort());
    }
  });
});

import { execFile } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Settings } from "../../../config/settings.js";
import { projectFolder } from "../../../scripts/common/command.js";
import { UserError } from "../../../scripts/common/errors.js";
import { doctorCommand } from "../../../scripts/doctor/command.js";
import { type AccountReport, type DoctorOptions, doctor, type Report } from "../../../scripts/doctor/doctor.js";
import { reportText } from "../../../scripts/doctor/report.js";
import { AwsError } from "../../../scripts/emulation/awsError.js";
import { advice, audience, Emulation, type LegacyScript, providerArn, quick, settingsOf } from "./support.js";

const role = "EKSMultiAccountMCPRole";
const emulation = new Emulation();
const account: Emulation["account"] = (...args) => emulation.account(...args);

beforeAll(() => emulation.start());
afterAll(() => emulation.stop());

/** Every test makes read-only calls. */
afterEach(() => {
  const calls = emulation.recorder.calls.splice(0);
  const writes = calls.map(({ action }) => action).filter((action) => !/^(Get|List|AssumeRole$|GET \/)/.test(action));
  emulation.recorder.fault = () => undefined;
  expect(writes).toEqual([]);
});

async function read(settings: Settings, options: DoctorOptions = {}): Promise<Report> {
  return doctor(settings, options);
}

const of = (report: Report, profile: string): AccountReport =>
  report.accounts.find((item) => item.profile === profile)!;
const codes = ({ findings }: AccountReport) => findings.map(({ code }) => code);

describe("an empty account", () => {
  test("has no problem: the stack creates every resource", async () => {
    const report = await read(await settingsOf([await account("empty")]));
    expect(report.ok).toBe(true);
    expect(report.upWithout).toBeNull();
    expect(codes(of(report, "empty"))).toEqual([
      "credentials",
      "provider-absent",
      "provider-absent",
      "role-absent",
      "provider-quota",
      "trust-quota",
    ]);
    expect(of(report, "empty").caller).toMatch(/^arn:aws:sts::/);
  });
});

describe("resources of the legacy script", () => {
  const all = async (script: LegacyScript) => {
    await script.provider("A");
    await script.provider("B");
    await script.role(["A", "B"]);
  };

  test("are reported, with adopt: true as the fix", async () => {
    const report = await read(await settingsOf([await account("script", all)]));
    const line = { at: "targetAccounts, profile script", config: "adopt: true" };
    expect(report.ok).toBe(false);
    expect(advice(of(report, "script").findings)).toEqual([
      { level: "problem", code: "provider-of-script", subject: "OIDC provider of alpha", ...line },
      { level: "problem", code: "provider-of-script", subject: "OIDC provider of beta", ...line },
      { level: "problem", code: "role-of-script", subject: `role ${role}`, ...line },
    ]);
  });

  test("are not a problem when adopt: true is set", async () => {
    const report = await read(await settingsOf([{ ...(await account("adopted", all)), adopt: true }]));
    expect(report.ok).toBe(true);
    expect(codes(of(report, "adopted"))).toEqual(expect.arrayContaining(["provider-adoptable", "role-adoptable"]));
  });

  test("that exist in part: adopt lists the existing parts, because up fails for missing ones", async () => {
    const part = await account("part", async (script) => {
      await script.provider("A");
      await script.role(["A"], { policy: null });
    });
    const line = {
      at: "targetAccounts, profile part",
      config: "adopt: {oidcProviders: [alpha], role: true}",
    };
    const before = await read(await settingsOf([part]));
    expect(advice(of(before, "part").findings)).toEqual([
      { level: "problem", code: "provider-of-script", subject: "OIDC provider of alpha", ...line },
      { level: "problem", code: "role-of-script", subject: `role ${role}`, ...line },
    ]);
    const wrong = await read(await settingsOf([{ ...part, adopt: true }]));
    expect(advice(of(wrong, "part").findings)).toEqual([
      { level: "problem", code: "provider-adopt-absent", subject: "OIDC provider of beta", ...line },
      { level: "problem", code: "policy-adopt-absent", subject: `policies of role ${role}`, ...line },
    ]);
    const right = await read(await settingsOf([{ ...part, adopt: { oidcProviders: ["alpha"], role: true } }]));
    expect(right.ok).toBe(true);
  });

  test("that do not exist although adopt is set: the fix is adopt: false", async () => {
    const report = await read(await settingsOf([{ ...(await account("nothing")), adopt: true }]));
    const line = { at: "targetAccounts, profile nothing", config: "adopt: false" };
    expect(advice(of(report, "nothing").findings)).toEqual([
      { level: "problem", code: "provider-adopt-absent", subject: "OIDC provider of alpha", ...line },
      { level: "problem", code: "provider-adopt-absent", subject: "OIDC provider of beta", ...line },
      { level: "problem", code: "role-adopt-absent", subject: `role ${role}`, ...line },
    ]);
  });

  test("at another path than the stack's: names are unique across paths", async () => {
    const accounts = [await account("path", all)];
    const report = await read(await settingsOf(accounts, { iam: { path: "/holmes/" } }));
    expect(advice(of(report, "path").findings)).toContainEqual({
      level: "problem",
      code: "role-path",
      subject: `role ${role}`,
      at: "iam",
      config: "path: /",
    });
  });

  test("with an inline policy in addition to managed ones: the command removes it", async () => {
    const settings = await settingsOf([{ ...(await account("leftover", all)), adopt: true }]);
    const managed = {
      ...settings,
      targetAccounts: settings.targetAccounts.map((item) => ({
        ...item,
        permissions: { ...item.permissions, placement: "managed" as const },
      })),
    };
    const report = await read(managed);
    expect(advice(of(report, "leftover").findings)).toEqual([
      {
        level: "note",
        code: "policy-of-others",
        subject: `policies of role ${role}`,
        commands: [`aws iam delete-role-policy --role-name ${role} --policy-name MCPReadOnlyPolicy --profile leftover`],
      },
    ]);
  });
});

describe("an OIDC provider of another owner", () => {
  const problem = (profile: string, clusters = "[alpha]", commands?: string[]) => ({
    level: "problem",
    code: "provider-of-others",
    subject: "OIDC provider of alpha",
    at: `targetAccounts, profile ${profile}`,
    config: `existingOidcProviders: ${clusters}`,
    ...(commands === undefined ? {} : { commands }),
  });

  test("is recognized by its tags", async () => {
    const accounts = [await account("tagged", (script) => script.provider("A", { tags: { owner: "eksctl" } }))];
    const report = await read(await settingsOf(accounts));
    expect(advice(of(report, "tagged").findings)).toEqual([problem("tagged")]);
  });

  test("is recognized by another role that trusts it, even if the legacy script's role trusts it too", async () => {
    const shared = await account("shared", async (script) => {
      await script.provider("A");
      await script.role(["A"]);
      await script.role(["A"], { name: "ebs-csi", trust: script.trust(["A"], "kube-system:ebs-csi"), policy: null });
    });
    const report = await read(await settingsOf([shared]));
    const found = of(report, "shared").findings;
    expect(advice(found)[0]).toEqual(problem("shared"));
    expect(found.find(({ code }) => code === "provider-of-others")!.message).toContain(
      "other roles trust it too (ebs-csi)",
    );
    // After adoption, destroy would delete the provider that the other role uses.
    const adopted = await read(
      await settingsOf([{ ...shared, adopt: { oidcProviders: ["alpha"], role: true, policy: true } }]),
    );
    expect(advice(of(adopted, "shared").findings)).toEqual([problem("shared")]);
  });

  test("with other audiences can be used after its owner adds the audience", async () => {
    const restricted = await account("restricted", (script) => script.provider("A", { audiences: ["other"] }));
    const command = `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${providerArn(restricted.accountId, "A")} --client-id ${audience} --profile restricted`;
    const report = await read(await settingsOf([restricted]));
    expect(advice(of(report, "restricted").findings)).toEqual([problem("restricted", "[alpha]", [command])]);
    const declared = await read(await settingsOf([{ ...restricted, existingOidcProviders: ["alpha"] }]));
    expect(advice(of(declared, "restricted").findings)).toEqual([
      { level: "problem", code: "provider-audience", subject: "OIDC provider of alpha", commands: [command] },
    ]);
  });

  test("is not a problem when existingOidcProviders lists it; the fix keeps the clusters that are already listed", async () => {
    const two = await account("two", async (script) => {
      await script.provider("A", { tags: { owner: "eksctl" } });
      await script.provider("B", { tags: { owner: "eksctl" } });
    });
    const declared = await read(await settingsOf([{ ...two, existingOidcProviders: ["alpha", "beta"] }]));
    expect(declared.ok).toBe(true);
    const half = await read(await settingsOf([{ ...two, existingOidcProviders: ["beta"] }]));
    expect(advice(of(half, "two").findings)).toEqual([problem("two", "[alpha, beta]")]);
  });

  test("that is listed but does not exist: the stack creates it", async () => {
    const report = await read(await settingsOf([{ ...(await account("declared")), existingOidcProviders: ["alpha"] }]));
    expect(advice(of(report, "declared").findings)).toEqual([
      {
        level: "problem",
        code: "provider-existing-absent",
        subject: "OIDC provider of alpha",
        at: "targetAccounts, profile declared",
        config: "existingOidcProviders: []",
      },
    ]);
  });

  test("without evidence of the owner: the fix uses the existing provider", async () => {
    const report = await read(await settingsOf([await account("unclear", (script) => script.provider("A"))]));
    expect(advice(of(report, "unclear").findings)).toEqual([{ ...problem("unclear"), code: "provider-unclear" }]);
  });
});

describe("an existing role with the stack's role name", () => {
  test("of another owner: the fix is another role name", async () => {
    const trust = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" }],
    });
    const taken = await account("taken", (script) => script.role([], { trust, policy: null }));
    const report = await read(await settingsOf([taken]));
    expect(advice(of(report, "taken").findings)).toEqual([
      {
        level: "problem",
        code: "role-of-others",
        subject: `role ${role}`,
        at: "iam",
        config: `roleName: ${role}-holmes`,
      },
    ]);
    expect(
      advice(of(await read(await settingsOf([{ ...taken, adopt: { role: true } }])), "taken").findings),
    ).toHaveLength(1);
  });

  test("in another case and at another path: IAM names are case-insensitive", async () => {
    const other = await account("case", (script) => script.role(["A"], { name: role.toLowerCase(), path: "/x/" }));
    const report = await read(await settingsOf([other]));
    expect(advice(of(report, "case").findings)[0]).toEqual({
      level: "problem",
      code: "role-case",
      subject: `role ${role}`,
      at: "iam",
      config: `roleName: ${role.toLowerCase()}`,
    });
  });

  test("with policies of another owner: reported, because destroy detaches them", async () => {
    const extra = await account("extra", async (script) => {
      await script.provider("A");
      await script.provider("B");
      await script.role(["A", "B"]);
      await script.managedPolicy("TeamPolicy", { role });
    });
    const report = await read(await settingsOf([{ ...extra, adopt: true }]));
    expect(report.ok).toBe(true);
    expect(advice(of(report, "extra").findings)).toEqual([
      {
        level: "note",
        code: "policy-of-others",
        subject: `policies of role ${role}`,
        commands: [
          `aws iam detach-role-policy --role-name ${role} --policy-arn arn:aws:iam::${extra.accountId}:policy/TeamPolicy --profile extra`,
        ],
      },
    ]);
  });
});

describe("names and quotas of the account", () => {
  test("a managed policy with the stack's policy name", async () => {
    const taken = await account("policy", (script) => script.managedPolicy("MCPReadOnlyPolicy"));
    const settings = await settingsOf([taken]);
    const managed = {
      ...settings,
      targetAccounts: settings.targetAccounts.map((item) => ({
        ...item,
        permissions: { ...item.permissions, placement: "managed" as const },
      })),
    };
    const report = await read(managed);
    expect(advice(of(report, "policy").findings)).toEqual([
      {
        level: "problem",
        code: "policy-taken",
        subject: "managed policy MCPReadOnlyPolicy",
        at: "iam",
        config: "policyName: MCPReadOnlyPolicy-holmes",
      },
    ]);
  });

  test("an existing and a missing permissions boundary", async () => {
    const bounded = await account("bounded", (script) => script.managedPolicy("Boundary", { path: "/team/" }));
    const unbounded = await account("unbounded");
    const report = await read(
      await settingsOf([bounded, unbounded], { iam: { permissionsBoundary: "team/Boundary" } }),
    );
    expect(codes(of(report, "bounded"))).toContain("boundary-found");
    expect(of(report, "bounded").findings.every(({ level }) => level === "ok")).toBe(true);
    expect(advice(of(report, "unbounded").findings)).toEqual([
      {
        level: "problem",
        code: "boundary-absent",
        subject: "permissions boundary",
      },
    ]);
  });

  test("a trust policy that exceeds the account's quota", async () => {
    const clusters = ["A", "B", "C", "D", "E", "F"].map((id) => ({
      name: `cluster-${id}`,
      region: "us-east-1",
      accountId: "999999999999",
      oidcIssuerId: id.repeat(32),
      deploy: false,
    }));
    const small = await account("small");
    const command =
      "aws service-quotas request-service-quota-increase --service-code iam --quota-code L-C07B4B0D --desired-value 4096 --region us-east-1 --profile small";
    const quota = { code: "trust-quota", subject: "trust policy quota", at: "iam", config: "trustPolicyLimit: 2048" };
    const six = await read(await settingsOf([small], { clusters, iam: { trustPolicyLimit: 4096 } }));
    expect(advice(of(six, "small").findings)).toEqual([{ level: "problem", ...quota, commands: [command] }]);
    const two = await read(
      await settingsOf([small], { clusters: clusters.slice(0, 2), iam: { trustPolicyLimit: 4096 } }),
    );
    expect(advice(of(two, "small").findings)).toEqual([{ level: "note", ...quota, commands: [command] }]);
    expect(two.ok).toBe(true);
  });

  test("the maximum number of OIDC providers in an account", async () => {
    const full = await account("full", async (script) => {
      for (let number = 0; number < 99; number += 1) await script.provider(String(number).padStart(2, "0"));
    });
    const report = await read(await settingsOf([full]));
    expect(advice(of(report, "full").findings)).toEqual([
      { level: "problem", code: "provider-quota", subject: "OIDC providers" },
    ]);
    expect(of(report, "full").findings.find(({ code }) => code === "provider-quota")!.message).toMatch(
      /^99 of 100 in the account, 2 to be created/,
    );
  });
});

describe("an account where authentication fails", () => {
  const without = (...names: string[]) =>
    `pulumi up --stack test --continue-on-error${names
      .map(
        (name) =>
          ` --exclude '**::holmes-aws-mcp:index:TargetAccount::${name}'` +
          ` --exclude '**::holmes-aws-mcp:index:TargetAccount$**::${name}/**'` +
          ` --exclude '**::pulumi:providers:aws::${name}/aws'`,
      )
      .join("")}`;

  test("does not prevent reading the other accounts, and is excluded from up", async () => {
    const available = await account("available");
    const elsewhere = await account("wrong");
    const wrong = { ...elsewhere, accountId: "222222222222" };
    const refused = await account("refused");
    const silent = await account("silent");
    emulation.recorder.fault = (call) => {
      const profile = emulation.profileOf(call);
      if (profile === "refused") {
        return new AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
      }
      return profile === "silent" ? "noResponse" : undefined;
    };
    const unknown = { profile: "unknown", accountId: "333333333333" };
    const report = await read(await settingsOf([available, wrong, refused, silent, unknown]), { timeouts: quick });

    expect(of(report, "available").read).toBe(true);
    expect(of(report, "available").findings.every(({ level }) => level === "ok")).toBe(true);
    expect(report.ok).toBe(false);
    expect(report.upWithout).toBe(without("wrong", "refused", "silent", "unknown"));
    const problem = { level: "problem", code: "credentials", subject: "credentials" };
    expect(advice(of(report, "wrong").findings)).toEqual([
      {
        ...problem,
        code: "wrong-account",
        at: "targetAccounts, profile wrong",
        config: `accountId: "${elsewhere.accountId}"`,
      },
    ]);
    expect(advice(of(report, "refused").findings)).toEqual([
      { ...problem, commands: ["aws sts get-caller-identity --profile refused"] },
    ]);
    // The error message of AWS, for the account's profile.
    expect(of(report, "refused").findings[0]!.message).toBe(
      "InvalidClientTokenId: The security token included in the request is invalid.",
    );
    expect(advice(of(report, "silent").findings)).toEqual([problem]);
    expect(of(report, "silent").findings[0]!.message).toMatch(/^TimeoutError: /);
    expect(advice(of(report, "unknown").findings)).toEqual([
      { ...problem, commands: ["aws sts get-caller-identity --profile unknown"] },
    ]);
    expect(of(report, "silent").read).toBe(false);
  });

  test("whose profile belongs to another target account: the profile must change, not accountId", async () => {
    const [one, two] = [await account("one"), await account("two")];
    const swapped = [
      { ...one, accountId: two.accountId },
      { ...two, accountId: one.accountId },
    ];
    const report = await read(await settingsOf(swapped));
    const problem = { level: "problem", code: "wrong-account", subject: "credentials" };
    expect(report.accounts.map(({ findings }) => advice(findings))).toEqual([[problem], [problem]]);
  });

  test("cannot be excluded if a cluster is looked up there", async () => {
    const cluster = { name: "eks", region: "us-east-1", accountId: "444444444444", profile: "unknown-profile" };
    const report = await read(
      await settingsOf([await account("target")], { clusters: [{ ...cluster, deploy: false }] }),
    );
    expect(of(report, "unknown-profile").purposes).toEqual(["EKS look-up of eks"]);
    expect(report.upWithout).toBeNull();
    expect(report.ok).toBe(false);
  });
});

describe("authentication", () => {
  test("assumes a role with an external ID", async () => {
    const source = await account("source");
    const target = await account("target");
    const roleArn = `arn:aws:iam::${target.accountId}:role/Provisioner`;
    const assumed = {
      profile: "assumed",
      accountId: target.accountId,
      assumeRole: { roleArn, externalId: "holmes-42", sourceProfile: source.profile },
    };
    const report = await read(await settingsOf([assumed]));
    expect(report.ok).toBe(true);
    expect(of(report, "assumed").caller).toBe(
      `arn:aws:sts::${target.accountId}:assumed-role/Provisioner/holmes-aws-mcp`,
    );
    const call = emulation.recorder.calls.find(({ action }) => action === "AssumeRole")!;
    expect(Object.fromEntries(call.parameters)).toMatchObject({
      RoleArn: roleArn,
      ExternalId: "holmes-42",
      RoleSessionName: "holmes-aws-mcp",
    });
    emulation.recorder.fault = ({ action }) =>
      action === "AssumeRole"
        ? new AwsError("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)
        : undefined;
    const second = await read(await settingsOf([assumed]));
    expect(reportText(second)).toMatch(/; 0 accounts read, nothing was changed$/);
    const refused = of(second, "assumed");
    expect(refused.findings[0]!.message).toBe("AccessDenied: not authorized to perform: sts:AssumeRole");
    expect(refused.read).toBe(false);
    expect(refused.findings[0]!.fix!.what).toContain(`The trust policy of ${roleArn} must allow`);
    expect(refused.findings[0]!.fix!.what).toContain("external id holmes-42");
  });

  test("is skipped for an account with manage: false", async () => {
    const report = await read(await settingsOf([{ profile: "stackset", accountId: "555555555555", manage: false }]));
    expect(emulation.recorder.calls).toEqual([]);
    expect(report).toMatchObject({ ok: true, accounts: [] });
    expect(reportText(report)).toBe("\ntest: no problem found; 0 accounts read, nothing was changed");
  });

  test("covers only the selected profiles, and an unknown profile is rejected", async () => {
    const [one, two] = [await account("one"), await account("second")];
    const settings = await settingsOf([one, two]);
    const report = await read(settings, { profiles: ["second"] });
    expect(report.accounts.map(({ profile }) => profile)).toEqual(["second"]);
    await expect(read(settings, { profiles: ["secund"] })).rejects.toThrow(
      "--profile secund: not a profile that pulumi up of stack test uses. Expected one of: one, second.",
    );
  });
});

describe("clusters that are looked up from EKS", () => {
  const clusterOf = (accountId: string, more: object = {}) => ({
    clusters: [{ name: "eks", region: "us-east-1", accountId, profile: "home", deploy: false, ...more }],
  });

  test("are looked up first; an account with several purposes is read once", async () => {
    const home = await account("home");
    const issuer = await emulation.eksCluster("home", "eks");
    const id = issuer.split("/").at(-1)!;
    const other = await account("other", (script) => script.provider(id, { tags: { owner: "eksctl" } }));
    const settings = await settingsOf([home, other], clusterOf(home.accountId));
    const report = await read(settings);
    expect(report.accounts).toHaveLength(2);
    expect(of(report, "home").purposes).toEqual(["target account", "EKS look-up of eks"]);
    expect(
      of(report, "home")
        .findings.slice(0, 3)
        .map(({ code, subject }) => [code, subject]),
    ).toEqual([
      ["credentials", "credentials"],
      ["cluster", "cluster eks"],
      ["provider-absent", "OIDC provider of eks"],
    ]);
    const problem = {
      level: "problem",
      code: "provider-of-others",
      subject: "OIDC provider of eks",
      at: "targetAccounts, profile other",
      config: "existingOidcProviders: [eks]",
    };
    expect(advice(of(report, "other").findings)).toEqual([problem]);
    // Also when only the other account is selected.
    const one = await read(settings, { profiles: ["other"] });
    expect(one.accounts.map(({ profile }) => profile)).toEqual(["other"]);
    expect(advice(of(one, "other").findings)).toEqual([problem]);
  });

  test("with another issuer than in the config were re-created", async () => {
    const home = await account("home");
    const issuer = await emulation.eksCluster("home", "eks");
    const old = { deploy: true, oidcIssuerId: "A".repeat(32) };
    const settings = await settingsOf([home], {
      ...clusterOf(home.accountId, old),
      image: { prebuilt: `registry.example.com/mcp@sha256:${"0".repeat(64)}` },
    });
    expect(advice(of(await read(settings), "home").findings)).toEqual([
      {
        level: "problem",
        code: "issuer-differs",
        subject: "cluster eks",
        at: "clusters, name eks",
        config: `oidcIssuerUrl: ${issuer}`,
      },
      // The emulation does not have the API.
      { level: "note", code: "network-policy", subject: "NetworkPolicy in cluster eks" },
    ]);
  });

  test("that do not exist or cannot be read: no account is compared with them", async () => {
    const home = await account("home");
    const settings = await settingsOf([home], clusterOf(home.accountId));
    const unknown = { level: "note", code: "issuer-unknown", subject: "cluster eks" };
    expect(advice(of(await read(settings), "home").findings)).toEqual([
      { level: "problem", code: "cluster-absent", subject: "cluster eks" },
      unknown,
    ]);
    emulation.recorder.fault = ({ action }) =>
      action === "GET /clusters/eks" ? new AwsError("AccessDeniedException", "not authorized", 403) : undefined;
    const refused = of(await read(settings), "home").findings;
    expect(advice(refused)).toEqual([{ level: "problem", code: "cluster-unread", subject: "cluster eks" }, unknown]);
    expect(refused.find(({ code }) => code === "cluster-unread")!.message).toBe(
      "eks:DescribeCluster: AccessDeniedException: not authorized",
    );
  });
});

describe("read calls that AWS rejects", () => {
  const denied = (action: string) =>
    new AwsError("AccessDenied", `User is not authorized to perform: iam:${action}`, 403);
  const refuse =
    (...actions: string[]) =>
    ({ action }: { action: string }) =>
      actions.includes(action) ? denied(action) : undefined;

  test("that up does not need: a note, and the other checks run", async () => {
    const half = await account("half", async (script) => {
      await script.provider("A");
      await script.provider("B");
      await script.role(["A", "B"]);
    });
    emulation.recorder.fault = refuse("ListRoles", "GetAccountSummary", "ListOpenIDConnectProviders");
    const report = await read(await settingsOf([{ ...half, adopt: true }]));
    expect(report.ok).toBe(true);
    expect(advice(of(report, "half").findings).map(({ level, code, subject }) => [level, code, subject])).toEqual([
      ["note", "unread", "other roles that trust the OIDC providers"],
      ["note", "unread", "OIDC providers"],
      ["note", "unread", "trust policy quota"],
    ]);
    expect(codes(of(report, "half"))).toEqual(expect.arrayContaining(["provider-adoptable", "role-adoptable"]));
  });

  test("that up also needs: a problem", async () => {
    const blind = await account("blind", (script) => script.role(["A"]));
    emulation.recorder.fault = refuse("GetRole");
    const report = await read(await settingsOf([blind]));
    expect(report.ok).toBe(false);
    expect(of(report, "blind").findings.find(({ code }) => code === "unread")).toMatchObject({
      level: "problem",
      subject: `role ${role}`,
      message: "not checked: iam:GetRole: AccessDenied: User is not authorized to perform: iam:GetRole",
    });
  });

  test("are repeated when AWS throttles them", async () => {
    const busy = await account("busy");
    let refusals = 0;
    emulation.recorder.fault = ({ action }) =>
      action === "GetAccountSummary" && refusals++ === 0 ? new AwsError("Throttling", "Rate exceeded", 400) : undefined;
    expect((await read(await settingsOf([busy]))).ok).toBe(true);
    expect(emulation.recorder.calls.filter(({ action }) => action === "GetAccountSummary")).toHaveLength(2);
  });
});

test("makes only the listed calls", async () => {
  const rich = await account("rich", async (script) => {
    await script.provider("A");
    await script.provider("B");
    await script.role(["A", "B"]);
    await script.managedPolicy("MCPReadOnlyPolicy");
  });
  const settings = await settingsOf([rich], { iam: { permissionsBoundary: "Boundary" } });
  await read({
    ...settings,
    targetAccounts: settings.targetAccounts.map((item) => ({
      ...item,
      permissions: { ...item.permissions, placement: "managed" as const },
    })),
  });
  expect([...new Set(emulation.recorder.calls.map(({ action }) => action))].sort()).toEqual([
    "GetAccountSummary",
    "GetCallerIdentity",
    "GetOpenIDConnectProvider",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListOpenIDConnectProviders",
    "ListRolePolicies",
    "ListRoles",
  ]);
});

describe("the command", () => {
  /** `npm run doctor -- …` on the checked-in stacks, from another folder. */
  const loader = `${projectFolder}/node_modules/tsx/dist/loader.mjs`;
  const command = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        ["--import", loader, `${projectFolder}/scripts/doctor/main.ts`, ...args],
        { cwd: "/", env: process.env },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });

  test("prints a table and exits with 0 when there is no problem", async () => {
    await emulation.account("dev", undefined, "111111111111");
    await emulation.account("sandbox", undefined, "222222222222");
    const { code, stdout, stderr } = await command();
    expect(stdout).toContain("│ sandbox │ 222222222222 │ ✓ credentials, OIDC provider of dev-cluster (to be ");
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("dev: no problem found; 2 accounts read, nothing was changed");
    expect(stderr).toContain("reading the accounts in parallel");
    expect(code).toBe(0);
  });

  test("prints only JSON to standard output and exits with 1 when there is a problem", async () => {
    const { code, stdout } = await command("--stack", "prod", "--json", "--profile", "data", "--profile", "billing");
    const report: Report = JSON.parse(stdout);
    expect(report).toMatchObject({ stack: "prod", ok: false });
    expect(report.accounts.map(({ profile, read: done }) => [profile, done])).toEqual([
      ["data", false],
      ["billing", false],
    ]);
    expect(report.upWithout).toMatch(
      /^pulumi up --stack prod --continue-on-error --exclude .*::data\/aws' --exclude .*::billing\/aws'$/,
    );
    expect(code).toBe(1);
  });

  // A killed CLI can leave the pipe non-blocking. Node.js makes the pipes of its children blocking, Python does not.
  test("reads a state that arrives late through a non-blocking pipe", async () => {
    const nonBlocking = "import os, sys; os.set_blocking(0, False); os.execv(sys.argv[1], sys.argv[1:])";
    const read = `import { readState } from "${projectFolder}/scripts/doctor/command.ts";
      process.stdout.write("reading ");
      process.stdout.write(await readState("-"));`;
    const child = execFile(
      "python3",
      ["-c", nonBlocking, process.execPath, "--import", loader, "--input-type=module", "--eval", read],
      () => {},
    );
    let text = "";
    for (const stream of [child.stderr!, child.stdout!]) stream.on("data", (piece) => (text += piece));
    child.stdout!.once("data", () => setTimeout(() => child.stdin!.end("the state"), 500));
    await once(child, "close");
    expect(text).toBe("reading the state");
  });

  test.each([
    [{ stack: "nowhere" }, /^--stack nowhere: .*Pulumi\.nowhere\.yaml not found\. Expected one of: .*dev/],
    [
      { profile: ["sandbix"] },
      /^--profile sandbix: not a profile that pulumi up of stack dev uses\. Expected one of: dev, sandbox\.$/,
    ],
    [{ state: "/nowhere/state.json" }, /^--state \/nowhere\/state\.json: file not found\.$/],
  ])("rejects %j", async (invalid, message) => {
    const error = await doctorCommand({ stack: "dev", profile: [], ...invalid }).catch((failure: Error) => failure);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  });
});

// Settings of valid configs, and problem reports of invalid configs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Region } from "@pulumi/aws/types/enums/index.js";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, describe, expect, test } from "vitest";
import { maskedSecret } from "../../config/fields.js";
import { limits, partitionOf, rules } from "../../config/limits.js";
import { defaultProviderWarnings, exampleAccounts, loadSettings, rawConfig } from "../../config/load.js";
import { OWNERSHIP_TAG } from "../../config/ownership.js";
import { nearest, pathText, problemText } from "../../config/problems.js";
import { parseStackFile, readStackFile, type StackConfig } from "../../scripts/common/stackFile.js";
import { damaged, pathOf, problemsOf, projectFolder, type Raw, read, stackConfig } from "./support.js";

const folder = mkdtempSync(join(tmpdir(), "config-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the checked-in stacks", () => {
  test("dev: applies defaults and derives issuers from IDs", async () => {
    const settings = await read(stackConfig("dev"));
    expect(settings.clusters).toMatchObject([
      {
        name: "dev-cluster",
        issuerUrl: "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
        deploy: true,
        previousIssuers: [],
      },
    ]);
    expect(
      settings.targetAccounts.map(({ profile, region, partition, manage }) => [profile, region, partition, manage]),
    ).toEqual([
      ["dev", "us-east-1", "aws", true],
      ["sandbox", "us-west-2", "aws", true],
    ]);
    expect(settings.subjects).toEqual([{ namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" }]);
    expect(settings.iam).toMatchObject({
      roleName: "EKSMultiAccountMCPRole",
      policyName: "MCPReadOnlyPolicy",
      sessionDuration: 3600,
      path: "/",
      trustPolicyLimit: 2048,
    });
    expect(settings.mcp).toMatchObject({ transport: "sse", replicas: 1 });
    expect(settings.defaultProfile).toBe("dev");
    expect(settings.image).toMatchObject({ build: { repository: "holmes/aws-api-mcp-server" } });
    expect(settings.warnings).toEqual([expect.stringContaining("mcp.authentication.type is none")]);
  });

  test("prod: account settings override shared settings", async () => {
    const settings = await read(stackConfig("prod"));
    expect(settings.targetAccounts.map(({ permissionsBoundaryArn }) => permissionsBoundaryArn)).toEqual(
      ["333333333333", "444444444444", "555555555555", "666666666666"].map(
        (id) => `arn:aws:iam::${id}:policy/holmes/ReadOnlyBoundary`,
      ),
    );
    expect(settings.targetAccounts[3]!.assumeRole).toEqual({
      roleArn: "arn:aws:iam::666666666666:role/Provisioner",
      externalId: "holmes-aws-mcp",
    });
    expect(settings.image).toEqual({ ...(stackConfig("prod").image as object), signer: undefined });
    expect(settings.warnings).toEqual([expect.stringContaining("mcp.authentication.type is none")]);
  });
});

test("detects the account IDs of the examples only", async () => {
  expect(exampleAccounts(await read(stackConfig("dev")))).toEqual(["111111111111", "222222222222"]);
  const own = { "clusters[0].accountId": "123456789012", "targetAccounts[0].accountId": "123456789012" };
  const changed = damaged(stackConfig("dev"), { ...own, "targetAccounts[1].accountId": "210987654321" });
  expect(exampleAccounts(await read(changed))).toEqual([]);
});

describe("derived settings", () => {
  const prod = (changes: Record<string, unknown>) => read(damaged(stackConfig("prod"), changes));

  test("adopt: true imports everything except existing providers", async () => {
    const { targetAccounts } = await prod({ "targetAccounts[0].adopt": true, "targetAccounts[1].adopt": true });
    expect(targetAccounts.map(({ adopt }) => adopt)).toEqual([
      { oidcProviders: ["prod-eu"], role: true, policy: true },
      { oidcProviders: ["prod-us", "prod-eu"], role: true, policy: true },
      { oidcProviders: [], role: false, policy: false },
      { oidcProviders: [], role: false, policy: false },
    ]);
  });

  test("adopt with an object imports the listed parts", async () => {
    const { targetAccounts } = await prod({
      "targetAccounts[1].adopt": { oidcProviders: ["prod-eu"] },
      "targetAccounts[2].adopt": { oidcProviders: true, role: true },
    });
    expect(targetAccounts.slice(1, 3).map(({ adopt }) => adopt)).toEqual([
      { oidcProviders: ["prod-eu"], role: false, policy: false },
      { oidcProviders: ["prod-us", "prod-eu"], role: true, policy: false },
    ]);
  });

  test("the partition follows from the region of the account or of the first cluster", async () => {
    const dev = damaged(stackConfig("dev"), {
      "clusters[0].region": "cn-north-1",
      "targetAccounts[0].region": undefined,
      "targetAccounts[1].region": "us-gov-west-1",
      "iam.permissionsBoundary": "Boundary",
    });
    const { targetAccounts, clusters } = await read(dev);
    expect(clusters[0]!.issuerUrl).toBe(
      "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    );
    expect(targetAccounts.map(({ permissionsBoundaryArn }) => permissionsBoundaryArn)).toEqual([
      "arn:aws-cn:iam::111111111111:policy/Boundary",
      "arn:aws-us-gov:iam::222222222222:policy/Boundary",
    ]);
  });

  test("with the hosted server, the roles trust the service account of Holmes and nothing is deployed", async () => {
    const settings = await prod({ "mcp.enabled": false, "holmes.hosted": true, image: undefined });
    expect(settings.subjects).toEqual([{ namespace: "robusta", serviceAccount: "robusta-holmes-service-account" }]);
    expect(settings.clusters.map(({ deploy }) => deploy)).toEqual([false, false]);
    expect(settings.image).toEqual({});
  });

  test("accounts in accountsFile are unmanaged", async () => {
    const path = join(folder, "accounts.yaml");
    writeFileSync(
      path,
      '- profile: logs\n  accountId: "777777777777"\n  description: Log archive\n  region: eu-west-1\n',
    );
    const { targetAccounts } = await prod({
      organization: {
        profile: "management",
        accountId: "999999999999",
        region: "us-east-1",
        organizationalUnits: ["ou-abcd-11112222"],
        accountsFile: path,
      },
      defaultProfile: "logs",
    });
    expect(targetAccounts.at(-1)).toMatchObject({
      profile: "logs",
      accountId: "777777777777",
      description: "Log archive",
      region: "eu-west-1",
      manage: false,
    });
  });

  test("a policy file of one account does not affect other accounts", async () => {
    const path = join(folder, "policy.json");
    const statement = { Effect: "Allow", Action: ["ec2:DescribeInstances"], Resource: "*" };
    writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
    const { targetAccounts } = await prod({ "targetAccounts[1].policyFile": path });
    const text = targetAccounts.map(({ permissions }) => JSON.stringify(permissions));
    expect(text[1]).toContain("ec2:DescribeInstances");
    expect(text[1]!.length).toBeLessThan(text[0]!.length);
    expect(text[2]).toBe(text[0]);
  });
});

describe("warnings", () => {
  const warningsOf = async (stack: "dev" | "prod", changes: Record<string, unknown>) =>
    (await read(damaged(stackConfig(stack), { "mcp.authentication.type": "bearer", ...changes }))).warnings;

  test("server without authentication", async () => {
    const none = { "mcp.authentication.type": "none" };
    expect(await warningsOf("dev", none)).toEqual([expect.stringContaining("mcp.authentication.type is none")]);
    expect(await warningsOf("dev", {})).toEqual([]);
  });

  test.each([
    [undefined, ["without aws, kubernetes, docker"]],
    ['["aws"]', ["without kubernetes, docker"]],
    ['["aws","kubernetes","docker"]', []],
    ['["*"]', []],
  ])("disabled default providers: %s", (value, expected) => {
    const values: Record<string, string> = value === undefined ? {} : { "pulumi:disable-default-providers": value };
    expect(defaultProviderWarnings(values)).toEqual(expected.map((text) => expect.stringContaining(text)));
  });

  test("management account, which a StackSet skips", async () => {
    const accountsFile = join(folder, "management.yaml");
    writeFileSync(accountsFile, '- { profile: root, accountId: "999999999999" }\n');
    const organization = {
      profile: "management",
      accountId: "999999999999",
      region: "us-east-1",
      organizationalUnits: ["ou-abcd-11112222"],
      accountsFile,
    };
    const skipped = [
      expect.stringMatching(
        /^organization: root is the management account \(999999999999\).*List it in targetAccounts/,
      ),
    ];
    expect(await warningsOf("dev", { organization })).toEqual(skipped);
    expect(await warningsOf("dev", { organization: { ...organization, callAs: "DELEGATED_ADMIN" } })).toEqual([]);
    const { accountsFile: _, ...unlisted } = organization;
    const root = { "targetAccounts[1].profile": "root", "targetAccounts[1].accountId": "999999999999" };
    expect(await warningsOf("dev", { organization: unlisted, ...root, "targetAccounts[1].manage": false })).toEqual(
      skipped,
    );
    expect(await warningsOf("dev", { organization: unlisted, ...root })).toEqual([]);
    expect(await warningsOf("dev", { organization: unlisted })).toEqual([
      expect.stringMatching(/^organization: the StackSet skips the management account \(999999999999\).*costs/),
    ]);
    expect(await warningsOf("dev", { organization: unlisted, "iam.disabledPolicyGroups": ["cost"] })).toEqual([]);
  });

  test("image signer: defaults to the image workflow of the repository", async () => {
    const signer = async (prebuilt: string, verify?: object) => {
      return (await read(damaged(stackConfig("prod"), { image: { prebuilt, ...(verify && { verify }) } }))).image
        .signer;
    };
    const published = `ghcr.io/example/holmes-aws-mcp:v1.2.3@sha256:${"a".repeat(64)}`;
    expect(await signer(published)).toEqual({ repository: "example/holmes-aws-mcp" });
    expect(await signer(published, { enabled: false })).toBeUndefined();
    expect(await signer("ghcr.io/example/holmes-aws-mcp:v1.2.3")).toBeUndefined();
    const mirrored = `registry.example.com/mirror/holmes-aws-mcp@sha256:${"a".repeat(64)}`;
    expect(await signer(mirrored)).toBeUndefined();
    expect(await signer(mirrored, { repository: "Example/holmes-aws-mcp" })).toEqual({
      repository: "Example/holmes-aws-mcp",
    });
    expect(await signer(mirrored, { key: "cosign.pub" })).toEqual({ key: "cosign.pub" });
  });

  test("image reference without a digest", async () => {
    expect(await warningsOf("prod", { "image.prebuilt": "ghcr.io/a/b:1" })).toEqual([
      "image.prebuilt: ghcr.io/a/b:1 has no digest, so the content of the tag can change. Expected a reference with @sha256:….",
    ]);
  });

  test("legacy image", async () => {
    const reference = "us-central1-docker.pkg.dev/genuine-flight-317411/devel/aws-api-mcp-server:1.0.1";
    expect((await warningsOf("prod", { "image.prebuilt": reference })).join()).toContain(
      "responses to the wrong client",
    );
    const own = "ghcr.io/a/aws-api-mcp-server:1.2.0";
    expect((await warningsOf("prod", { "image.prebuilt": own })).join()).not.toContain("responses to the wrong client");
  });

  test.each([
    [{ "mcp.networkPolicy.enabled": false }, "mcp.networkPolicy.enabled is false"],
    [{ "iam.sensitiveReads": "allow" }, "iam.sensitiveReads is allow"],
    [{ "kubernetes.additionalSubjects": ["robusta:default"] }, "kubernetes.additionalSubjects: robusta:default"],
    [{ "image.build.tag": "1.0" }, "image.build.tag: the repository's tags are immutable, so 1.0"],
  ])("%o", async (changes, text) => {
    const warnings = await warningsOf("dev", changes);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(text);
  });

  test("account with profile default", async () => {
    const changes = { "targetAccounts[1].profile": "default" };
    expect(await warningsOf("dev", changes)).toEqual([expect.stringContaining("the account with profile default")]);
  });

  test("legacy inline policy that is not imported", async () => {
    const path = join(folder, "large.json");
    const statement = (index: number) => ({
      Sid: `S${index}`,
      Effect: "Allow",
      Action: ["ec2:DescribeInstances"],
      Resource: "*",
      Condition: { StringEquals: { "aws:ResourceTag/team": "t".repeat(900) } },
    });
    const Statement = Array.from({ length: 12 }, (_, index) => statement(index));
    writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement }));
    const changes = { "targetAccounts[1].policyFile": path, "targetAccounts[1].adopt": true };
    expect(await warningsOf("dev", changes)).toEqual([
      expect.stringMatching(/permissions of sandbox .* --role-name EKSMultiAccountMCPRole .* --profile sandbox$/),
    ]);
    expect(await warningsOf("dev", { "targetAccounts[1].adopt": true })).toEqual([]);
  });

  test("findings in a custom policy with policyChecks: warn", async () => {
    const warnings = await warningsOf("dev", {
      "iam.additionalActions": ["ec2:RunInstances"],
      "iam.policyChecks": "warn",
    });
    expect(warnings).toEqual([expect.stringContaining('iam.additionalActions: "ec2:RunInstances" allows')]);
  });

  test("many managed accounts", async () => {
    const accounts = Array.from({ length: 26 }, (_, index) => ({
      profile: `account-${index}`,
      accountId: String(100000000000 + index),
    }));
    const [warning, ...more] = await warningsOf("prod", { targetAccounts: accounts, defaultProfile: undefined });
    expect(warning).toContain("26 managed accounts");
    expect(more).toEqual([]);
  });
});

describe("policy file with write actions on every resource", () => {
  const writing = (Resource: string, action = "ec2:*", Condition?: object) => {
    const path = join(folder, "writing.json");
    const statement = { Effect: "Allow", Action: [action], Resource, Condition };
    writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
    return damaged(stackConfig("dev"), { "iam.policyFile": path, "iam.policyChecks": "warn" });
  };

  test.each(["*", "**", "arn:aws:*", "arn:*:*:*"])(
    "is rejected, also with policyChecks: warn: %s",
    async (resource) => {
      expect((await problemsOf(writing(resource))).map(problemText)).toEqual([
        expect.stringMatching(
          /^iam\.policyFile: found .*: writes on every resource, such as ec2:\w+; expected .*allowWritePermissions/,
        ),
      ]);
    },
  );

  test.each(["ec2:**", "ec2:?*"])("is rejected for a whole service in the spelling %s", async (action) => {
    expect((await problemsOf(writing("*", action))).map(problemText)).toEqual([
      expect.stringContaining("writes on every resource, such as ec2:"),
    ]);
  });

  test("is accepted with allowWritePermissions, a specific resource, a condition or a specific action", async () => {
    expect(await problemsOf(damaged(writing("*"), { "iam.allowWritePermissions": true }))).toEqual([]);
    expect(await problemsOf(writing("arn:aws:ec2:*:*:instance/*"))).toEqual([]);
    const condition = { StringEquals: { "aws:ResourceTag/team": "platform" } };
    expect(await problemsOf(writing("*", "ec2:*", condition))).toEqual([]);
    expect(await problemsOf(writing("*", "ec2:StopInstances"))).toEqual([]);
    const warnings = (await read(writing("arn:aws:ec2:*:*:instance/i-0123456789abcdef0", "ec2:StopInstances")))
      .warnings;
    expect(warnings.join()).toContain("1 action that does more than read");
  });
});

test("a policy file without an Allow statement is rejected", async () => {
  const path = join(folder, "deny.json");
  const statement = { Effect: "Deny", Action: ["iam:*"], Resource: "*" };
  writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
  expect((await problemsOf(damaged(stackConfig("dev"), { "iam.policyFile": path }))).map(problemText)).toEqual([
    `iam.policyFile: found ${path}: no statement with Effect Allow; expected a policy that allows actions`,
  ]);
});

describe("also rejected", () => {
  const problemsFor = async (changes: Record<string, unknown>) =>
    (await problemsOf(damaged(stackConfig("dev"), changes))).map(problemText);

  test("kubeconfig path that is missing, a directory or longer than a path can be", async () => {
    const kubeconfig = join(folder, "kubeconfig");
    expect(await problemsFor({ "clusters[0].kubeconfig": kubeconfig })).toEqual([
      expect.stringContaining("clusters[0].kubeconfig: found no file at this path; expected"),
    ]);
    expect(await problemsFor({ "clusters[0].kubeconfig": folder })).toEqual([
      expect.stringContaining("clusters[0].kubeconfig: found no file at this path; expected"),
    ]);
    // The content of a kubeconfig as JSON in one line.
    expect(await problemsFor({ "clusters[0].kubeconfig": `{"users": "${"x".repeat(5000)}"}` })).toEqual([
      expect.stringContaining("clusters[0].kubeconfig: found no file at this path; expected"),
    ]);
    expect(await problemsFor({ "clusters[0].kubeconfig": kubeconfig, "clusters[0].deploy": false })).toEqual([]);
    writeFileSync(kubeconfig, "apiVersion: v1\n");
    expect(await problemsFor({ "clusters[0].kubeconfig": kubeconfig })).toEqual([]);
  });

  test("60 clusters with 1,500 accounts", async () => {
    const clusters = Array.from({ length: 60 }, (_, index) => ({
      ...{ name: `c${index}`, region: "us-east-1", accountId: "111111111111", context: "c" },
      oidcIssuerId: index.toString(16).toUpperCase().padStart(32, "0"),
    }));
    const targetAccounts = Array.from({ length: 1500 }, (_, index) => ({
      profile: `a${index}`,
      accountId: String(100000000000 + index),
    }));
    const own = { "image.build.ecr.profile": "a0", defaultProfile: "a0" };
    expect(await problemsFor({ clusters, targetAccounts, ...own })).toContainEqual(
      expect.stringContaining(
        "targetAccounts: found 90000 pairs of a cluster and a managed account; expected at most 10000",
      ),
    );
  });

  test.each(["toString", "hasOwnProperty", "__proto__"])("tag key %s", async (key) => {
    expect(await problemsFor({ [`iam.tags.${key}`]: "x" })).toEqual([
      `iam.tags.${key}: found an unknown key; expected a different name`,
    ]);
  });

  test("key with an invisible character, shown as its code point", async () => {
    expect((await problemsFor({ "iam.role\u200bName": "x" })).join()).toContain(
      'iam["role<U+200B>Name"]: found an unknown key',
    );
  });

  test("secret in a key that must be plain text", async () => {
    const [problem] = await problemsFor({ "clusters[0].accountId": maskedSecret });
    expect(problem).toContain("Set it as plain text");
  });
});

describe("all problems at once", () => {
  const broken = () =>
    damaged(stackConfig("prod"), {
      "mcp.replicas": 2,
      "mcp.env.AWS_REGION": "us-east-1",
      "targetAccounts[2].accountId": 55555555555,
      "targetAccounts[0].acountId": "1",
      "iam.sessionDuration": 100,
      "clusters[1].name": "prod-us",
      "clusters[0].oidc_issuer_id": "x",
      defaultProfile: "unknown-profile",
      zone: 1,
    });

  test("one message lists all problems by section, in the order of the documentation", async () => {
    const problems = await problemsOf(broken());
    expect(problems.map(({ path }) => pathText(path))).toEqual([
      "zone",
      "clusters[0].oidc_issuer_id",
      "clusters[1].name",
      "iam.sessionDuration",
      "targetAccounts[0].acountId",
      "targetAccounts[2].accountId",
      "defaultProfile",
      "mcp.replicas",
      "mcp.env.AWS_REGION",
    ]);
    await expect(read(broken())).rejects.toThrow(
      [
        "The config of stack test has 9 problems. No resources were changed.",
        ...problems.map((problem) => `  - ${problemText(problem)}`),
        "See docs/config.md for all keys.",
      ].join("\n"),
    );
  });

  test("every problem is one line: key, value found, expected value", async () => {
    for (const problem of await problemsOf(broken())) {
      expect(problemText(problem)).toMatch(/^[^\n]+: found [^\n]+; expected [^\n]+$/);
    }
  });

  test("an empty config reports the required keys", async () => {
    expect((await problemsOf({})).map(({ path }) => pathText(path))).toEqual(["clusters", "targetAccounts"]);
  });
});

describe("Pulumi config", () => {
  const load = (stack: StackConfig) => {
    pulumi.runtime.setAllConfig(stack.values, stack.secretKeys);
    return loadSettings();
  };
  const withKey = (key: string, value: unknown, secretKeys: string[] = []): StackConfig => {
    const stack = readStackFile(projectFolder, "dev");
    return { values: { ...stack.values, [`holmes-aws-mcp:${key}`]: JSON.stringify(value) }, secretKeys };
  };

  test("returns the same settings as the stack file", async () => {
    const { stack: _, ...loaded } = await load(readStackFile(projectFolder, "prod"));
    const { stack: __, ...direct } = await read(stackConfig("prod"));
    expect(loaded.iam.tags[OWNERSHIP_TAG]).toBe(`holmes-aws-mcp/${pulumi.getStack()}`);
    // The tag names the stack, which differs here.
    expect({ ...loaded, iam: { ...loaded.iam, tags: direct.iam.tags } }).toEqual(direct);
  });

  test("reports problems as a RunError, which Pulumi prints without a stack trace", async () => {
    const error: unknown = await load(withKey("iam", { roleNme: "x" })).catch((thrown: unknown) => thrown);
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toContain("iam.roleNme: found an unknown key; expected roleName");
    expect((error as Error).message).not.toMatch(/\n\s+at /);
  });

  test.each([
    ["string instead of a list", "clusters", "dev"],
    ["string that is not JSON", "iam", "{"],
  ])("%s", async (_, key, value) => {
    const stack = readStackFile(projectFolder, "dev");
    const values = { ...stack.values, [`holmes-aws-mcp:${key}`]: value };
    await expect(load({ values, secretKeys: [] })).rejects.toThrow(`${key}: found ${JSON.stringify(value)}; expected`);
  });

  const registry = { repository: "ghcr.io/a/b", registry: { username: "u", password: "hunter2" } };

  test("accepts a registry password that is a Pulumi secret", async () => {
    const { image } = await load(withKey("image", { build: registry }, ["holmes-aws-mcp:image"]));
    expect(image).toMatchObject({ build: { registry: { password: "hunter2" } } });
  });

  test("reads a stack file without decrypting its secrets", async () => {
    const { values, secretKeys } = parseStackFile(
      `config:
  holmes-aws-mcp:clusters:
    - name: main
      region: us-east-1
      accountId: "111111111111"
      oidcIssuerId: ${"A".repeat(32)}
      kubeconfig: { secure: v1:a }
  holmes-aws-mcp:targetAccounts:
    - profile: dev
      accountId: "111111111111"
      assumeRole: { roleArn: "arn:aws:iam::111111111111:role/P", externalId: { secure: v1:b } }
  holmes-aws-mcp:image:
    build:
      repository: ghcr.io/a/b
      registry: { username: { secure: v1:c }, password: { secure: v1:d } }
  holmes-aws-mcp:mcp:
    env: { HTTPS_PROXY: { secure: v1:e } }
`,
      "Pulumi.x.yaml",
    );
    expect(secretKeys).toHaveLength(4);
    expect((await load({ values, secretKeys })).image.build?.repository).toBe("ghcr.io/a/b");
  });

  test("reports keys of a misspelled project, not of other projects", async () => {
    const values = {
      "holmes-aws-mpc:iam": "{}",
      "holmes_aws_mcp:clustrs": "[]",
      "aws:region": "us-east-1",
      "mcp:iam": "{}",
    };
    const stack = readStackFile(projectFolder, "dev");
    const error: unknown = await load({ ...stack, values: { ...stack.values, ...values } }).catch((thrown) => thrown);
    expect((error as Error).message.split("\n").slice(1, -1)).toEqual([
      '  - ["holmes-aws-mpc:iam"]: found an unknown key; expected holmes-aws-mcp:iam',
      '  - ["holmes_aws_mcp:clustrs"]: found an unknown key; expected holmes-aws-mcp:clusters',
    ]);
  });

  test("rejects a registry password in plain text, also if another key is a secret", async () => {
    const plain = withKey("image", { build: registry }, ["holmes-aws-mcp:clusters"]);
    await expect(load(plain)).rejects.toThrow(
      "image.build.registry.password: found plain text; expected a Pulumi secret",
    );
  });

  test("ignores keys of other projects", () => {
    const values = { "aws:region": "us-east-1", "holmes-aws-mcp:iam": "{}", "pulumi:disable-default-providers": "[]" };
    expect(rawConfig(values)).toEqual({ iam: {} });
  });
});

describe("secret values are never shown", () => {
  // Each case sets a secret in a key of the wrong type.
  const secret = "hunter2-hunter2";
  const places = ["name", "oidcIssuerUrl", "context", "deploy", "kubeconfig", "kubeconfg"];
  test.each(places)("clusters[0].%s", async (key) => {
    const raw = damaged(stackConfig("dev"), {
      [`clusters[0].${key}`]: { inner: secret },
      "clusters[0].region": secret,
    });
    const problems = await problemsOf(raw, ["clusters"]);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.map(problemText).join("\n")).not.toContain(secret);
  });

  const build = (registry: unknown) => ({ build: { repository: "ghcr.io/a/b", registry } });
  test.each([
    { image: build({ username: "u", password: { value: secret } }), secrets: [] },
    { image: build({ username: "u", password: secret, token: secret }), secrets: [] },
    { image: build(secret), secrets: [] },
    { image: build([secret]), secrets: [] },
    { image: { build: [build({ password: secret }).build] }, secrets: [] },
    { image: { prebuilt: { password: secret } }, secrets: [] },
    { image: { build: { repository: secret } }, secrets: ["image"] },
    { image: { prebuilt: [secret] }, secrets: ["image"] },
    { image: secret, secrets: ["image"] },
  ])("%o", async ({ image, secrets }) => {
    const problems = await problemsOf(damaged(stackConfig("dev"), { image }), secrets);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.map(problemText).join("\n")).not.toContain(secret);
  });

  test("env as a list", async () => {
    const problems = await problemsOf(damaged(stackConfig("dev"), { "mcp.env": [`HTTPS_PROXY=${secret}`] }));
    expect(problems.map(problemText)).toEqual([
      expect.stringMatching(/^mcp\.env: found a value that is not shown; expected a map/),
    ]);
  });
});

describe("limits", () => {
  test("accepts every region of the AWS provider and maps it to its partition", () => {
    const regions = Object.values(Region);
    expect(regions.length).toBeGreaterThan(40);
    expect(regions.filter((region) => !rules.region.pattern.test(region))).toEqual([]);
    const partitions = new Set(regions.map(partitionOf));
    expect([...partitions].sort()).toEqual([
      "aws",
      "aws-cn",
      "aws-eusc",
      "aws-iso",
      "aws-iso-b",
      "aws-iso-e",
      "aws-iso-f",
      "aws-us-gov",
    ]);
  });

  /** The longest valid string of a rule, and a string that is one character longer. */
  test.each<[keyof typeof rules, (length: number) => string, number]>([
    ["clusterName", (n) => "c".repeat(n), 100],
    ["profile", (n) => "p".repeat(n), 64],
    ["dnsLabel", (n) => "l".repeat(n), 63],
    ["serviceName", (n) => "s".repeat(n), 39],
    ["dnsSubdomain", (n) => "d".repeat(n), 253],
    ["labelValue", (n) => "v".repeat(n), 63],
    ["roleName", (n) => "r".repeat(n), 60],
    ["policyName", (n) => "p".repeat(n), 125],
    ["path", (n) => `/${"p".repeat(n - 2)}/`, 512],
    ["externalId", (n) => "e".repeat(n), 1224],
    ["tagKey", (n) => "k".repeat(n), 128],
    ["tagValue", (n) => "v".repeat(n), 256],
    ["description", (n) => "d".repeat(n), 1000],
    ["ecrRepository", (n) => "r".repeat(n), 256],
    ["tag", (n) => "t".repeat(n), 128],
    ["oidcIssuerUrl", (n) => `https://a.example.com/${"i".repeat(n - 22)}`, 255],
    ["portName", (n) => "p".repeat(n), 15],
  ])("%s", (name, text, most) => {
    expect(text(most)).toHaveLength(most);
    expect(rules[name].pattern.test(text(most))).toBe(true);
    expect(rules[name].pattern.test(text(most + 1))).toBe(false);
  });

  test.each<[keyof typeof rules, string[], string[]]>([
    ["path", ["/", "/a/", "/a/b/"], ["", "a", "/a", "a/", "//", "/a//b/", "/ä/"]],
    ["cidr", ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::/0"], ["10.0.0/8", "10.0.0.0/33", "::/129", "10.0.0.0", "a"]],
    ["memory", ["256Mi", "1Gi", "0.5Gi", "1000000000", "1G"], ["0", "0Mi", "100m", "1GB", "", "Mi", "-1Mi"]],
    ["quantity", ["1", "250m", "0.5", ".5"], ["1 ", "one", "1x", "-1"]],
    [
      "imageReference",
      [
        "a",
        "a/b:1",
        "localhost:5000/a@sha256:".concat("0".repeat(64)),
        "ghcr.io/a/b_c:1@sha256:".concat("f".repeat(64)),
      ],
      ["", "A/b", "a:", "a@sha256:12", "https://a/b", "a b", "-a"],
    ],
    ["subject", ["a:b", "a-1:b.c"], ["a", "a:", ":b", "a:*", "*:b", "a:b:c", "A:b", "system:serviceaccount:a:b"]],
    [
      "permissionsBoundary",
      ["Boundary", "a/b/Boundary", "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws-cn:iam::111111111111:policy/a/B"],
      ["/Boundary", "a/", "a//b", "arn:aws:iam::1:policy/B", "arn:aws:iam::111111111111:role/B", ""],
    ],
    [
      "roleArn",
      ["arn:aws:iam::111111111111:role/A", "arn:aws-us-gov:iam::111111111111:role/a/b/C"],
      ["arn:aws:iam::111111111111:role/", "arn:aws:iam::111111111111:user/A", "A"],
    ],
    ["labelKey", ["app", "a.b/c_d", "kubernetes.io/arch"], ["", "a/", "/a", "a b", "a/b/c"]],
    ["iamAction", ["ec2:Describe*", "s3:ListBucket"], ["*", "ec2", "ec2:", "ec2:a b"]],
    [
      "oidcIssuerUrl",
      ["https://a.example.com", "https://a.example.com/b/c"],
      ["http://a.example.com", "https://localhost", "https://a.example.com?x=1", "https://A.example.com"],
    ],
  ])("%s accepts and rejects", (name, good, bad) => {
    expect(good.filter((text) => !rules[name].pattern.test(text))).toEqual([]);
    expect(bad.filter((text) => rules[name].pattern.test(text))).toEqual([]);
  });

  test("accepts 100 issuers per account, and numbered role names have at most 64 characters", async () => {
    const clusters = Array.from({ length: limits.oidcProvidersPerAccount }, (_, index) => ({
      name: `c${index}`,
      region: "us-east-1",
      accountId: "111111111111",
      oidcIssuerId: index.toString(16).toUpperCase().padStart(32, "0"),
      deploy: false,
    }));
    const raw: Raw = { clusters, targetAccounts: [{ profile: "a", accountId: "222222222222" }] };
    expect((await read(raw)).clusters).toHaveLength(100);
    expect("r".repeat(60).length + `-${limits.oidcProvidersPerAccount}`.length).toBeLessThanOrEqual(64);
  });
});

describe("nearest name", () => {
  const known = ["roleName", "policyName", "sessionDuration", "path", "tags"];
  test.each([
    ["role_name", "roleName"],
    ["rolename", "roleName"],
    ["paht", "path"],
    ["sesionDuraton", "sessionDuration"],
    ["x", undefined],
    ["", undefined],
    ["completelyDifferent", undefined],
  ])("%s: %s", (name, expected) => {
    expect(nearest(name, known)).toBe(expected);
  });
});

test("pathOf is the inverse of pathText", () => {
  for (const text of ["clusters[0].name", 'iam.tags["a b"]', "a", 'a["x.y/z"][3].b']) {
    expect(pathText(pathOf(text))).toBe(text);
  }
});

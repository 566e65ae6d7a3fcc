// Conversion of the legacy script's file: converted, rejected and kept keys.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { UserError } from "../../../scripts/common/errors.js";
import { evaluate } from "../../../scripts/common/evaluate.js";
import { parseStackFile } from "../../../scripts/common/stackFile.js";
import { Conversion } from "../../../scripts/convert/convert.js";
import { convertFiles } from "../../../scripts/convert/files.js";
import { projectFolder } from "../../config/support.js";

const idA = "A".repeat(32);
const idB = "0B1C".repeat(8);

const old = `
clusters:
  - name: main
    region: us-east-1
    account_id: "111111111111"
    oidc_issuer_id: ${idA}
    oidc_issuer_url: https://oidc.eks.us-east-1.amazonaws.com/id/${idA}
  - name: second
    region: eu-west-1
    account_id: 012345678901   # no quotes: yq printed it as it stands
    oidc_issuer_id: ${idB}
kubernetes:
  namespace: default
  service_account: mcp-sa
iam:
  role_name: OldRole
  policy_name: OldPolicy
  session_duration: 7200
target_accounts:
  - profile: dev
    account_id: "111111111111"
    description: "Dev: with a colon"
  - profile: prod
    account_id: "222222222222"
    description: Production
`;

const pure = (text: string, existing?: string, more: object = {}) =>
  new Conversion({ source: "old.yaml", old: text, target: "Pulumi.x.yaml", existing, ...more });
const configOf = (content: string) => {
  const { config } = parse(content) as { config?: Record<string, unknown> | null };
  return Object.fromEntries(
    Object.entries(config ?? {}).map(([key, value]) => [key.replace("holmes-aws-mcp:", ""), value]),
  );
};
const outcomes = (steps: readonly { outcome: string; key: string }[], outcome: string) =>
  steps.filter((step) => step.outcome === outcome).map(({ key }) => key);

let folder: string;
const made: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "convert-"));
  made.push(folder);
});
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});
const put = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const convertHere = (text: string, more: object = {}) =>
  convertFiles({ file: put("old.yaml", text), stack: "x", folder, ...more });
const written = () => readFileSync(join(folder, "Pulumi.x.yaml"), "utf8");
const messageOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

describe("a new stack", () => {
  test("converts every key to its new name", () => {
    const { content, steps } = pure(old);
    expect(configOf(content)).toEqual({
      "pulumi:disable-default-providers": ["aws", "kubernetes", "docker"],
      clusters: [
        {
          name: "main",
          region: "us-east-1",
          accountId: "111111111111",
          oidcIssuerId: idA,
          oidcIssuerUrl: `https://oidc.eks.us-east-1.amazonaws.com/id/${idA}`,
        },
        { name: "second", region: "eu-west-1", accountId: "012345678901", oidcIssuerId: idB },
      ],
      kubernetes: { namespace: "default", serviceAccount: "mcp-sa", createNamespace: false },
      iam: { roleName: "OldRole", policyName: "OldPolicy", sessionDuration: 7200 },
      targetAccounts: [
        { profile: "dev", accountId: "111111111111", description: "Dev: with a colon" },
        { profile: "prod", accountId: "222222222222", description: "Production" },
      ],
      mcp: { enabled: false },
    });
    expect(outcomes(steps, "added")).toHaveLength(23);
    expect(steps.every(({ outcome }) => outcome === "added")).toBe(true);
  });

  test("keeps the access of the running server in another namespace than Holmes", () => {
    const { content } = pure(old.replace("namespace: default", "namespace: monitoring"));
    expect(configOf(content).kubernetes).toMatchObject({ additionalSubjects: ["monitoring:mcp-sa"] });
  });

  test("keeps every character of IDs that YAML reads as numbers", () => {
    const ids = ["12345678901234567890123456789012", `1E${"2".repeat(30)}`, `0x${"A".repeat(30)}`];
    for (const id of ids) {
      const { content } = pure(old.replaceAll(`oidc_issuer_id: ${idB}`, `oidc_issuer_id: ${id}`));
      expect((configOf(content).clusters as Array<{ oidcIssuerId: string }>)[1]!.oidcIssuerId).toBe(id);
    }
  });

  test("reports the keys that the server requires, and the --adopt option", () => {
    expect(pure(old).notes).toEqual([
      "If the legacy script created providers and roles in these accounts, convert into a new file with --adopt.",
      expect.stringContaining("iam.retainOidcProviders: true"),
      "The stack creates IAM resources only. To deploy the server, set image and the context (or kubeconfig, profile) of each cluster, and remove mcp.enabled: false.",
    ]);
  });

  test("--adopt imports everything except the providers in the accounts of the clusters", () => {
    const { content, notes } = pure(old, undefined, { adopt: true });
    expect(configOf(content).targetAccounts).toMatchObject([
      { profile: "dev", existingOidcProviders: ["main"], adopt: true },
      { profile: "prod", adopt: true },
    ]);
    expect((configOf(content).targetAccounts as object[])[1]).not.toHaveProperty("existingOidcProviders");
    expect(notes).toEqual([
      expect.stringContaining("iam.retainOidcProviders: true"),
      expect.stringContaining("The stack creates IAM resources only."),
    ]);
  });

  test("offers to keep the OIDC providers, unless the config decides", () => {
    expect(pure(old).notes.join()).toContain("iam.retainOidcProviders: true");
    const existing = "config:\n  holmes-aws-mcp:iam: { retainOidcProviders: true }\n";
    expect(pure(old, existing).notes.join()).not.toContain("retainOidcProviders");
  });

  test("reports empty values and unknown keys, and does not convert them", () => {
    const text = old
      .replace("  policy_name: OldPolicy", "  policy_name: null\n  trust_everyone: true\n  path: ~")
      .concat("\nslack:\n  channel: x\n");
    const { content, steps } = pure(text);
    expect(configOf(content).iam).toEqual({ roleName: "OldRole", sessionDuration: 7200 });
    expect(steps.filter(({ outcome }) => outcome === "left out")).toEqual([
      { outcome: "left out", key: "iam.policy_name", why: "the value is empty" },
      { outcome: "left out", key: "iam.trust_everyone", why: "the config has no such key" },
      { outcome: "left out", key: "iam.path", why: "the value is empty" },
      { outcome: "left out", key: "slack", why: "the config has no such key" },
    ]);
  });

  test("reports a second value of a key in another spelling", () => {
    const { problems } = pure(
      old
        .concat("targetAccounts: [{ profile: third }]\n")
        .replace("    region: us-east-1", "    region: us-east-1\n    accountId: '2'"),
    );
    expect(problems).toEqual([
      "clusters[0].account_id: found a second value of clusters[0].accountId. Remove one of the two.",
      "targetAccounts: found a second value of target_accounts. Remove one of the two.",
    ]);
  });

  test("resolves anchors and merge keys", () => {
    const text = old
      .replace("  - name: second\n    region: eu-west-1\n", "  - <<: *home\n    name: second\n")
      .replace("clusters:", "defaults: &home { region: eu-west-1 }\nclusters:");
    expect(configOf(pure(text).content).clusters).toMatchObject([{}, { name: "second", region: "eu-west-1" }]);
  });
});

describe("an existing stack file", () => {
  const existing = `# our stack
encryptionsalt: v1:abc
config:
  # never change this line
  aws:region: us-east-1 # not ours
  holmes-aws-mcp:iam: { roleName: NewRole, tags: { team: "a  b" } }
  holmes-aws-mcp:image:
    prebuilt: ghcr.io/a/b@sha256:${"0".repeat(64)} # pinned
  holmes-aws-mcp:mcp:
    resources:
      limits: { memory: 1Gi }

  holmes-aws-mcp:kubernetes:
    namespace: holmes-aws-mcp
`;

  test("keeps its sections, comments, order and blank lines, and adds the others", () => {
    const { content, steps, notes } = pure(old, existing);
    expect(content.startsWith(existing)).toBe(true);
    expect(configOf(content)).toMatchObject({
      ...configOf(existing),
      clusters: [
        { name: "main", accountId: "111111111111", deploy: false },
        { name: "second", accountId: "012345678901", deploy: false },
      ],
      targetAccounts: [{ profile: "dev" }, { profile: "prod" }],
    });
    expect(configOf(content).mcp).not.toHaveProperty("enabled");
    expect(steps.filter(({ outcome }) => outcome === "kept")).toEqual([
      { outcome: "kept", key: "kubernetes", why: "Pulumi.x.yaml already has this section" },
      { outcome: "kept", key: "iam", why: "Pulumi.x.yaml already has this section" },
    ]);
    expect(notes.at(-1)).toMatch(/^To deploy the server to the converted clusters, set context/);
  });

  test.each([
    [
      "a comment and another key after the config",
      "config:\n    a:b: 1 # one\n    # two\n\n# three\nencryptionsalt: v1:abc\n",
    ],
    ["a text that keeps its line ends", "config:\n  a:b: |+\n    x\n\n\nencryptionsalt: v1:abc\n"],
    ["no line end", "encryptionsalt: v1:abc\nconfig:\n  a:b: 'x'"],
    ["an empty config", "config:   # one\n# two\nencryptionsalt:   'v1:abc' # three\nenvironment:\n    - 'x'\n"],
    ["no config", "# one\nencryptionsalt:   'v1:abc' # two\nenvironment:\n    - 'x'"],
    ["secrets", "config:\n  a:b:\n    secure:   v1:xyz\n\n# two\nencryptionsalt: v1:abc\n"],
    ["an anchor and an explicit key", "config:\n  ? &a a:b\n  : &b 1\n  c:d: *b\nencryptionsalt: v1:abc\n"],
  ])("does not change the rest of the file: %s", (_, existing) => {
    const { content } = pure(old, existing);
    expect(configOf(content)).toMatchObject({
      ...configOf(existing),
      clusters: [{ name: "main" }, { name: "second" }],
    });
    expect(content).toMatch(/^ +holmes-aws-mcp:clusters:$/m);
    const lines = content.split("\n");
    let at = -1;
    for (const line of existing.split("\n").filter((text) => text !== "")) {
      expect(lines.indexOf(line, at + 1), line).toBeGreaterThan(at);
      at = lines.indexOf(line, at + 1);
    }
    expect(parse(content).encryptionsalt).toBe("v1:abc");
  });

  test("converts a config in braces to lines, and keeps its entries and the rest of the file", () => {
    const existing = "# one\nconfig: { a:b: { c: 'x' } }  # two\nencryptionsalt:   'v1:abc' # three\n";
    const { content } = pure(old, existing);
    expect(configOf(content)).toMatchObject({ "a:b": { c: "x" }, clusters: [{ name: "main" }, { name: "second" }] });
    expect(content.startsWith("# one\nconfig:   # two\n  pulumi:")).toBe(true);
    expect(content.endsWith("\nencryptionsalt:   'v1:abc' # three\n")).toBe(true);
  });

  test("keeps the line ends of Windows", () => {
    const { content } = pure(old, "# one\r\nconfig:\r\n    a:b: 1 # two\r\n\r\nencryptionsalt: v1:abc");
    expect(content.startsWith("# one\r\nconfig:\r\n    a:b: 1 # two\r\n    pulumi:")).toBe(true);
    expect(content.endsWith("\r\n\r\nencryptionsalt: v1:abc")).toBe(true);
    expect(content).not.toMatch(/[^\r]\n/);
  });

  test("is not changed when its config is an alias", () => {
    expect(() => pure(old, "a: &a {b:c: 1}\nconfig: *a\n")).toThrow(
      "Pulumi.x.yaml: config is an alias. Expected a map",
    );
  });

  test("gets only notes that apply to it", () => {
    const image = "  holmes-aws-mcp:image: {prebuilt: x}\n";
    const adopted = `config:\n  holmes-aws-mcp:targetAccounts: [{profile: dev, adopt: true}]\n${image}`;
    expect(pure(old, `${adopted}  holmes-aws-mcp:clusters: [{name: main}]\n`).notes).toEqual([
      expect.stringContaining("iam.retainOidcProviders: true"),
    ]);
    expect(pure(old, `${adopted}  holmes-aws-mcp:mcp: {enabled: false}\n`).notes.at(-1)).toBe(
      "The stack creates IAM resources only. To deploy the server, set the context (or kubeconfig, profile) of each cluster, and remove mcp.enabled: false.",
    );
  });

  test("says that --adopt has no effect on a section that is kept", () => {
    const existing = "config:\n  holmes-aws-mcp:targetAccounts:\n    - {profile: dev}\n";
    const { content, notes } = pure(old, existing, { adopt: true });
    expect(content).not.toContain("adopt");
    expect(notes).toContain("Pulumi.x.yaml: the section targetAccounts is kept, so --adopt has no effect.");
  });

  test("is unchanged by a second conversion, byte for byte", () => {
    const once = pure(old, existing).content;
    const again = pure(old, once, { adopt: true });
    expect(again.content).toBe(once);
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(["kept", "kept", "kept", "kept"]);
  });

  test("can be a new file of the Pulumi CLI", () => {
    expect(configOf(pure(old, "encryptionsalt: v1:abc\n").content).clusters).toHaveLength(2);
    expect(configOf(pure(old, "").content).clusters).toHaveLength(2);
    expect(configOf(pure(old, "config:\n").content).clusters).toHaveLength(2);
    expect(configOf(pure(old, "{}\n").content).clusters).toHaveLength(2);
  });

  test.each([
    ["invalid YAML", "config: [", "Pulumi.x.yaml: not YAML"],
    ["a list", "- a", "Pulumi.x.yaml: not a stack file. Expected a map with the key config"],
    ["a list under config", "config: [a]", "Pulumi.x.yaml: not a stack file. Expected a map with the key config"],
  ])("rejects %s", (_, text, message) => {
    expect(() => pure(old, text)).toThrow(UserError);
    expect(() => pure(old, text)).toThrow(message);
  });
});

describe("a file that is not the legacy script's", () => {
  test.each([
    ["invalid YAML", "clusters: [", /^old\.yaml: not YAML: .* at line 1, column \d+\.$/],
    ["a duplicate key", "clusters: []\nclusters: []\n", "old.yaml: not YAML: Map keys must be unique"],
    ["an empty file", "", "old.yaml: found no map. Expected the file of the legacy script"],
    ["unknown keys", "a: 1\n", "old.yaml: found the keys a. Expected the file of the legacy script"],
    [
      "stack config",
      "config:\n  holmes-aws-mcp:clusters: []\n",
      "old.yaml: found the keys config. Expected the file of the legacy script",
    ],
  ])("rejects %s", (_, text, message) => {
    expect(() => pure(text)).toThrow(UserError);
    expect(() => pure(text)).toThrow(message);
  });
});

describe("convertFiles", () => {
  test("rejects the errors of the legacy readme's example with the keys of the legacy file", async () => {
    const faulty = old
      .replaceAll('"111111111111"', '"1111111111"')
      .replace('"222222222222"', "2222222222")
      .replaceAll(idB, "B".repeat(33));
    const message = await messageOf(convertHere(faulty));
    expect(message.split("\n")[0]).toMatch(/old\.yaml: 4 problems; Pulumi\.x\.yaml was not written\.$/);
    const tenDigits = (key: string, found: string) =>
      `  - ${key}: found ${found}; expected an AWS account ID: 12 digits in quotes, such as "111111111111". It has 10 digits.`;
    expect(message.split("\n").slice(1)).toEqual([
      tenDigits("clusters[0].account_id", '"1111111111"'),
      expect.stringMatching(/^ {2}- clusters\[1\]\.oidc_issuer_id: found "B{33}"; expected .* It has 33 characters/),
      tenDigits("target_accounts[0].account_id", '"1111111111"'),
      tenDigits("target_accounts[1].account_id", '"2222222222"'),
    ]);
    expect(readdirSync(folder)).toEqual(["old.yaml"]);
  });

  test("reports duplicate profiles, misspelled keys and invalid values together", async () => {
    const text = old
      .replace("  service_account:", "  serviceaccount:")
      .replace('account_id: "222222222222"', 'acount_id: "2"')
      .replace(/profile: \S+/g, "profile: shared")
      .replace("target_accounts:", "target_acounts:");
    const message = await messageOf(convertHere(text));
    expect(message.split("\n")[0]).toMatch(/old\.yaml: 5 problems; Pulumi\.x\.yaml was not written\.$/);
    expect(message.split("\n").slice(1)).toEqual([
      "  - kubernetes.serviceaccount: the key is unknown. Expected service_account. Correct it, or remove the line.",
      "  - target_acounts: the key is unknown. Expected target_accounts. Correct it, or remove the line.",
      "  - target_acounts[1].acount_id: the key is unknown. Expected account_id. Correct it, or remove the line.",
      expect.stringMatching(/^ {2}- target_acounts\[1\]\.acount_id: found "2"; expected an AWS account ID/),
      '  - target_acounts[1].profile: found "shared"; expected a unique profile. It duplicates target_acounts[0].profile.',
    ]);
    expect(readdirSync(folder)).toEqual(["old.yaml"]);
  });

  test("reports missing values and wrong types with the keys of the legacy file", async () => {
    const text = old
      .replace("    region: us-east-1\n", "")
      .replace("  - profile: prod\n    account_id", "  - account_id")
      .replace("session_duration: 7200", "session_duration: two hours");
    expect((await messageOf(convertHere(text))).split("\n").slice(1)).toEqual([
      expect.stringContaining("- clusters[0].region: found no value; expected an AWS region"),
      expect.stringContaining('- iam.session_duration: found "two hours"; expected a whole number of seconds'),
      expect.stringContaining("- target_accounts[1].profile: found no value; expected an AWS profile name"),
    ]);
  });

  test.each([
    ["clusters as text", "clusters: main\n", 'clusters: found "main"; expected a list of source clusters'],
    ["an entry as text", "clusters: [main]\n", 'clusters[0]: found "main"; expected an object'],
    ["iam as a list", `${old.split("iam:")[0]}iam: [a]\n`, 'iam: found ["a"]; expected an object'],
  ])("rejects %s", async (_, text, line) => {
    expect(await messageOf(convertHere(text))).toContain(`  - ${line}`);
  });

  test("reports problems of the existing stack file, and does not change it", async () => {
    const existing = "config:\n  holmes-aws-mcp:holmes:\n    namspace: x\n";
    put("Pulumi.x.yaml", existing);
    const message = await messageOf(convertHere(old));
    expect(message).toContain("1 problem; Pulumi.x.yaml was not changed.");
    expect(message).toContain("  - Pulumi.x.yaml: holmes.namspace: found an unknown key; expected namespace");
    expect(written()).toBe(existing);
  });

  test("writes a stack file that can be planned", async () => {
    const report = await convertHere(old, { adopt: true });
    expect(report).toContain('  added      clusters[1].accountId: "012345678901" (clusters[1].account_id)\n');
    expect(report).toContain("Pulumi.x.yaml is written. The config is valid.\n");
    expect(report.trimEnd().split("\n").at(-1)).toContain("Next: run npm run plan -- --stack x,");
    const { resources } = await evaluate("x", parseStackFile(written(), "Pulumi.x.yaml"));
    const roles = resources.filter(({ type }) => type === "aws:iam/role:Role");
    expect(roles.map(({ inputs, importId }) => [inputs.name, inputs.maxSessionDuration, importId])).toEqual([
      ["OldRole", 7200, "OldRole"],
      ["OldRole", 7200, "OldRole"],
    ]);
    const trust = JSON.stringify(roles[0]!.inputs.assumeRolePolicy);
    expect(trust).toContain("system:serviceaccount:default:mcp-sa");
    const providers = resources.filter(({ type }) => type === "aws:iam/openIdConnectProvider:OpenIdConnectProvider");
    // The provider of main in main's own account is not managed.
    expect(providers).toHaveLength(3);
    expect(providers.every(({ importId }) => importId !== undefined)).toBe(true);
    expect(resources.filter(({ type }) => type.startsWith("kubernetes:"))).toEqual([]);
  });

  test("does not change the file in a second run", async () => {
    await convertHere(old);
    const before = written();
    expect(await convertHere(old)).toContain("Pulumi.x.yaml is unchanged.");
    expect(written()).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(["Pulumi.x.yaml", "old.yaml"]);
  });

  test("keeps a symbolic link to the stack file", async () => {
    put("elsewhere.yaml", "config: {}\n");
    symlinkSync("elsewhere.yaml", join(folder, "Pulumi.x.yaml"));
    await convertHere(old);
    expect(readFileSync(join(folder, "elsewhere.yaml"), "utf8")).toContain("holmes-aws-mcp:clusters");
    expect(written()).toContain("holmes-aws-mcp:clusters");
  });

  test("reports a missing file", async () => {
    const file = join(folder, "no.yaml");
    expect(await messageOf(convertFiles({ file, stack: "x", folder }))).toBe(`${file}: file not found.`);
  });
});

describe("a custom permission policy", () => {
  const policy = (action: string) =>
    JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: [action], Resource: "*" }] });
  const iam = () => configOf(written()).iam as Record<string, unknown>;

  // The reader of the config finds the policy relative to the working directory, which is the project's.
  beforeEach(() => process.chdir(folder));
  afterEach(() => process.chdir(projectFolder));

  test("in the project is referenced by its path", async () => {
    await convertHere(old, { permissions: put("own.json", policy("ec2:DescribeInstances")) });
    expect(iam().policyFile).toBe("own.json");
    expect(readdirSync(folder).sort()).toEqual(["Pulumi.x.yaml", "old.yaml", "own.json"]);
    expect(await convertHere(old, { permissions: join(folder, "own.json") })).toContain("Pulumi.x.yaml is unchanged.");
  });

  test("outside the project is rejected", async () => {
    const permissions = put("../own.json", "{}");
    made.push(permissions);
    expect(await messageOf(convertHere(old, { permissions }))).toContain("own.json: not in the project. Copy the file");
    expect(readdirSync(folder)).toEqual(["old.yaml"]);
  });

  test("with write actions is rejected, unless --policy-checks is warn", async () => {
    const permissions = put("own.json", policy("ec2:TerminateInstances"));
    expect(await messageOf(convertHere(old, { permissions }))).toContain("more than read: ec2:TerminateInstances");
    expect(readdirSync(folder).sort()).toEqual(["old.yaml", "own.json"]);
    const report = await convertHere(old, { permissions, policyChecks: "warn" });
    expect(report).toMatch(/^warning: iam\.policyFile: .*ec2:TerminateInstances/m);
    expect(iam()).toMatchObject({ policyFile: "own.json", policyChecks: "warn" });
  });

  test("does not replace the policy of the stack", async () => {
    put("Pulumi.x.yaml", "config:\n  holmes-aws-mcp:iam:\n    policyFile: mine.json\n");
    const permissions = put("own.json", policy("ec2:DescribeInstances"));
    expect(await messageOf(convertHere(old, { permissions }))).toContain(
      "the section iam is kept, so --permissions has no effect. Set iam.policyFile to own.json, or run without --permissions.",
    );
  });
});

describe("the command", () => {
  const command = async (...args: string[]) => {
    const run = promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/convert/main.ts", ...args], {
      cwd: projectFolder,
      env: { ...process.env, INIT_CWD: folder },
    });
    return run.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  test("reports an invalid file on standard error, and writes nothing", async () => {
    put("old.yaml", old.replace('"222222222222"', '"2"'));
    const { code, stdout, stderr } = await command("old.yaml", "--stack", "convert-test");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("1 problem; Pulumi.convert-test.yaml was not written.");
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(join(projectFolder, "Pulumi.convert-test.yaml"))).toBe(false);
  });
});

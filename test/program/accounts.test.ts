import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { planTree } from "../../scripts/common/tree.js";
import { planJson } from "../../scripts/plan/files.js";
import { changed, envOf, object, ofType } from "./stacks.js";

const trustOf = (role: { open: Record<string, unknown> }) => JSON.parse(String(role.open.assumeRolePolicy));

/** Too many for an inline policy. */
const manyActions = [
  "glue:GetCatalog",
  "glue:GetCatalogs",
  "glue:GetDatabase",
  "glue:GetDatabases",
  "glue:GetTableVersion",
  "glue:GetTableVersions",
  "glue:GetTable",
  "glue:GetTables",
  "glue:GetCrawlerMetrics",
  "glue:GetRegistry",
  "glue:GetPartitionIndexes",
  "glue:GetCrawler",
  "glue:GetCrawlers",
  "glue:GetJobRun",
  "glue:GetJobRuns",
  "glue:GetPartition",
  "glue:GetPartitions",
  "glue:GetClassifier",
  "glue:GetClassifiers",
  "glue:GetSchema",
];

describe("OIDC providers", () => {
  test("that exist are used, not created", async () => {
    const prod = await changed("prod");
    const urls = ofType(prod, ":OpenIdConnectProvider")
      .filter(({ provider }) => provider === "prod/aws")
      .map(({ open }) => open.url);
    expect(urls).toEqual(["https://oidc.eks.eu-west-1.amazonaws.com/id/2C3D4E5F60718293A4B5C6D7E8F90A1B"]);
    const role = ofType(prod, ":Role").find(({ provider }) => provider === "prod/aws")!;
    expect(trustOf(role).Statement).toHaveLength(2);
  });

  test("that are adopted are imported by ARN, the role by name, the policy by both", async () => {
    const evaluation = await changed("dev", ({ targetAccounts }) => Object.assign(targetAccounts[0], { adopt: true }));
    const imports = evaluation.resources
      .filter(({ importId }) => importId !== undefined)
      .map(({ importId }) => importId);
    expect(imports.sort()).toEqual([
      "EKSMultiAccountMCPRole",
      "EKSMultiAccountMCPRole:MCPReadOnlyPolicy",
      "arn:aws:iam::111111111111:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    ]);
  });

  test("are retained at destroy with retainOidcProviders, and no other resources", async () => {
    const evaluation = await changed("dev", (config) => Object.assign(config, { iam: { retainOidcProviders: true } }));
    const kept = evaluation.resources.filter(({ retainOnDelete }) => retainOnDelete).map(({ type }) => type);
    expect(new Set(kept)).toEqual(new Set(["aws:iam/openIdConnectProvider:OpenIdConnectProvider"]));
  });

  test("exist for both issuers of a re-created cluster", async () => {
    const old = "https://oidc.eks.us-east-1.amazonaws.com/id/FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";
    const evaluation = await changed("dev", ({ clusters }) => Object.assign(clusters[0], { previousIssuers: [old] }));
    expect(ofType(evaluation, ":OpenIdConnectProvider")).toHaveLength(4);
    expect(trustOf(ofType(evaluation, ":Role")[0]!).Statement).toHaveLength(2);
  });
});

describe("roles", () => {
  const many =
    (count: number) =>
    ({ clusters }: Record<string, any>) => {
      clusters.splice(1);
      for (let index = 1; index < count; index++) {
        const id = index.toString(16).toUpperCase().padStart(32, "0");
        clusters.push({ ...clusters[0], name: `cluster-${index}`, oidcIssuerId: id, deploy: index === count - 1 });
      }
    };

  test("of number 2 and higher are not imported, because the legacy script created one role", async () => {
    const evaluation = await changed("prod", ({ clusters, targetAccounts }) => {
      Object.assign(clusters[1], { roleNumber: 2 });
      Object.assign(targetAccounts[1], { clusters: ["prod-us", "prod-eu"], adopt: true });
    });
    const { profile } = evaluation.settings.targetAccounts[1]!;
    const own = (type: string) => ofType(evaluation, type).filter(({ provider }) => provider === `${profile}/aws`);
    expect(own(":Role")).toHaveLength(2);
    expect(own(":RolePolicy")).toHaveLength(2);
    const imports = [...own(":Role"), ...own(":RolePolicy")].flatMap(({ importId }) => importId ?? []);
    expect(imports).toEqual(["EKSMultiAccountMCPRole", "EKSMultiAccountMCPRole:MCPReadOnlyPolicy"]);
  });

  test("are as many as the trust policies need, and each cluster uses the one that trusts it", async () => {
    const evaluation = await changed("dev", many(6));
    expect(
      ofType(evaluation, ":Role")
        .map(({ open }) => open.name)
        .sort(),
    ).toEqual([
      "EKSMultiAccountMCPRole",
      "EKSMultiAccountMCPRole",
      "EKSMultiAccountMCPRole-2",
      "EKSMultiAccountMCPRole-2",
    ]);
    expect(object(evaluation, "ConfigMap", "dev-cluster").data.config).toContain("role/EKSMultiAccountMCPRole\n");
    expect(object(evaluation, "ConfigMap", "cluster-5").data.config).toContain("role/EKSMultiAccountMCPRole-2\n");
    expect(planTree(evaluation)).toMatch(/role EKSMultiAccountMCPRole-2 {2}trusts .*; trust policy \d+ of 2048/);
  });

  test("of existing clusters do not change when a cluster is added", async () => {
    const roles = async (count: number) =>
      new Map(ofType(await changed("dev", many(count)), ":Role").map(({ urn, open }) => [urn, open.assumeRolePolicy]));
    const [five, six] = [await roles(5), await roles(6)];
    const moved = [...five].filter(([urn, policy]) => six.get(urn) !== policy).map(([urn]) => urn.split("::").at(-1));
    expect(moved.every((name) => name!.endsWith("-2"))).toBe(true);
  });

  test("that are managed outside the stack need no provider, and the workload has their ARNs", async () => {
    const evaluation = await changed("dev", ({ targetAccounts }) =>
      Object.assign(targetAccounts[1], { manage: false }),
    );
    expect(evaluation.resources.filter(({ name }) => name.startsWith("sandbox"))).toEqual([]);
    expect(object(evaluation, "ConfigMap").data.config).toContain(
      "role_arn = arn:aws:iam::222222222222:role/EKSMultiAccountMCPRole",
    );
  });

  test("trust additional subjects, and only Holmes in hosted mode", async () => {
    const subjects = async (change: (config: Record<string, any>) => void) =>
      Object.values(trustOf(ofType(await changed("dev", change), ":Role")[0]!).Statement[0].Condition.StringEquals)[1];
    expect(
      await subjects((config) => Object.assign(config.kubernetes, { additionalSubjects: ["robusta:holmes"] })),
    ).toEqual(["system:serviceaccount:holmes-aws-mcp:aws-api-mcp-sa", "system:serviceaccount:robusta:holmes"]);
    expect(
      await subjects((config) =>
        Object.assign(config, { mcp: { enabled: false }, holmes: { namespace: "robusta", hosted: true } }),
      ),
    ).toBe("system:serviceaccount:robusta:robusta-holmes-service-account");
  });

  test("follow the partition of the account's region", async () => {
    const evaluation = await changed("dev", (config) => {
      config.clusters[0].region = "cn-north-1";
      for (const account of config.targetAccounts) account.region = "cn-northwest-1";
    });
    const role = ofType(evaluation, ":Role")[0]!;
    expect(trustOf(role).Statement[0].Principal.Federated).toBe(
      "arn:aws-cn:iam::111111111111:oidc-provider/oidc.eks.cn-north-1.amazonaws.com.cn/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    );
    expect(object(evaluation, "ConfigMap").data.config).toContain("role_arn = arn:aws-cn:iam::111111111111:role/");
    expect(JSON.stringify(evaluation.resources.map(({ inputs }) => inputs))).not.toMatch(/arn:aws:/);
  });

  test("have the permissions boundary of their account", async () => {
    const role = ofType(await changed("prod"), ":Role").find(({ provider }) => provider === "data/aws")!;
    expect(role.open.permissionsBoundary).toBe("arn:aws:iam::444444444444:policy/holmes/ReadOnlyBoundary");
    expect(role.open.forceDetachPolicies).toBe(true);
  });

  test("get managed policies when an inline policy would exceed the limit", async () => {
    const evaluation = await changed("dev", (config) => {
      config.iam = { additionalActions: manyActions };
    });
    expect(ofType(evaluation, ":RolePolicy")).toEqual([]);
    const policies = ofType(evaluation, ":Policy");
    expect(policies.length).toBeGreaterThanOrEqual(4);
    expect(ofType(evaluation, ":RolePolicyAttachment")).toHaveLength(policies.length);
  });
});

describe("exclusive policies", () => {
  const exclusive = async (iam: object) => {
    const evaluation = await changed("dev", (config) => {
      config.iam = { ...iam, exclusivePolicies: true };
    });
    const [first] = ofType(evaluation, ":RolePoliciesExclusive");
    const [second] = ofType(evaluation, ":RolePolicyAttachmentsExclusive");
    expect(ofType(evaluation, "Exclusive")).toHaveLength(4);
    return { names: first!.open, arns: second!.open, waits: [...first!.dependencies, ...second!.dependencies] };
  };
  const roleName = "EKSMultiAccountMCPRole";

  test("keep the stack's inline policies, and no attachment", async () => {
    const { names, arns, waits } = await exclusive({});
    expect(names).toEqual({ roleName, policyNames: ["MCPReadOnlyPolicy"] });
    expect(arns).toEqual({ roleName, policyArns: [] });
    expect(waits.some((urn) => urn.endsWith("::dev/role/MCPReadOnlyPolicy"))).toBe(true);
  });

  test("keep the attachments of the stack's managed policies, and no inline policy", async () => {
    const { names, arns, waits } = await exclusive({ additionalActions: manyActions });
    expect(names).toEqual({ roleName, policyNames: [] });
    const [policy] = arns.policyArns as string[];
    expect(policy).toMatch(/^arn:aws:iam::111111111111:policy\/MCPReadOnlyPolicy/);
    expect(waits.some((urn) => urn.endsWith(`::dev/role/${policy!.split("/").at(-1)}`))).toBe(true);
  });
});

describe("an account that trusts some of the clusters", () => {
  const onlyEu = () =>
    changed("prod", ({ targetAccounts }) => Object.assign(targetAccounts[0], { clusters: ["prod-eu"] }));

  test("has only the providers and the trust of those clusters", async () => {
    const evaluation = await onlyEu();
    const of = (type: string, account: string) =>
      ofType(evaluation, type).filter(({ provider }) => provider === `${account}/aws`);
    const issuer = "oidc.eks.eu-west-1.amazonaws.com/id/2C3D4E5F60718293A4B5C6D7E8F90A1B";
    expect(of(":OpenIdConnectProvider", "prod").map(({ open }) => open.url)).toEqual([`https://${issuer}`]);
    expect(trustOf(of(":Role", "prod")[0]!).Statement).toMatchObject([
      { Principal: { Federated: `arn:aws:iam::333333333333:oidc-provider/${issuer}` } },
    ]);
    expect(of(":OpenIdConnectProvider", "data")).toHaveLength(2);
    expect(trustOf(of(":Role", "data")[0]!).Statement).toHaveLength(2);
  });

  test("is a profile in those clusters only, and the others start with their first profile", async () => {
    const evaluation = await onlyEu();
    const { roleArns, holmes } = evaluation.outputs as Record<string, any>;
    expect(Object.keys(roleArns.prod)).toEqual(["prod-eu"]);
    expect(Object.keys(roleArns.data)).toEqual(["prod-us", "prod-eu"]);
    const facts = (cluster: string) => ({
      profile: /^\[profile prod\]/m.test(object(evaluation, "ConfigMap", cluster).data.config),
      annotation: object(evaluation, "ServiceAccount", cluster).metadata.annotations["eks.amazonaws.com/role-arn"],
      // The accounts in the tool's description.
      described: JSON.parse(object(evaluation, "ConfigMap", cluster).data["launcher.json"]).accounts.some(
        ({ profile }: { profile: string }) => profile === "prod",
      ),
      start: holmes[cluster].mcpServers.match(/begin with --profile (\w+)/)[1],
      verified: JSON.stringify(
        ofType(evaluation, ":ConfigMap").find(({ name }) => name === `${cluster}/verification/config`)!.open.data,
      ).includes("333333333333"),
    });
    const role = "role/holmes/EKSMultiAccountMCPRole";
    expect(facts("prod-us")).toEqual({
      profile: false,
      annotation: `arn:aws:iam::444444444444:${role}`,
      described: false,
      start: "data",
      verified: false,
    });
    expect(facts("prod-eu")).toEqual({
      profile: true,
      annotation: `arn:aws:iam::333333333333:${role}`,
      described: true,
      start: "prod",
      verified: true,
    });
  });

  test("imports no provider of another cluster", async () => {
    const evaluation = await changed("prod", ({ targetAccounts }) =>
      Object.assign(targetAccounts[1], { clusters: ["prod-us"], adopt: true }),
    );
    const imports = ofType(evaluation, ":OpenIdConnectProvider").flatMap(({ importId }) => importId ?? []);
    expect(imports).toEqual([
      "arn:aws:iam::444444444444:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/1B2C3D4E5F60718293A4B5C6D7E8F90A",
    ]);
  });

  test("has only the roles that its clusters need", async () => {
    const evaluation = await changed("prod", (config) => {
      Object.assign(config.clusters[1], { roleNumber: 2 });
      Object.assign(config.targetAccounts[1], { clusters: ["prod-us"] });
    });
    const names = (account: string) =>
      ofType(evaluation, ":Role").flatMap(({ provider, open }) => (provider === `${account}/aws` ? [open.name] : []));
    expect(names("data")).toEqual(["EKSMultiAccountMCPRole"]);
    expect(names("network")).toEqual(["EKSMultiAccountMCPRole", "EKSMultiAccountMCPRole-2"]);
  });

  test("does not change when it names every cluster", async () => {
    const named = await changed("prod", ({ targetAccounts }) => {
      for (const account of targetAccounts) account.clusters = ["prod-us", "prod-eu"];
    });
    expect(planJson(named)).toBe(planJson(await changed("prod")));
  });
});

describe("values that the config omits are looked up from EKS", () => {
  test("issuer and kubeconfig, through a provider of the cluster's account", async () => {
    const evaluation = await changed("dev", ({ clusters }) => {
      delete clusters[0].oidcIssuerId;
      delete clusters[0].context;
      clusters[0].profile = "dev";
      clusters[0].eksName = "same-name";
    });
    const provider = evaluation.resources.find(({ name }) => name === "dev-cluster/eks")!;
    expect(JSON.parse(String(provider.open.allowedAccountIds))).toEqual(["111111111111"]);
    const kubernetes = evaluation.resources.find(({ name }) => name === "dev-cluster/kubernetes")!;
    expect(String(kubernetes.open.kubeconfig)).toMatch(/- get-token\n\s+- --cluster-name\n\s+- same-name\n/);
    expect(ofType(evaluation, ":OpenIdConnectProvider")[0]!.open.url).toMatch(
      /^https:\/\/oidc\.eks\.us-east-1\.amazonaws\.com\/id\/[0-9A-F]{32}$/,
    );
    expect(envOf(object(evaluation, "Deployment")).AWS_REGION).toBeUndefined();
  });
});

describe("an organization", () => {
  const organization = {
    profile: "management",
    accountId: "999999999999",
    region: "us-east-1",
    organizationalUnits: ["ou-abcd-11112222", "ou-abcd-33334444"],
    existingOidcProviders: { "dev-cluster": ["111111111111"] },
  };
  const withOrganization = () =>
    changed("dev", (config) => {
      Object.assign(config, { organization });
      for (const account of config.targetAccounts) account.manage = false;
      config.image = { prebuilt: `registry.example.com/image@sha256:${"a".repeat(64)}` };
    });

  test("has a StackSet with the same documents, only in the management account", async () => {
    const evaluation = await withOrganization();
    const [stackSet] = ofType(evaluation, ":StackSet");
    expect(stackSet!.open).toMatchObject({
      permissionModel: "SERVICE_MANAGED",
      autoDeployment: { enabled: true, retainStacksOnAccountRemoval: false },
      capabilities: ["CAPABILITY_NAMED_IAM"],
      callAs: "SELF",
    });
    const instances = ofType(evaluation, ":StackSetInstance").map(({ open }) => open.deploymentTargets);
    expect(instances).toEqual(organization.organizationalUnits.map((unit) => ({ organizationalUnitIds: [unit] })));
    const aws = evaluation.resources.filter(({ type }) => type.startsWith("aws:"));
    expect(new Set(aws.map(({ provider }) => provider))).toEqual(new Set(["organization/stackset"]));
    const template = JSON.parse(String(stackSet!.open.templateBody));
    const [role] = Object.values<any>(template.Resources).filter(({ Type }) => Type === "AWS::IAM::Role");
    const direct = await changed("dev");
    expect(
      JSON.parse(JSON.stringify(role.Properties.Policies[0].PolicyDocument).replaceAll("${AWS::Partition}", "aws")),
    ).toMatchObject({ Version: "2012-10-17" });
    expect(role.Properties.RoleName).toBe(ofType(direct, ":Role")[0]!.open.name);
    expect(Object.keys(template.Conditions)).toHaveLength(1);
  });

  test("provides the workload's profiles, from the list or from a file", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "accounts-")), "accounts.yaml");
    writeFileSync(
      file,
      '- {profile: one, accountId: "000000000001", region: eu-west-1}\n- {profile: two, accountId: "000000000002"}\n',
    );
    const evaluation = await changed("dev", (config) => {
      Object.assign(config, { organization: { ...organization, accountsFile: file }, targetAccounts: [] });
      config.image = { prebuilt: `registry.example.com/image@sha256:${"a".repeat(64)}` };
    });
    const { config } = object(evaluation, "ConfigMap").data;
    expect(config).toContain("[profile one]\nrole_arn = arn:aws:iam::000000000001:role/EKSMultiAccountMCPRole\n");
    expect(config).toMatch(/\[profile two\][^[]*region = us-east-1\n/);
    expect(ofType(evaluation, ":TargetAccount")).toEqual([]);
    rmSync(dirname(file), { recursive: true });
  });
});

test("a policy with write actions causes a warning in capitals with the hosted server, which does not reject writes", async () => {
  const hosted = (actions: string[]) =>
    changed("dev", (config) => {
      const iam = { additionalActions: actions, policyChecks: "warn" };
      Object.assign(config, { mcp: { enabled: false }, holmes: { hosted: true }, iam });
    });
  expect((await hosted([])).warnings.join("\n")).not.toContain("HOLMES CAN WRITE");
  expect((await hosted(["ec2:StopInstances"])).warnings.join("\n")).toMatch(
    /HOLMES CAN WRITE: the policies allow writes, such as ec2:StopInstances,/,
  );
});

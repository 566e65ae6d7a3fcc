import { describe, expect, test } from "vitest";
import { issuerPath } from "../../config/settings.js";
import { projectFolder } from "../../scripts/common/command.js";
import { readStackFile } from "../../scripts/common/stackFile.js";
import { planTree } from "../../scripts/common/tree.js";
import { planFiles, planJson } from "../../scripts/plan/files.js";
import { changed, ofType } from "./stacks.js";

describe.each(["dev", "prod"] as const)("the checked-in stack %s", async (stack) => {
  const evaluation = await changed(stack);
  const { resources, settings } = evaluation;

  test("has this topology", () => {
    // Without the hashes of the image's and the verification's content.
    const tree = planTree(evaluation).replace(
      /(?<=server:)[0-9a-f]{12}|(?<=verify-)[0-9a-f]{16}|(?<=probe-)[0-9a-f]{12}/g,
      "<hash>",
    );
    expect(tree).toMatchSnapshot();
  });

  test("has unique URNs", () => {
    expect(new Set(resources.map(({ urn }) => urn)).size).toBe(resources.length);
    const names = resources.map(({ type, name }) => `${type}::${name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test("gives every resource an explicit provider", () => {
    const providers = new Set(
      ofType(evaluation, "")
        .filter(({ type }) => type.startsWith("pulumi:providers:"))
        .map(({ name }) => name),
    );
    const custom = resources.filter(({ type }) => /^(aws|kubernetes|docker):/.test(type));
    expect(custom.length).toBeGreaterThan(10);
    for (const { provider, urn } of custom) expect(providers, urn).toContain(provider);
  });

  test("creates each account's resources only through the provider of that account", () => {
    for (const { profile, accountId, assumeRole } of settings.targetAccounts) {
      const provider = resources.find(
        ({ name, type }) => name === `${profile}/aws` && type === "pulumi:providers:aws",
      )!;
      expect(JSON.parse(String(provider.open.allowedAccountIds))).toEqual([accountId]);
      expect(provider.open.profile).toBe(assumeRole === undefined ? profile : assumeRole.sourceProfile);
      if (assumeRole !== undefined) expect(String(provider.open.assumeRoles)).toContain(assumeRole.roleArn);
      const own = resources.filter(
        ({ parent, type }) => type.startsWith("aws:iam/") && parent?.endsWith(`::${profile}`),
      );
      expect(own.length).toBeGreaterThan(1);
      for (const resource of own) {
        expect(resource.provider).toBe(`${profile}/aws`);
        const accounts = [...String(resource.open.assumeRolePolicy ?? "").matchAll(/::(\d{12}):/g)].map(([, id]) => id);
        expect(new Set(accounts).size).toBeLessThanOrEqual(1);
        for (const id of accounts) expect(id).toBe(accountId);
      }
    }
  });

  test("disables default providers", () => {
    // The engine then rejects a resource without an explicit provider.
    const { values } = readStackFile(projectFolder, stack);
    expect(values["pulumi:disable-default-providers"]).toBe('["aws","kubernetes","docker"]');
  });

  test("creates only the expected types of IAM resources", () => {
    const kinds = new Set(
      resources.filter(({ type }) => type.startsWith("aws:iam/")).map(({ type }) => type.split(":").at(-1)),
    );
    expect([...kinds].sort()).toEqual(["OpenIdConnectProvider", "Role", "RolePolicy"]);
  });

  test("produces the same plan again, byte for byte", async () => {
    const again = await changed(stack);
    expect(planJson(again)).toBe(planJson(evaluation));
    expect([...planFiles(again)]).toEqual([...planFiles(evaluation)]);
  });

  test("writes the documents that it registers", () => {
    const files = planFiles(evaluation);
    for (const role of ofType(evaluation, "role:Role")) {
      const path = `accounts/${role.provider!.replace("/aws", "")}/${role.open.name}/trust-policy.json`;
      expect(JSON.parse(files.get(path)!)).toEqual(JSON.parse(String(role.open.assumeRolePolicy)));
    }
    for (const { name } of settings.clusters) {
      const manifests = files.get(`clusters/${name}/manifests.yaml`)!;
      expect([...manifests.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind)).toEqual([
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "ConfigMap",
        "NetworkPolicy",
        "Service",
        "Deployment",
        "Job",
        "Job",
        // The check of a prebuilt image.
        ...(settings.image.prebuilt !== undefined ? ["Job"] : []),
      ]);
      expect(files.get(`holmes/${name}/helm-values.yaml`)).toContain("mcp_servers:");
      expect(files.get(`holmes/${name}/robusta-values.yaml`)).toMatch(/^holmes:\n {2}mcp_servers:/);
    }
    for (const { profile, clusters } of settings.targetAccounts) {
      const issuers = ofType(evaluation, "OpenIdConnectProvider")
        .filter(({ provider }) => provider === `${profile}/aws`)
        .map(({ open }) => String(open.url).replace("https://", ""));
      const [{ Resource: resources }] = JSON.parse(files.get(`provisioning/${profile}/up.json`)!).Statement;
      expect(resources).toEqual(
        expect.arrayContaining(issuers.map((issuer) => expect.stringMatching(`oidc-provider/${issuer}$`))),
      );
      expect(resources).toHaveLength(clusters.length);
      const actions = [...files.get(`provisioning/${profile}/preview.json`)!.matchAll(/"(\w+:\w+)"/g)].map(
        ([, a]) => a,
      );
      expect(actions).toContain("iam:GetRole");
      for (const action of actions) expect(action).toMatch(/:(Get|List)/);
    }
    const topology = files.get("topology.md")!;
    for (const [index, { name }] of settings.clusters.entries()) {
      expect(topology).toContain(`  cluster${index}["cluster ${name}<br/>`);
    }
    expect(topology.match(/ -->\|"EKSMultiAccountMCPRole"\| account\d$/gm)).toHaveLength(
      settings.clusters.length * settings.targetAccounts.length,
    );
  });
});

test("the plan contains the documents of an account that is managed outside the stack", async () => {
  const managed = planFiles(await changed("dev"));
  const files = planFiles(
    await changed("dev", ({ targetAccounts }) => Object.assign(targetAccounts[1], { manage: false })),
  );
  const of = (all: ReadonlyMap<string, string>) => [...all].filter(([path]) => path.startsWith("accounts/sandbox/"));
  expect(of(files).map(([path]) => path)).toEqual([
    "accounts/sandbox/EKSMultiAccountMCPRole/trust-policy.json",
    "accounts/sandbox/EKSMultiAccountMCPRole/MCPReadOnlyPolicy.json",
  ]);
  expect(of(files)).toEqual(of(managed));
});

test("the plan contains a provisioning policy and its read-only part for each managed account, with the known issuers", async () => {
  const evaluation = await changed("dev", ({ clusters, targetAccounts }) => {
    targetAccounts[1].manage = false;
    const { oidcIssuerId: _, ...lookedUp } = clusters[0];
    clusters.push({ ...lookedUp, name: "eks", profile: "dev", region: "eu-west-1", deploy: false });
  });
  const files = planFiles(evaluation);
  expect([...files.keys()].filter((path) => path.startsWith("provisioning/"))).toEqual([
    "provisioning/dev/up.json",
    "provisioning/dev/preview.json",
  ]);
  const providers = (path: string) =>
    JSON.parse(files.get(path)!).Statement.find(({ Sid }: { Sid: string }) => Sid === "ManageOidcProviders").Resource;
  const arn = "arn:aws:iam::111111111111:oidc-provider/";
  // The issuer of the second cluster is looked up in EKS.
  const expected = [issuerPath(evaluation.clusters[0]!.issuerUrl), "oidc.eks.eu-west-1.amazonaws.com/id/*"];
  expect(providers("provisioning/dev/up.json")).toEqual(expected.map((issuer) => arn + issuer));
  expect(providers("provisioning/dev/preview.json")).toEqual(providers("provisioning/dev/up.json"));
  expect(files.get("provisioning/dev/preview.json")).not.toMatch(/Create|Delete|Put|Update/);
});

describe("secrets", () => {
  const withRegistry = (config: Record<string, any>) => {
    config.image = {
      build: {
        repository: "registry.example.com/aws-api-mcp-server",
        registry: { username: "robot", password: "hunter2-hunter2" },
      },
    };
  };

  test("of the registry are not in any file of the plan", async () => {
    const evaluation = await changed("dev", withRegistry, ["image"]);
    const image = ofType(evaluation, "image:Image")[0]!;
    expect(image.inputs.registry).toMatchObject({ username: "[secret]", password: "[secret]" });
    expect(image.open.registry).toMatchObject({ username: "robot", password: "hunter2-hunter2" });
    for (const [path, content] of planFiles(evaluation)) expect(content, path).not.toContain("hunter2");
    expect(planTree(evaluation)).not.toContain("hunter2");
  });

  test("in plain text are rejected, and the error does not show them", async () => {
    await expect(changed("dev", withRegistry)).rejects.toThrow(
      /image\.build\.registry\.password: found plain text; expected a Pulumi secret/,
    );
  });

  test("in an external ID stay secret", async () => {
    const rolesOf = async (secretKeys: string[]) => {
      const { resources } = await changed("prod", () => {}, secretKeys);
      return resources.find(({ name }) => name === "billing/aws")!;
    };
    const provider = await rolesOf(["targetAccounts"]);
    expect(provider.inputs.assumeRoles).toBe("[secret]");
    expect(String(provider.open.assumeRoles)).toContain('"externalId":"holmes-aws-mcp"');
    expect(JSON.stringify((await rolesOf([])).inputs.assumeRoles)).toContain("holmes-aws-mcp");
  });

  test("in a kubeconfig stay secret", async () => {
    const content = "apiVersion: v1\nkind: Config\nusers: [{name: a, user: {token: hunter2}}]\n";
    const evaluation = await changed("dev", ({ clusters }) => Object.assign(clusters[0], { kubeconfig: content }), [
      "clusters",
    ]);
    const provider = evaluation.resources.find(({ name }) => name === "dev-cluster/kubernetes")!;
    expect(provider.inputs.kubeconfig).toBe("[secret]");
    for (const [path, text] of planFiles(evaluation)) expect(text, path).not.toContain("hunter2");
  });

  test("for ECR come from the provider and stay secret", async () => {
    const image = ofType(await changed("dev"), "image:Image")[0]!;
    expect((image.inputs.registry as Record<string, unknown>).password).toBe("[secret]");
  });
});

describe("the image", () => {
  const imageOf = async (build: object) => {
    const evaluation = await changed("dev", ({ image }) => Object.assign(image.build, build));
    return ofType(evaluation, "image:Image")[0]!.open as { imageName: string; build: object };
  };

  test("is built with the arguments and the network of the config, and tagged by them", async () => {
    const [plain, other] = [
      await imageOf({}),
      await imageOf({ network: "host", args: { HTTPS_PROXY: "http://proxy.example.com:3128" }, baseImage: "a.io/b:1" }),
    ];
    expect(plain.build).toEqual({ context: "image", platform: "linux/amd64" });
    expect(other.build).toEqual({
      context: "image",
      platform: "linux/amd64",
      network: "host",
      args: { HTTPS_PROXY: "http://proxy.example.com:3128", BASE_IMAGE: "a.io/b:1" },
    });
    expect(other.imageName).not.toBe(plain.imageName);
  });
});

// Every rule between keys has a failing case, in the order of the rules. The rule itself must report it.
import { expect, test } from "vitest";
import { Problems, pathText } from "../../config/problems.js";
import { readingOf } from "../../config/reading.js";
import { configRules } from "../../config/rules.js";
import { configSchema } from "../../config/schema.js";
import { groupIds } from "../../policies/groups.js";
import { damaged, problemsOf, type Stack, stackConfig } from "./support.js";

/** Stack, changes to the checked-in stack, and the keys that the rule must report. */
type Case = readonly [stack: Stack, changes: Record<string, unknown>, ...paths: string[]];

const issuer = `https://oidc.eks.us-east-1.amazonaws.com/id/${"A".repeat(32)}`;
const organization = { profile: "o", accountId: "999999999999", region: "us-east-1", organizationalUnits: ["r-abcd"] };
const registry = { username: "u", password: "p" };
const build = (more: object) => ({ build: { repository: "ghcr.io/a/b", ...more } });
const policy = "mcp.networkPolicy";
const node = "mcp.affinity.nodeAffinity";
const required = "requiredDuringSchedulingIgnoredDuringExecution";
const everyNamespace = { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "Exists" }] };
const reservedVariables = [
  ...["AWS_ENDPOINT_URL_STS", "AWS_CREDENTIAL_FILE", "BOTO_CONFIG", "PYTHONPATH", "LD_PRELOAD", "AWS_DATA_PATH"],
  ...["AWS_CSM_HOST", "BASH_ENV", "NODE_TLS_REJECT_UNAUTHORIZED", "OPENSSL_CONF"],
];
const proxies = {
  HTTPS_PROXY: "proxy.example.com:3128/",
  HTTP_PROXY: "http://proxy.example.com",
  ALL_PROXY: "https://a",
};

const cases: Record<string, readonly Case[]> = {
  clusters: [
    ["prod", { "clusters[1].name": "PROD-US" }, "clusters[1].name"],
    ["dev", { "clusters[0].previousIssuers": [issuer, issuer] }, "clusters[0].previousIssuers[1]"],
    [
      "dev",
      { "clusters[0].previousIssuers": Array.from({ length: 100 }, (_, index) => `https://i.example.com/${index}`) },
      "clusters",
    ],
    ["dev", { "clusters[0].oidcIssuerId": undefined }, "clusters[0].oidcIssuerId"],
    ["dev", { "clusters[0].context": undefined }, "clusters[0].kubeconfig"],
    ["dev", { "clusters[0].kubeconfig": "users:\n- user:\n    token: x\n" }, "clusters[0].kubeconfig"],
    ["dev", { "clusters[0].kubeconfig": "no-such-file" }, "clusters[0].kubeconfig"],
    ["dev", { targetAccounts: Array.from({ length: 10001 }, () => ({})) }, "targetAccounts"],
  ],
  kubernetes: [
    ["dev", { "kubernetes.namespace": "kube-system" }, "kubernetes.createNamespace"],
    [
      "dev",
      { "mcp.enabled": false, "holmes.hosted": true, "holmes.serviceAccount": "default" },
      "holmes.serviceAccount",
    ],
    ["dev", { "kubernetes.additionalSubjects": ["a:b", "a:b"] }, "kubernetes.additionalSubjects[1]"],
  ],
  iam: [
    ["prod", { "iam.tags.Team": "x" }, "iam.tags.Team"],
    [
      "dev",
      { "iam.policyFile": "x.json", "iam.disabledPolicyGroups": ["cost"], "iam.additionalPolicyGroups": ["ses"] },
      "iam.disabledPolicyGroups",
      "iam.additionalPolicyGroups",
    ],
    ["dev", { "iam.disabledPolicyGroups": groupIds }, "iam.disabledPolicyGroups"],
    ["dev", { "iam.allowedRegions": ["cn-north-1", "eu-west-1"] }, "iam.allowedRegions[0]", "iam.allowedRegions"],
    ["dev", { "iam.permissionsBoundary": "MCPReadOnlyPolicy-2" }, "iam.permissionsBoundary"],
  ],
  targetAccounts: [
    ["dev", { targetAccounts: [] }, "targetAccounts"],
    ["dev", { "targetAccounts[1].accountId": "111111111111" }, "targetAccounts[1].accountId"],
    ["dev", { "targetAccounts[1].clusters": ["x"] }, "targetAccounts[1].clusters[0]"],
    [
      "prod",
      Object.fromEntries([0, 1, 2, 3].map((index) => [`targetAccounts[${index}].clusters`, ["prod-us"]])),
      "clusters[1].name",
    ],
    ["dev", { "targetAccounts[1].manage": false, "targetAccounts[1].adopt": true }, "targetAccounts[1].adopt"],
    [
      "dev",
      {
        "targetAccounts[0].permissionsBoundary": "arn:aws:iam::111111111111:policy/MCPReadOnlyPolicy",
        "targetAccounts[1].assumeRole.roleArn": "arn:aws:iam::222222222222:role/EKSMultiAccountMCPRole-2",
      },
      "targetAccounts[0].permissionsBoundary",
      "targetAccounts[1].assumeRole.roleArn",
    ],
    ["dev", { "clusters[0].profile": "sandbox" }, "clusters[0].profile"],
    ["dev", { defaultProfile: "x" }, "defaultProfile"],
  ],
  image: [
    ["dev", { image: {} }, "image"],
    ["dev", { image: { prebuilt: "x.io/a:1", verify: { key: "a.pub" } } }, "image.verify"],
    [
      "dev",
      { image: { prebuilt: "x.io/aws-api-mcp-server:1.0.1" }, "mcp.transport": "streamable-http" },
      "mcp.transport",
    ],
    ["dev", { image: { build: { repository: "a/b" } } }, "image.build.repository"],
    ["dev", { image: build({ registry: { ...registry, server: "quay.io" } }) }, "image.build.registry.server"],
    ["dev", { "image.build.ecr.region": "cn-north-1" }, "image.build.ecr.region"],
    [
      "dev",
      { image: build({ registry, args: { HTTPS_PROXY: "http://u:p@proxy.example.com" } }) },
      "image.build.args.HTTPS_PROXY",
      "image.build.registry.password",
    ],
  ],
  mcp: [
    ["dev", { "mcp.replicas": 2 }, "mcp.replicas"],
    [
      "dev",
      { "mcp.env": Object.fromEntries(reservedVariables.map((name) => [name, "x"])) },
      ...reservedVariables.map((name) => `mcp.env.${name}`),
    ],
    ["dev", { "mcp.env": { HTTPS_PROXY: "http://u:p@proxy.example.com:443" } }, "mcp.env.HTTPS_PROXY"],
    ["dev", { "mcp.env": proxies }, "mcp.env.HTTPS_PROXY", "mcp.env.HTTP_PROXY"],
    ["dev", { "mcp.podLabels": { "pod-template-hash": "x" } }, "mcp.podLabels.pod-template-hash"],
    ["dev", { "mcp.nodeSelector": { "kubernetes.io/os": "windows" } }, 'mcp.nodeSelector["kubernetes.io/os"]'],
    ["dev", { "mcp.resources.limits.memory": "300Mi" }, "mcp.resources.limits.memory"],
    [
      "dev",
      {
        "mcp.extraVolumes": [
          { name: "a", emptyDir: {} },
          { name: "tmp", emptyDir: {} },
        ],
        "mcp.extraVolumeMounts": ["/usr/local", "/etc", "/bin", "/home", "/var/run/secrets/x"].map((mountPath) => ({
          name: "a",
          mountPath,
        })),
      },
      "mcp.extraVolumes[1].name",
      ...[0, 1, 2, 3, 4].map((index) => `mcp.extraVolumeMounts[${index}].mountPath`),
    ],
    [
      "dev",
      {
        [`${policy}.additionalPeers`]: [
          ...[
            { namespaceSelector: {} },
            { namespaceSelector: everyNamespace },
            { namespaceSelector: {}, podSelector: {} },
          ],
          ...["0.0.0.0/0", "128.0.0.0/1", "::/0", "fc00::/7"].map((cidr) => ({ ipBlock: { cidr } })),
        ],
      },
      ...[0, 1, 2, 3, 4, 5].map((index) => `${policy}.additionalPeers[${index}]`),
    ],
    [
      "dev",
      { [`${policy}.additionalEgress`]: [{ to: [{ ipBlock: { cidr: "169.254.0.0/16" } }] }] },
      `${policy}.additionalEgress[0].to[0].ipBlock`,
    ],
    [
      "dev",
      { "mcp.denyList": ["aws ec2 describe-instances", "aws ec2 describe-instancez", "aws cloudwach list-metrics"] },
      "mcp.denyList[1]",
      "mcp.denyList[2]",
    ],
    [
      "dev",
      { "mcp.authentication.tokens": ["x".repeat(32)] },
      "mcp.authentication.tokens[0]",
      "mcp.authentication.type",
    ],
  ],
  holmes: [
    [
      "dev",
      { "mcp.enabled": false, "holmes.hosted": true, "targetAccounts[1].region": "eu-north-1" },
      "holmes.hostedRegion",
    ],
    ["dev", { "holmes.hosted": true }, "holmes.hosted"],
  ],
  verify: [
    ["dev", { "verify.skipProfiles": ["dev", "sandbox"] }, "verify.skipProfiles"],
    ["dev", { "verify.requireNetworkPolicy": true, "mcp.networkPolicy.enabled": false }, "verify.requireNetworkPolicy"],
  ],
  organization: [
    [
      "dev",
      { organization: { ...organization, existingOidcProviders: { x: [] } } },
      "organization.existingOidcProviders.x",
    ],
  ],
};

const all = Object.entries(configRules).flatMap(([section, rules]) =>
  rules.map((rule, index) => ({ name: `${section}: ${rule.says}`, rule, broken: cases[section]?.[index] })),
);

test("the checked-in stacks are valid", async () => {
  expect(await problemsOf(stackConfig("dev"))).toEqual([]);
  expect(await problemsOf(stackConfig("prod"))).toEqual([]);
  expect(all.length).toBeGreaterThan(40);
});

test.each(all)("$name", ({ rule, broken }) => {
  expect(broken, "a case for the rule").toBeDefined();
  const [stack, changes, ...paths] = broken!;
  const problems = new Problems(() => false);
  rule.check(readingOf(configSchema, damaged(stackConfig(stack), changes)), problems, () => false);
  expect(problems.all.map(({ path }) => pathText(path))).toEqual(paths);
});

test("rules see valid values and defaults of a config with other problems", () => {
  const raw = {
    clusters: [{ name: "a", region: 1, deploy: "yes", unknown: 1 }, "b"],
    iam: "text",
    mcp: { transport: "http", replicas: 3, env: { A: 1, B: "b" }, networkPolicy: { egressPorts: [443, "x"] } },
    targetAccounts: [{ profile: "p", adopt: { role: 1, policy: true } }],
  };
  const { clusters, iam, mcp, targetAccounts, image } = readingOf(configSchema, raw);
  expect(clusters).toMatchObject([
    { name: "a", region: null, deploy: null, previousIssuers: [], context: undefined },
    { name: null, deploy: true },
  ]);
  expect(iam).toMatchObject({ roleName: "EKSMultiAccountMCPRole", tags: {} });
  expect(mcp).toMatchObject({ enabled: true, transport: null, replicas: 3, env: { A: null, B: "b" } });
  expect(mcp.networkPolicy).toMatchObject({ enabled: true, egressPorts: [443, null] });
  expect(targetAccounts).toMatchObject([
    { profile: "p", accountId: null, adopt: { role: null, policy: true, oidcProviders: false } },
  ]);
  expect(image).toBeUndefined();
});

test.each<[Record<string, unknown>, string]>([
  [{ "clusters[0].region": "us-east-3" }, "clusters[0].region"],
  [{ "clusters[0].context": "dev " }, "clusters[0].context"],
  [{ "iam.path": "/aws-service-role/" }, "iam.path"],
  [{ "iam.roleName": "AWSServiceRoleForX" }, "iam.roleName"],
  [{ "iam.disabledPolicyGroups": ["ses"] }, "iam.disabledPolicyGroups[0]"],
  [{ "iam.additionalPolicyGroups": ["cost"] }, "iam.additionalPolicyGroups[0]"],
  [{ "iam.sensitiveReadsExcept": ["ec2:RunInstances"] }, "iam.sensitiveReadsExcept[0]"],
  [{ "holmes.serverName": "aws" }, "holmes.serverName"],
  [{ "mcp.resources.limits.cpu": "100Mi" }, "mcp.resources.limits.cpu"],
  [{ "mcp.resources.requests.memory": "768" }, "mcp.resources.requests.memory"],
  [{ "mcp.metrics.port": 8000 }, "mcp.metrics.port"],
  [{ "mcp.denyList": ["aws sts get-caller-identity"] }, "mcp.denyList[0]"],
  [{ "mcp.denyList": ["aws sts"] }, "mcp.denyList[0]"],
  [{ "mcp.denyList": ["aws s3api wait bucket-exists"] }, "mcp.denyList[0]"],
  [{ "mcp.tolerations": [{}] }, "mcp.tolerations[0]"],
  [{ "mcp.tolerations": [{ key: "a", operator: "Exists", value: "x" }] }, "mcp.tolerations[0]"],
  [{ "mcp.tolerations": [{ operator: "Equal", value: "x" }] }, "mcp.tolerations[0]"],
  [{ "mcp.affinity": { foo: 1 } }, "mcp.affinity.foo"],
  [{ [`${node}.foo`]: 1 }, `${node}.foo`],
  [{ [`${node}.${required}`]: {} }, `${node}.${required}.nodeSelectorTerms`],
  [
    { [`${node}.${required}.nodeSelectorTerms`]: [{ matchExpressions: [{ key: "a", operator: "Gt" }] }] },
    `${node}.${required}.nodeSelectorTerms[0].matchExpressions[0]`,
  ],
  [
    { [`mcp.affinity.podAffinity.${required}`]: [{ labelSelector: {} }] },
    `mcp.affinity.podAffinity.${required}[0].topologyKey`,
  ],
  [
    {
      "mcp.topologySpreadConstraints": [
        { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "Never", labelSelector: {} },
      ],
    },
    "mcp.topologySpreadConstraints[0].whenUnsatisfiable",
  ],
  [{ "mcp.extraVolumes": [{ name: "a", hostPath: { path: "/" } }] }, "mcp.extraVolumes[0].hostPath"],
  [{ "mcp.extraVolumes": [{ name: "a", configmap: { name: "b" } }] }, "mcp.extraVolumes[0].configmap"],
  [{ "mcp.extraVolumes": [{ name: "a", configMap: { name: "b", itmes: [] } }] }, "mcp.extraVolumes[0].configMap.itmes"],
  [{ "mcp.extraVolumes": [{ name: "a", secret: { name: "b", secretName: "b" } }] }, "mcp.extraVolumes[0].secret.name"],
  [{ "mcp.extraVolumes": [{ name: "a", emptyDir: { sizeLimit: "x" } }] }, "mcp.extraVolumes[0].emptyDir.sizeLimit"],
  [{ "mcp.podLabels": { "a..b/x": "y" } }, 'mcp.podLabels["a..b/x"]'],
  [
    { [`${policy}.additionalPeers`]: [{ ipBlock: { cidr: "10.0.0.0/16", except: ["10.1.0.0/24"] } }] },
    `${policy}.additionalPeers[0].ipBlock.except[0]`,
  ],
  [{ [`${policy}.additionalPeers`]: [{ ipBlock: { cidr: ":::::/64" } }] }, `${policy}.additionalPeers[0].ipBlock.cidr`],
])("%o is rejected", async (changes, path) => {
  expect((await problemsOf(damaged(stackConfig("dev"), changes))).map((problem) => pathText(problem.path))).toEqual([
    path,
  ]);
});

test.each([
  "https://kubernetes.default.svc",
  "https://kubernetes.default",
  "https://10.0.0.1",
  "https://localhost",
  "https://a.example.com/a/../b",
  "https://oidc.eks.us-east-1.amazonaws.com",
  `https://oidc.eks.us-east-1.amazonaws.com/ID/${"A".repeat(32)}`,
  "https://oidc.eks.us-east-1.amazonaws.com/id/<id>",
  `https://oidc-eks.us-west-2.api.aws/id/${"A".repeat(32)}`,
  `https://oidc-eks.us-east-1.api.aws/id/${"a".repeat(32)}`,
  `https://oidc-eks.us-east-1.api.aws/id/${"A".repeat(31)}`,
])("issuer %s is rejected", async (url) => {
  const raw = damaged(stackConfig("dev"), { "clusters[0].oidcIssuerId": undefined, "clusters[0].oidcIssuerUrl": url });
  expect((await problemsOf(raw)).map(({ path }) => pathText(path))).toEqual(["clusters[0].oidcIssuerUrl"]);
});

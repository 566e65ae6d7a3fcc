/** Known pitfalls of EKS, the server and the gateway, tested on the resources that the program registers. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { HolmesConfig } from "../../documents/holmes.js";
import { changed, envOf, object, ofType, podOf } from "./stacks.js";

const dev = await changed("dev");
const prod = await changed("prod");
const deployment = object(dev, "Deployment");
const pod = podOf(deployment);
const [container] = pod.containers;
const volume = (name: string) => pod.volumes.find((item: { name: string }) => item.name === name);
const withMcp = (mcp: object) => changed("dev", (config) => Object.assign(config, { mcp }));
const http = await withMcp({ transport: "streamable-http" });

describe("names and links", () => {
  test("no Service injects AWS_API_MCP_PORT, and service links are disabled", () => {
    expect(object(dev, "Service").metadata.name).not.toBe("aws-api-mcp");
    expect(pod.enableServiceLinks).toBe(false);
  });

  test("the pods have the label from the troubleshooting instructions, and the Service selects only them", () => {
    const { labels } = deployment.spec.template.metadata;
    expect(labels.app).toBe("aws-api-mcp-server");
    expect(labels).toMatchObject(object(dev, "Service").spec.selector);
    expect(labels).toMatchObject(deployment.spec.selector.matchLabels);
    const verification = object(dev, "Job").spec.template.metadata.labels;
    expect(verification).not.toMatchObject(object(dev, "Service").spec.selector);
  });
});

describe("identity", () => {
  test("the service account is annotated with the default profile's role", async () => {
    const annotations = (evaluation: typeof dev) => object(evaluation, "ServiceAccount").metadata.annotations;
    expect(annotations(dev)["eks.amazonaws.com/role-arn"]).toBe(
      "arn:aws:iam::111111111111:role/EKSMultiAccountMCPRole",
    );
    const other = await changed("dev", (config) => Object.assign(config, { defaultProfile: "sandbox" }));
    expect(annotations(other)["eks.amazonaws.com/role-arn"]).toBe(
      "arn:aws:iam::222222222222:role/EKSMultiAccountMCPRole",
    );
  });

  test("the EKS webhook skips the containers, so it does not inject AWS_REGION", () => {
    for (const workload of [deployment, object(dev, "Job")]) {
      const skipped = workload.spec.template.metadata.annotations["eks.amazonaws.com/skip-containers"];
      expect(skipped).toBe(podOf(workload).containers[0].name);
    }
  });

  test("only the profiles provide an identity: no default region, no node role, no credentials file", () => {
    const env = envOf(deployment);
    for (const name of [
      "AWS_REGION",
      "AWS_DEFAULT_REGION",
      "AWS_PROFILE",
      "AWS_ROLE_ARN",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
    ])
      expect(env).not.toHaveProperty(name);
    expect(env).toMatchObject({
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_CONFIG_FILE: "/etc/holmes-aws-mcp/aws/config",
    });
  });

  test("the token is projected for STS, valid for at least 10 minutes, and mounted at the path in the profiles", () => {
    const { audience, expirationSeconds, path } = volume("aws-token").projected.sources[0].serviceAccountToken;
    expect(audience).toBe("sts.amazonaws.com");
    expect(expirationSeconds).toBeGreaterThanOrEqual(600);
    const mount = container.volumeMounts.find(({ name }: { name: string }) => name === "aws-token");
    expect(object(dev, "ConfigMap").data.config).toContain(`web_identity_token_file = ${mount.mountPath}/${path}\n`);
    expect(pod.securityContext.fsGroup).toBe(pod.securityContext.runAsUser);
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(object(dev, "ServiceAccount").automountServiceAccountToken).toBe(false);
  });

  test("each account is a profile with its own region, without keys that botocore ignores", () => {
    const { config } = object(dev, "ConfigMap").data;
    expect(config).toContain("[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/EKSMultiAccountMCPRole\n");
    // A region without a role, for commands without a profile.
    expect(config).toMatch(/^\[default\]\nregion = us-east-1\n\n\[profile/);
    expect(config).toMatch(/\[profile sandbox\][^[]*region = us-west-2\n/);
    expect(config).not.toContain("duration_seconds");
    for (const [, name] of config.matchAll(/role_session_name = (.*)/g)) expect(name).toMatch(/^[\w+=,.@-]{2,64}$/);
  });

  test("a changed list of accounts triggers a rollout of the Deployment", async () => {
    const hash = (evaluation: typeof dev) =>
      object(evaluation, "Deployment").spec.template.metadata.annotations["holmes-aws-mcp/config-hash"];
    const region = await changed("dev", ({ targetAccounts }) =>
      Object.assign(targetAccounts[1], { region: "eu-west-1" }),
    );
    expect(hash(region)).not.toBe(hash(dev));
    const description = await changed("dev", ({ targetAccounts }) =>
      Object.assign(targetAccounts[1], { description: "Other words" }),
    );
    // The server reads the descriptions at startup and passes them to the model.
    expect(hash(description)).not.toBe(hash(dev));
  });
});

describe("the server", () => {
  test("runs with its safety settings enabled", () => {
    expect(envOf(deployment)).toMatchObject({
      READ_OPERATIONS_ONLY: "true",
      AWS_API_MCP_TELEMETRY: "false",
      AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS: "no-access",
      AWS_API_MCP_SUPPRESS_DEPRECATION_WARNING: "true",
      FASTMCP_LOG_LEVEL: "WARNING",
      AWS_API_MCP_TRANSPORT: "stdio",
    });
  });

  test("runs behind the gateway through exec, and responses are not logged", () => {
    expect(container.command[0]).toMatch(/supergateway$/);
    const option = (name: string) => container.args[container.args.indexOf(name) + 1];
    expect(option("--stdio")).toMatch(/^exec \/opt\/venv\//);
    expect(option("--logLevel")).toBe("none");
    expect([option("--host"), option("--port"), option("--ssePath")]).toEqual(["0.0.0.0", "8000", "/sse"]);
    expect(container.startupProbe.httpGet.path).toBe(option("--healthEndpoint"));
  });

  test("over streamable HTTP allows the host names of its Service, and the launcher checks tokens", () => {
    const server = podOf(object(http, "Deployment")).containers[0];
    expect(server.command).toEqual(["/opt/venv/bin/holmes-aws-mcp"]);
    const env = envOf(object(http, "Deployment"));
    expect(env).toMatchObject({
      AWS_API_MCP_TRANSPORT: "streamable-http",
      AWS_API_MCP_PORT: "8000",
      // The upstream server's own authentication does not verify the audience.
      AUTH_TYPE: "no-auth",
      HOLMES_AWS_MCP_TOKENS_FILE: "/etc/holmes-aws-mcp/tokens/tokens",
    });
    expect(env.AWS_API_MCP_ALLOWED_HOSTS!.split(",")).toContain("holmes-aws-mcp.holmes-aws-mcp.svc.cluster.local");
    expect(env.AWS_API_MCP_ALLOWED_HOSTS).not.toContain(":");
    expect(server.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "http" });
  });

  test("accepts the current and the previous token, and Holmes receives the current one", async () => {
    const secrets = (evaluation: typeof dev) =>
      Object.fromEntries(
        ofType(evaluation, ":Secret").map(({ open }) => {
          const { name, namespace } = open.metadata as { name: string; namespace: string };
          return [`${namespace}/${name}`, open.stringData as Record<string, string>];
        }),
      );
    const lines = (evaluation: typeof dev) =>
      secrets(evaluation)["holmes-aws-mcp/holmes-aws-mcp-tokens"]!.tokens!.split("\n");
    const [first] = lines(http);
    expect(lines(http)).toEqual([first, ""]);
    expect(secrets(http)["default/holmes-aws-mcp-token"]).toEqual({ token: first });
    const rotated = await withMcp({ transport: "streamable-http", authentication: { tokenVersion: 2 } });
    const [second] = lines(rotated);
    expect(second).not.toBe(first);
    expect(lines(rotated)).toEqual([second, first, ""]);
    expect(secrets(rotated)["default/holmes-aws-mcp-token"]).toEqual({ token: second });
    // The pods read the file again, so a rotation does not restart them.
    expect(object(rotated, "Deployment").spec.template).toEqual(object(http, "Deployment").spec.template);
    expect(
      ofType(http, ":Secret")
        .map(({ inputs }) => JSON.stringify(inputs))
        .join(),
    ).not.toContain(first!);
    expect(secrets(dev)).toEqual({});
  });

  test("starts after the NetworkPolicy, the Secrets, the service account and the Service are created", async () => {
    const evaluation = await changed(
      "dev",
      (config) => Object.assign(config, { mcp: { transport: "streamable-http", env: { DEBUG: "1" } } }),
      ["mcp"],
    );
    const before = [":NetworkPolicy", ":Secret", ":ServiceAccount", ":Service"].flatMap((type) =>
      ofType(evaluation, type).map(({ urn }) => urn),
    );
    expect(before).toHaveLength(6);
    expect(ofType(evaluation, ":Deployment")[0]!.dependencies).toEqual(expect.arrayContaining(before));
  });

  test("reads a secret value of mcp.env from a Secret, and a change triggers a rollout", async () => {
    const withEnv = (password: string, ...secretKeys: string[]) =>
      changed(
        "dev",
        (config) => Object.assign(config, { mcp: { env: { HTTPS_PROXY: `http://u:${password}@proxy:443` } } }),
        secretKeys,
      );
    const first = await withEnv("one-password", "mcp");
    const [secret] = ofType(first, ":Secret");
    expect(secret!.open).toMatchObject({
      metadata: { name: "holmes-aws-mcp-env", namespace: "holmes-aws-mcp" },
      stringData: { HTTPS_PROXY: "http://u:one-password@proxy:443" },
    });
    expect(JSON.stringify([first.resources.map(({ inputs }) => inputs), first.outputs])).not.toContain("one-password");
    const second = await withEnv("two-password", "mcp");
    for (const kind of ["Deployment", "Job"]) {
      const workload = object(first, kind);
      expect(podOf(workload).containers[0].env).toContainEqual({
        name: "HTTPS_PROXY",
        valueFrom: { secretKeyRef: { name: "holmes-aws-mcp-env", key: "HTTPS_PROXY" } },
      });
      expect(JSON.stringify(workload)).not.toContain("one-password");
      const hash = "holmes-aws-mcp/env-hash";
      const before = workload.spec.template.metadata.annotations;
      const after = object(second, kind).spec.template.metadata.annotations;
      expect(after).not.toEqual(before);
      expect({ ...after, [hash]: before[hash] }).toEqual(before);
      expect(ofType(first, `:${kind}`)[0]!.inputs).toMatchObject({
        spec: { template: { metadata: { annotations: { [hash]: "[secret]" } } } },
      });
    }
    // What is not secret stays readable in the Deployment.
    const open = await changed("dev", (config) => Object.assign(config, { mcp: { env: { DEBUG: "1" } } }));
    expect(envOf(object(open, "Deployment")).DEBUG).toBe("1");
    expect(ofType(open, ":Secret")).toEqual([]);
  });

  test("has one pod with SSE, and several with HTTP, with session affinity and topology spread", async () => {
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    expect(ofType(dev, ":PodDisruptionBudget")).toEqual([]);
    const three = await withMcp({ transport: "streamable-http", replicas: 3 });
    expect(object(three, "Service").spec.sessionAffinity).toBe("ClientIP");
    expect(object(three, "PodDisruptionBudget").spec.maxUnavailable).toBe(1);
    expect(podOf(object(three, "Deployment")).topologySpreadConstraints).toHaveLength(1);
    expect(object(three, "Deployment").spec.strategy.type).toBe("RollingUpdate");
  });

  test("reads its settings and the accounts from a file", async () => {
    const evaluation = await withMcp({
      denyList: ["aws logs start-query"],
      concurrency: 8,
      metrics: { enabled: true },
    });
    const env = envOf(object(evaluation, "Deployment"));
    expect(env.HOLMES_AWS_MCP_CONFIG).toBe("/etc/holmes-aws-mcp/aws/launcher.json");
    expect(JSON.parse(object(evaluation, "ConfigMap").data["launcher.json"])).toEqual({
      concurrency: 8,
      callTimeoutSeconds: 100,
      maxAnswerBytes: 1_000_000,
      allowedEndpoints: [],
      suggestCommands: false,
      denyList: ["aws logs start-query"],
      metricsPort: 9090,
      accounts: [
        {
          profile: "dev",
          accountId: "111111111111",
          region: "us-east-1",
          description: "Development account, home of the cluster",
        },
        { profile: "sandbox", accountId: "222222222222", region: "us-west-2", description: "Sandbox account" },
      ],
    });
    const template = object(evaluation, "Deployment").spec.template;
    expect(template.metadata.annotations).toMatchObject({ "prometheus.io/port": "9090" });
    const logs = template.spec.volumes.find(({ name }: { name: string }) => name === "logs");
    expect(logs.emptyDir).toEqual({ sizeLimit: "64Mi" });
  });

  test("in the legacy image runs the image's own command, with a warning", async () => {
    const reference = "registry.example.com/devel/aws-api-mcp-server:1.0.1";
    const evaluation = await changed("dev", (config) => Object.assign(config, { image: { prebuilt: reference } }));
    const own = podOf(object(evaluation, "Deployment")).containers[0];
    expect(own.image).toBe(reference);
    expect(own.command).toBeUndefined();
    expect(own.livenessProbe.tcpSocket).toBeDefined();
    expect(ofType(evaluation, ":Job")).toEqual([]);
    expect(evaluation.warnings.join()).toContain("verification");
    expect(evaluation.warnings.join()).toContain("returns responses to the wrong client");
  });
});

describe("the pod", () => {
  test("meets the restricted Pod Security Standard, with a read-only root file system", () => {
    for (const workload of [deployment, object(dev, "Job")]) {
      const { securityContext, containers } = podOf(workload);
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(containers[0].securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
    expect(object(dev, "Namespace").metadata.labels["pod-security.kubernetes.io/enforce"]).toBe("restricted");
  });

  test("keeps session keys in memory", () => {
    expect(volume("home").emptyDir.medium).toBe("Memory");
    expect(envOf(deployment).HOME).toBe("/home/mcp");
  });

  test("runs on nodes of the image's platform", async () => {
    expect(pod.nodeSelector).toEqual({ "kubernetes.io/arch": "amd64" });
    const arm = await changed("dev", ({ image }) => Object.assign(image.build, { platform: "linux/arm64" }));
    expect(podOf(object(arm, "Deployment")).nodeSelector["kubernetes.io/arch"]).toBe("arm64");
  });

  test("accepts the usual settings of a Helm chart", async () => {
    const podAffinityTerm = {
      topologyKey: "kubernetes.io/hostname",
      labelSelector: { matchLabels: { team: "platform" } },
    };
    const preferredDuringSchedulingIgnoredDuringExecution = [{ weight: 1, podAffinityTerm }];
    const affinity = { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution } };
    const evaluation = await withMcp({
      nodeSelector: { pool: "tools" },
      tolerations: [{ key: "dedicated", operator: "Exists" }],
      affinity,
      priorityClassName: "high",
      imagePullSecrets: ["registry"],
      podLabels: { team: "platform" },
      podAnnotations: { note: "x" },
      env: { HTTPS_PROXY: "http://proxy:3128" },
      networkPolicy: { egressPorts: [443, 3128] },
      extraVolumes: [{ name: "ca", configMap: { name: "ca" } }],
      extraVolumeMounts: [{ name: "ca", mountPath: "/etc/ssl/own" }],
      resources: { limits: { memory: "1Gi" } },
    });
    const workload = object(evaluation, "Deployment");
    const spec = podOf(workload);
    expect(spec).toMatchObject({
      priorityClassName: "high",
      imagePullSecrets: [{ name: "registry" }],
      affinity,
    });
    expect(spec.nodeSelector.pool).toBe("tools");
    expect(spec.tolerations).toHaveLength(1);
    expect(workload.spec.template.metadata.labels).toMatchObject({ team: "platform", app: "aws-api-mcp-server" });
    expect(workload.spec.template.metadata.annotations.note).toBe("x");
    expect(envOf(workload).HTTPS_PROXY).toBe("http://proxy:3128");
    expect(spec.containers[0].volumeMounts).toContainEqual({ name: "ca", mountPath: "/etc/ssl/own" });
    expect(spec.containers[0].resources).toEqual({
      requests: { cpu: "100m", memory: "256Mi", "ephemeral-storage": "64Mi" },
      limits: { memory: "1Gi", "ephemeral-storage": "512Mi" },
    });
  });

  test("runs in an existing namespace with an existing service account", async () => {
    const evaluation = await changed("dev", ({ kubernetes }) =>
      Object.assign(kubernetes, {
        namespace: "default",
        createNamespace: false,
        createServiceAccount: false,
        serviceAccount: "own",
      }),
    );
    expect(ofType(evaluation, ":Namespace")).toEqual([]);
    expect(ofType(evaluation, ":ServiceAccount")).toEqual([]);
    expect(podOf(object(evaluation, "Deployment")).serviceAccountName).toBe("own");
  });
});

describe("the image", () => {
  test("is deployed by digest after a build, from a repository with immutable tags", () => {
    expect(container.image).toMatch(
      /^111111111111\.dkr\.ecr\.us-east-1\.amazonaws\.com\/holmes\/aws-api-mcp-server@sha256:[0-9a-f]{64}$/,
    );
    expect(ofType(dev, ":Repository")[0]!.open).toMatchObject({
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
    });
  });

  test("is built with arguments that stay secret, and a changed argument changes the tag", async () => {
    const build = async (token: string, ...secretKeys: string[]) => {
      const evaluation = await changed(
        "dev",
        ({ image }) => Object.assign(image.build, { args: { INDEX: `https://pypi.example.com/${token}` } }),
        secretKeys,
      );
      expect(ofType(evaluation, ":Image")).toHaveLength(1);
      return { evaluation, image: ofType(evaluation, ":Image")[0]! };
    };
    const { evaluation, image } = await build("one-password", "image");
    expect(image.open.build).toMatchObject({ args: { INDEX: "https://pypi.example.com/one-password" } });
    expect(JSON.stringify(evaluation.resources.map(({ inputs }) => inputs))).not.toContain("one-password");
    expect((await build("two-password", "image")).image.open.imageName).not.toBe(image.open.imageName);
    expect((await build("one-password")).image.inputs.build).toEqual(image.open.build);
  });

  test("needs neither a container engine nor a provider if it is prebuilt", async () => {
    expect(ofType(await changed("prod"), "").filter(({ type }) => type.includes("docker"))).toEqual([]);
  });
});

describe("the verification", () => {
  const job = (evaluation: typeof dev) => object(evaluation, "Job");

  test("runs in the image, identity and network of the server", () => {
    const own = podOf(job(dev));
    expect(own.serviceAccountName).toBe(pod.serviceAccountName);
    expect(own.containers[0].image).toBe(container.image);
    expect(envOf(job(dev))).toEqual(envOf(deployment));
    expect(job(dev).spec.template.metadata.labels).toMatchObject(
      object(dev, "NetworkPolicy").spec.podSelector.matchLabels,
    );
  });

  test("runs again only when its input changes", async () => {
    const name = (evaluation: typeof dev) => job(evaluation).metadata.name;
    expect(name(await changed("dev"))).toBe(name(dev));
    const trust = await changed("dev", ({ kubernetes }) => Object.assign(kubernetes, { additionalSubjects: ["a:b"] }));
    expect(name(trust)).not.toBe(name(dev));
    const accounts = await changed("dev", ({ targetAccounts }) => targetAccounts.pop());
    expect(name(accounts)).not.toBe(name(dev));
    const words = await changed("dev", ({ targetAccounts }) =>
      Object.assign(targetAccounts[1], { description: "Other words" }),
    );
    expect(name(words)).toBe(name(dev));
  });

  test("follows a check of the image if it is prebuilt, not if the stack builds it", () => {
    const checks = (evaluation: typeof dev) =>
      ofType(evaluation, ":Job").filter(({ name }) => name.endsWith("/image-check"));
    expect(checks(dev)).toEqual([]);
    expect(checks(prod).map(({ name }) => name)).toEqual(["prod-eu/image-check", "prod-us/image-check"]);
    for (const check of checks(prod)) {
      const deployment = prod.resources.find(({ name }) => name === check.name.replace("image-check", "deployment"))!;
      expect(deployment.dependencies).toContain(check.urn);
      const [{ command, image }] = podOf(check.open).containers;
      expect(command[2]).toContain("exec /opt/venv/bin/holmes-aws-mcp --check");
      expect(image).toBe(podOf(deployment.open).containers[0].image);
    }
  });

  test("checks the NetworkPolicy from a pod that the policy does not allow", async () => {
    const probeOf = (evaluation: typeof dev) =>
      ofType(evaluation, ":Job").find(({ name }) => name.endsWith("/probe"))?.open as { spec: any } | undefined;
    const change = (values: object) => changed("dev", (config) => Object.assign(config, values));
    const { template, ...warning } = probeOf(dev)!.spec;
    expect(template.metadata.labels).toEqual({ app: "aws-api-mcp-probe" });
    expect(template.spec.serviceAccountName).toBeUndefined();
    const [{ command, env }] = template.spec.containers;
    expect(env).toBeUndefined();
    expect(command.slice(3)).toEqual(["holmes-aws-mcp.holmes-aws-mcp.svc.cluster.local", "8000"]);
    // Succeeds for any result of the first index, before every index is finished.
    expect(warning).toMatchObject({ completions: 3, successPolicy: { rules: [{ succeededIndexes: "1" }] } });
    const required = probeOf(await change({ verify: { requireNetworkPolicy: true } }))!.spec;
    expect(required.backoffLimit).toBe(0);
    expect(required.successPolicy).toBeUndefined();
    expect(probeOf(await change({ mcp: { networkPolicy: { enabled: false } } }))).toBeUndefined();
  });

  test("can be disabled, or skip an account", async () => {
    const off = await changed("dev", (config) => Object.assign(config, { verify: { enabled: false } }));
    expect(ofType(off, ":Job")).toEqual([]);
    const one = await changed("dev", (config) => Object.assign(config, { verify: { skipProfiles: ["sandbox"] } }));
    const map = ofType(one, ":ConfigMap").find(({ name }) => name.includes("verification"))!;
    const { accounts } = JSON.parse((map.open.data as Record<string, string>)["accounts.json"]!);
    expect(accounts).toEqual([
      { profile: "dev", accountId: "111111111111", roleArn: "arn:aws:iam::111111111111:role/EKSMultiAccountMCPRole" },
    ]);
  });
});

describe("the Holmes configuration", () => {
  const holmes = (evaluation: typeof dev, cluster = "dev-cluster") =>
    (evaluation.outputs.holmes as Record<string, HolmesConfig>)[cluster]!;

  test("has the URL and the mode of the transport", () => {
    const entry = (evaluation: typeof dev) => parse(holmes(evaluation).mcpServers!).mcp_servers.aws_api;
    expect(entry(dev).config).toEqual({
      mode: "sse",
      url: "http://holmes-aws-mcp.holmes-aws-mcp.svc.cluster.local:8000/sse",
    });
    expect(entry(http).config).toEqual({
      mode: "streamable-http",
      url: "http://holmes-aws-mcp.holmes-aws-mcp.svc.cluster.local:8000/mcp",
      extra_headers: { Authorization: "Bearer {{ env.HOLMES_AWS_MCP_TOKEN }}" },
    });
    const secretKeyRef = { name: "holmes-aws-mcp-token", key: "token" };
    expect(parse(holmes(http).helmValues).additionalEnvVars).toEqual([
      { name: "HOLMES_AWS_MCP_TOKEN", valueFrom: { secretKeyRef } },
    ]);
    expect(parse(holmes(dev).helmValues).additionalEnvVars).toBeUndefined();
  });

  test("instructs the model on topics that the description of call_aws omits: --region, denied actions, Container Insights", () => {
    const { llm_instructions: text } = parse(holmes(dev).helmValues).mcp_servers.aws_api;
    expect(text).not.toContain("222222222222");
    for (const word of ["--region", "Not allowed is not the same as not found"]) expect(text).toContain(word);
    for (const word of ["OOMKilled", "137", "container_memory_limit", "number_of_container_restarts"])
      expect(text).toContain(word);
  });

  test("lists the accounts, with any description, for the legacy image only", async () => {
    const description = `Colon: "quote" 'single' # hash {brace}`;
    const evaluation = await changed("dev", (config) => {
      Object.assign(config, {
        image: { prebuilt: "us-central1-docker.pkg.dev/genuine-flight-317411/devel/aws-api-mcp-server:1.0.1" },
      });
      Object.assign(config.targetAccounts[0], { description });
    });
    const { llm_instructions: text } = parse(holmes(evaluation).robustaValues).holmes.mcp_servers.aws_api;
    expect(text).toContain(`(${description})`);
    expect(text).toMatch(/`error` field is a failure/);
  });

  test("uses the chart's own add-on if the server is disabled", async () => {
    const evaluation = await withMcp({ enabled: false });
    expect(ofType(evaluation, "").filter(({ type }) => type.startsWith("kubernetes:"))).toEqual([]);
    expect(holmes(evaluation).mcpServers).toBeUndefined();
    const { aws } = parse(holmes(evaluation).helmValues).mcpAddons;
    expect(aws.hosted).toBeUndefined();
    expect(aws.serviceAccount.name).toBe("aws-api-mcp-sa");
    expect(aws.multiAccount.profiles.sandbox).toEqual({
      account_id: "222222222222",
      role_arn: "arn:aws:iam::222222222222:role/EKSMultiAccountMCPRole",
      region: "us-west-2",
      description: "Sandbox account",
    });
  });

  test("uses the hosted server in hosted mode, with the default policy", async () => {
    const evaluation = await changed("dev", (config) =>
      Object.assign(config, { mcp: { enabled: false }, holmes: { hosted: true } }),
    );
    const { description, llm_instructions } = parse(holmes(evaluation).mcpServers!).mcp_servers.aws_sandbox;
    expect(description).toBe("Sandbox account: account 222222222222, default region us-west-2");
    expect(llm_instructions).toContain("aws___run_script");
    expect(parse(holmes(evaluation).helmValues).mcpAddons.aws).toMatchObject({
      hosted: { enabled: true },
      config: { region: "us-east-1" },
    });
    expect(parse(holmes(evaluation).mcpServers!).mcp_servers.aws_sandbox.config).toEqual({
      mode: "aws",
      region: "us-west-2",
      profile: "sandbox",
    });
    const other = await changed("dev", (config) =>
      Object.assign(config, { mcp: { enabled: false }, holmes: { hosted: true, hostedRegion: "eu-west-1" } }),
    );
    expect(parse(holmes(other).helmValues).mcpAddons.aws.config).toEqual({ region: "eu-west-1" });
    expect(parse(holmes(other).mcpServers!).mcp_servers.aws_sandbox.config.region).toBe("eu-west-1");
    const policy = String(
      ofType(evaluation, ":RolePolicy")[0]?.open.policy ?? ofType(evaluation, ":Policy").map(({ open }) => open.policy),
    );
    // Since its general availability the hosted server is authorized by the actions that it calls.
    expect(policy).toContain("ec2:Describe*");
    expect(policy).not.toContain("aws-mcp:");
  });
});

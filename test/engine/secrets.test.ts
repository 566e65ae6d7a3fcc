/** Values that are set with `--secret` are not in plain text in the state or in the output of the CLI. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "../cluster/controlPlane.js";
import { account, accounts, cluster, Engine, issuers } from "./harness.js";
import { missing } from "./missing.js";

const noGo = missing === undefined ? await buildControlPlane(toStderr).then((binary) => binary === undefined) : true;

/** A secret as text, and as the `data` of a Kubernetes Secret. A length that 3 divides is a prefix in base64 as well. */
const forms = (secret: string) => [secret, Buffer.from(secret).toString("base64")];

describe.skipIf(missing !== undefined || noGo)("secrets of a deployed stack", () => {
  const engine = new Engine();
  let plane: ControlPlane;
  let log = "";
  const externalId = "an-external-id-of-30-character";
  const proxy = (password: string) => `http://user:${password}@proxy.example.com:443`;
  const token = "bearer-token-of-the-stack-of-42-characters";
  beforeAll(async () => {
    plane = await startControlPlane({ issuerUrl: `https://oidc.eks.us-east-1.amazonaws.com/id/${issuers.one}` });
    await engine.start();
    const roleArn = `arn:aws:iam::${accounts.sandbox}:role/provisioner`;
    engine.configure({
      clusters: [cluster("one", { context: plane.context })],
      targetAccounts: [account("dev"), account("sandbox", { assumeRole: { roleArn, sourceProfile: "dev" } })],
      image: { prebuilt: `registry.example.com/aws-api-mcp-server@sha256:${"a".repeat(64)}` },
      mcp: { transport: "streamable-http" },
    });
    await setSecret("clusters[0].kubeconfig", plane.kubeconfig);
    await setSecret("targetAccounts[1].assumeRole.externalId", externalId);
    await setSecret("mcp.authentication.tokens[0]", token);
  });
  afterAll(async () => {
    await engine.stop();
    await plane?.stop();
  });

  const setSecret = async (path: string, value: string) => {
    const key = `holmes-aws-mcp:${path}`;
    const { code, text } = await engine.pulumi("config", "set", "--stack", "test", "--path", "--secret", key, value);
    expect(code, text).toBe(0);
  };
  const get = async (what: string, path: string) =>
    (await plane.kubectl(["-n", "holmes-aws-mcp", "get", what, "-o", `jsonpath=${path}`])).stdout;
  const up = async () => {
    const { code, text } = await engine.up("--diff");
    expect(code, text).toBe(0);
    log += text;
    return text;
  };

  test("reach the pods through Secrets", async () => {
    await setSecret("mcp.env.HTTPS_PROXY", proxy("first-password"));
    await up();
    expect(await get("secret/holmes-aws-mcp-env", "{.data.HTTPS_PROXY}")).toBe(forms(proxy("first-password"))[1]);
    expect(await get("secret/holmes-aws-mcp-tokens", "{.data.tokens}")).toBe(forms(`${token}\n`)[1]);
    const env = `{.spec.template.spec.containers[0].env[?(@.name=="HTTPS_PROXY")]}`;
    expect(JSON.parse(await get("deployment/holmes-aws-mcp", env))).toEqual({
      name: "HTTPS_PROXY",
      valueFrom: { secretKeyRef: { name: "holmes-aws-mcp-env", key: "HTTPS_PROXY" } },
    });
  });

  test("that change roll the pods, and update the Secret in place", async () => {
    const uid = await get("secret/holmes-aws-mcp-env", "{.metadata.uid}");
    const generation = Number(await get("deployment/holmes-aws-mcp", "{.metadata.generation}"));
    await setSecret("mcp.env.HTTPS_PROXY", proxy("second-password"));
    await up();
    expect(await get("secret/holmes-aws-mcp-env", "{.data.HTTPS_PROXY}")).toBe(forms(proxy("second-password"))[1]);
    expect(await get("secret/holmes-aws-mcp-env", "{.metadata.uid}")).toBe(uid);
    expect(Number(await get("deployment/holmes-aws-mcp", "{.metadata.generation}"))).toBe(generation + 1);
  });

  test("are in clear neither in the state nor in the log", async () => {
    const { code, text: state } = await engine.pulumi("stack", "export", "--stack", "test");
    expect(code).toBe(0);
    const hash = await get("deployment/holmes-aws-mcp", "{.spec.template.metadata.annotations}");
    const secrets = [
      externalId,
      token,
      plane.adminToken,
      ...["first-password", "second-password"].flatMap((password) => [password, proxy(password)]),
      JSON.parse(hash)["holmes-aws-mcp/env-hash"],
    ];
    for (const name of ["one/env", "one/tokens/server", "one/deployment", "sandbox/aws", "one/kubernetes"]) {
      expect(state).toContain(`::${name}"`);
      expect(log).toContain(`::${name}]`);
    }
    for (const form of secrets.flatMap(forms)) {
      expect(state).not.toContain(form);
      expect(log).not.toContain(form);
    }
  });

  test("cause no change in the next update", async () => {
    const { code, text } = await engine.up("--refresh", "--expect-no-changes");
    expect(code, text).toBe(0);
  });
});

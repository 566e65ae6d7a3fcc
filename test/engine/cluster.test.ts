/** The whole dev-like stack on the real engine, AWS on moto, and a real Kubernetes API server. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "../cluster/controlPlane.js";
import { account, accounts, Engine, issuers } from "./harness.js";
import { missing } from "./missing.js";

const noGo = missing === undefined ? await buildControlPlane(toStderr).then((binary) => binary === undefined) : true;

describe.skipIf(missing !== undefined || noGo)("the workload on a real API server", () => {
  const engine = new Engine();
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({ issuerUrl: `https://oidc.eks.us-east-1.amazonaws.com/id/${issuers.one}` });
    await engine.start();
  });
  afterAll(async () => {
    await engine.stop();
    await plane?.stop();
  });

  const reachable = () => ({
    name: "one",
    region: "us-east-1",
    accountId: accounts.dev,
    oidcIssuerId: issuers.one,
    kubeconfig: plane.kubeconfigPath,
    context: plane.context,
  });
  const stack = (more: object = {}) => ({
    clusters: [reachable()],
    targetAccounts: [account("dev"), account("sandbox")],
    image: { prebuilt: `registry.example.com/aws-api-mcp-server@sha256:${"a".repeat(64)}` },
    ...more,
  });
  const get = async (what: string, path: string) =>
    (await plane.kubectl(["-n", "holmes-aws-mcp", "get", what, "-o", `jsonpath=${path}`])).stdout;

  test("up waits for Deployment and verification, with Pod Security restricted enforced", async () => {
    engine.configure(stack());
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(await get("deployment/holmes-aws-mcp", "{.status.availableReplicas}")).toBe("1");
    expect(await get("job", "{.items[*].status.succeeded}")).toBe("1");
    expect(await get("serviceaccount/aws-api-mcp-sa", "{.metadata.annotations}")).toContain(
      `arn:aws:iam::${accounts.dev}:role/EKSMultiAccountMCPRole`,
    );
  });

  test("a second up changes nothing, also after a refresh", async () => {
    const { code, text } = await engine.up("--refresh", "--expect-no-changes");
    expect(code, text).toBe(0);
  });

  test("a new account rolls out the Deployment and repeats the verification once", async () => {
    const generation = await get("deployment/holmes-aws-mcp", "{.metadata.generation}");
    const job = await get("job", "{.items[*].metadata.name}");
    engine.configure(stack({ targetAccounts: [account("dev"), account("sandbox"), account("prod")] }));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(Number(await get("deployment/holmes-aws-mcp", "{.metadata.generation}"))).toBeGreaterThan(
      Number(generation),
    );
    const next = await get("job", "{.items[*].metadata.name}");
    expect(next).not.toBe(job);
    expect(next).not.toContain(" ");
  });

  test("completes the other clusters when one is unreachable", async () => {
    const away = {
      ...reachable(),
      name: "two",
      oidcIssuerId: issuers.two,
      kubeconfig: engine.file("away.yaml", plane.kubeconfig.replace(/(server: https:\/\/127\.0\.0\.1:)\d+/, "$11")),
      context: plane.context,
    };
    engine.configure(stack({ clusters: [reachable(), away] }));
    const { code, text } = await engine.up("--continue-on-error");
    expect(code).not.toBe(0);
    expect(text).toMatch(/unreachable/);
    expect(text).toContain("two/");
    expect(await get("deployment/holmes-aws-mcp", "{.status.availableReplicas}")).toBe("1");
    expect((await engine.iam("sandbox"))["role EKSMultiAccountMCPRole"]).toContain(issuers.two);
    engine.configure(stack());
    const back = await engine.up("--continue-on-error");
    expect(back.code, back.text).toBe(0);
  });

  test("destroy deletes namespaces and roles", async () => {
    const { code, text } = await engine.destroy();
    expect(code, text).toBe(0);
    expect((await plane.kubectl(["get", "namespace", "holmes-aws-mcp"])).code).not.toBe(0);
    expect(await engine.iam("dev")).toEqual({});
    expect(await engine.resources()).toEqual([]);
  });
});

/** The whole dev-like stack on the real engine, AWS on moto, and a real Kubernetes API server. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "../cluster/controlPlane.js";
import { account, accounts, cluster, Engine, issuers } from "./harness.js";
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

  const reachable = () => cluster("one", { kubeconfig: plane.kubeconfigPath, context: plane.context });
  const stack = (more: object = {}) => ({
    clusters: [reachable()],
    targetAccounts: [account("dev"), account("sandbox")],
    image: { prebuilt: `registry.example.com/aws-api-mcp-server@sha256:${"a".repeat(64)}` },
    ...more,
  });
  const get = async (what: string, path: string) =>
    (await plane.kubectl(["-n", "holmes-aws-mcp", "get", what, "-o", `jsonpath=${path}`])).stdout;

  /** Names of the Jobs by their kind, all of which have completed. */
  const jobs = async () => {
    const names = (await get("jobs", "{.items[?(@.status.completionTime)].metadata.name}")).split(" ");
    expect((await get("jobs", "{.items[*].metadata.name}")).split(" ")).toEqual(names);
    return Object.fromEntries(names.map((name) => [/image|probe|verify/.exec(name)![0], name]));
  };

  test("up waits for Deployment and verification, with Pod Security restricted enforced", async () => {
    engine.configure(stack());
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(await get("deployment/holmes-aws-mcp", "{.status.availableReplicas}")).toBe("1");
    expect(Object.keys(await jobs()).sort()).toEqual(["image", "probe", "verify"]);
    expect(text).not.toContain("NetworkPolicy, or");
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
    const before = await jobs();
    engine.configure(stack({ targetAccounts: [account("dev"), account("sandbox"), account("prod")] }));
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect(Number(await get("deployment/holmes-aws-mcp", "{.metadata.generation}"))).toBeGreaterThan(
      Number(generation),
    );
    const after = await jobs();
    expect(after).toEqual({ ...before, verify: expect.anything(), probe: expect.anything() });
    expect(after.verify).not.toBe(before.verify);
    expect(after.probe).not.toBe(before.probe);
  });

  test("up warns when the cluster does not enforce the NetworkPolicy", async () => {
    const name = "attempt-fails";
    const labels = { app: "aws-api-mcp-probe", "batch.kubernetes.io/job-completion-index": "0" };
    // kwok completes the pods of Jobs, except this one, which the test sets to Failed.
    const policy = {
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["pods/status"] }],
        objectSelector: { matchLabels: labels },
      },
      validations: [{ expression: "!(object.status.phase in ['Running', 'Succeeded'])" }],
    };
    const common = { apiVersion: "admissionregistration.k8s.io/v1", metadata: { name } };
    const items = [
      { ...common, kind: "ValidatingAdmissionPolicy", spec: policy },
      {
        ...common,
        kind: "ValidatingAdmissionPolicyBinding",
        spec: { policyName: name, validationActions: ["Deny"] },
      },
    ];
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    expect(await plane.kubectl(["create", "-f", "-"], { input })).toMatchObject({ code: 0 });
    onTestFinished(async () => {
      await plane.kubectl(["delete", "-f", "-"], { input });
    });

    engine.configure(stack());
    let ended = false;
    const running = engine.up().finally(() => {
      ended = true;
    });
    const pods = ["-n", "holmes-aws-mcp", "get", "pods", "-o", "name", "--field-selector=status.phase=Pending", "-l"];
    const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    while (!ended) {
      const pod = (await plane.kubectl([...pods, selector.join(",")])).stdout.trim();
      const patch = ["--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Failed"}}'];
      if (pod !== "") await plane.kubectl(["-n", "holmes-aws-mcp", "patch", pod, ...patch]);
      await sleep(200);
    }
    const { code, text } = await running;
    expect(code, text).toBe(0);
    const { probe } = await jobs();
    expect(await get(`job/${probe}`, "{.status.failedIndexes}")).toBe("0");
    expect(text).toContain("one: the cluster does not enforce the NetworkPolicy, or the check failed.");
    expect(text).toContain(`kubectl -n holmes-aws-mcp logs job/${probe}`);
  });

  test("a renamed cluster keeps its objects", async () => {
    const objects = "deployment,service,configmap,serviceaccount,networkpolicy";
    const uids = () => get(objects, "{.items[*].metadata.uid}");
    const [before, iam] = [await uids(), await engine.iam("dev")];
    expect(before.split(" ").length).toBeGreaterThan(6);
    engine.configure(stack({ clusters: [{ ...reachable(), name: "first", previousName: "one" }] }));
    const renamed = await engine.up();
    expect(renamed.code, renamed.text).toBe(0);
    // The session name that CloudTrail records contains the cluster's name, so the accounts are verified again.
    expect(renamed.text).not.toMatch(/[+-]\s+kubernetes:(?!batch)|[+-]\s+aws:/);
    expect(await uids()).toBe(before);
    expect(await engine.iam("dev")).toEqual(iam);
    // The key can be removed after every stack has been updated.
    engine.configure(stack({ clusters: [{ ...reachable(), name: "first" }] }));
    const again = await engine.up("--expect-no-changes");
    expect(again.code, again.text).toBe(0);
    engine.configure(stack({ clusters: [{ ...reachable(), previousName: "first" }] }));
    expect((await engine.up()).code).toBe(0);
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

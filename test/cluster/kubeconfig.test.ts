// The kubeconfig that is generated from EKS, used by a real kubectl against a real API server. `aws eks get-token` is the
// one part that needs AWS: a stand-in takes its place, which answers only to the right arguments and profile.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EksDescription, eksKubeconfig } from "../../documents/kubeconfig.js";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "./controlPlane.js";

const binary = await buildControlPlane(toStderr);

describe.skipIf(binary === undefined)("kubeconfig generated from EKS", () => {
  let cluster: ControlPlane;
  let directory: string;

  beforeAll(async () => {
    cluster = await startControlPlane({ issuerUrl: `https://oidc.eks.eu-west-1.amazonaws.com/id/${"AB01".repeat(8)}` });
    directory = mkdtempSync(join(tmpdir(), "holmes-aws-mcp-kubeconfig-"));
    const expected = "eks get-token --cluster-name prod-eu --region eu-west-1 --output json";
    writeFileSync(
      join(directory, "aws"),
      `#!/bin/sh
if [ "$*" != "${expected}" ]; then echo "aws: unexpected arguments: $*" >&2; exit 252; fi
if [ "$AWS_PROFILE" != platform ]; then echo "The config profile ($AWS_PROFILE) could not be found" >&2; exit 255; fi
printf '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {}, "status": {"expirationTimestamp": "2099-01-01T00:00:00Z", "token": "%s"}}' "$STAND_IN_TOKEN"
`,
      { mode: 0o755 },
    );
  });
  afterAll(async () => {
    await cluster?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** kubectl with the kubeconfig of this cluster, with optional changes. */
  const kubectl = (
    args: string[],
    facts: Partial<EksDescription & { profile: string }> = {},
    env: Record<string, string> = {},
  ) => {
    const kubeconfigPath = join(directory, "kubeconfig");
    const certificateAuthority = Buffer.from(cluster.caPem).toString("base64");
    const access = { name: "prod-eu", region: "eu-west-1", profile: "platform", ...facts };
    const description = { endpoint: cluster.url, certificateAuthority, ...facts };
    writeFileSync(kubeconfigPath, eksKubeconfig(access, description));
    return cluster.kubectl(args, {
      kubeconfigPath,
      env: { PATH: `${directory}:${process.env.PATH}`, STAND_IN_TOKEN: cluster.adminToken, ...env },
    });
  };

  test("authenticates with the token of the AWS CLI", async () => {
    const result = await kubectl(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    expect(result).toEqual({ code: 0, stdout: "test-admin", stderr: "" });
  });

  test("has one context with the name of the cluster", async () => {
    expect(await kubectl(["config", "get-contexts", "-o", "name"])).toMatchObject({ code: 0, stdout: "prod-eu\n" });
    expect(await kubectl(["config", "current-context"])).toMatchObject({ code: 0, stdout: "prod-eu\n" });
  });

  test("can read and write objects", async () => {
    expect(await kubectl(["create", "namespace", "from-eks"])).toMatchObject({ code: 0 });
  });

  test("reports the message of the AWS CLI for an unknown profile", async () => {
    const { code, stderr } = await kubectl(["get", "namespaces"], { profile: "absent" });
    expect(code).not.toBe(0);
    expect(stderr).toContain("The config profile (absent) could not be found");
  });

  test("is rejected with an unknown token", async () => {
    const { code, stderr } = await kubectl(["get", "namespaces"], {}, { STAND_IN_TOKEN: "unknown" });
    expect(code).not.toBe(0);
    expect(stderr).toContain("You must be logged in to the server");
  });

  test("reports that the AWS CLI is required", async () => {
    const { code, stderr } = await kubectl(["get", "namespaces"], {}, { PATH: "/nonexistent" });
    expect(code).not.toBe(0);
    expect(stderr).toContain("The AWS CLI (aws) is needed to log in to the cluster.");
  });

  test("rejects a server with another certificate", async () => {
    const other = await startControlPlane({ issuerUrl: "https://issuer.example" });
    try {
      const certificateAuthority = Buffer.from(other.caPem).toString("base64");
      const { code, stderr } = await kubectl(["get", "namespaces"], { certificateAuthority });
      expect(code).not.toBe(0);
      expect(stderr).toContain("certificate signed by unknown authority");
    } finally {
      await other.stop();
    }
  });
});

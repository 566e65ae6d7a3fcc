import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureMoto } from "../../../scripts/emulation/python.js";
import { SERVICE_REFERENCE_HOST, startServiceReferenceProxy } from "../../../scripts/emulation/serviceReference.js";

const exec = promisify(execFile);
let dir: string;
let proxy: Awaited<ReturnType<typeof startServiceReferenceProxy>>;
let python: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "reference-"));
  proxy = await startServiceReferenceProxy(dir);
  python = (await ensureMoto()).motoPython;
}, 600_000);
afterAll(async () => {
  await proxy.close();
  await rm(dir, { recursive: true });
});

/** A request as the MCP server sends it: Python requests, configured by the environment. */
async function get(
  url: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ status?: number; body?: never; error?: string }> {
  const script = [
    "import json, requests, sys",
    "try:",
    "    answer = requests.get(sys.argv[1], timeout=5)",
    "    print(json.dumps({'status': answer.status_code, 'body': answer.json() if answer.ok else None}))",
    "except requests.exceptions.RequestException as e:",
    "    print(json.dumps({'error': str(e)}))",
  ].join("\n");
  const { stdout } = await exec(python, ["-c", script, url], {
    env: { ...proxy.environment, HTTP_PROXY: proxy.environment.HTTPS_PROXY, NO_PROXY: "", ...env },
    maxBuffer: 8 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}
const root = `https://${SERVICE_REFERENCE_HOST}/`;

describe("service reference on loopback", () => {
  test("lists the services of the catalogue, with addresses of this same host", async () => {
    const { status, body } = await get(root);
    const services = body as unknown as { service: string; url: string }[];
    expect(status).toBe(200);
    expect(services.length).toBeGreaterThan(300);
    expect(services).toContainEqual({ service: "ec2", url: `${root}v1/ec2/ec2.json` });
  });

  test("distinguishes reads from writes, tagging and permissions in each document", async () => {
    const { Name, Actions } = (await get(`${root}v1/ec2/ec2.json`)).body as unknown as {
      Name: string;
      Actions: { Name: string; Annotations: { Properties: Record<string, boolean> } }[];
    };
    const properties = (name: string) => Actions.find((action) => action.Name === name)?.Annotations.Properties;
    const none = { IsList: false, IsPermissionManagement: false, IsTaggingOnly: false, IsWrite: false };
    expect(Name).toBe("ec2");
    expect(properties("DescribeInstances")).toEqual({ ...none, IsList: true });
    expect(properties("GetConsoleOutput")).toEqual(none);
    expect(properties("RunInstances")).toEqual({ ...none, IsWrite: true });
    expect(properties("CreateTags")).toEqual({ ...none, IsTaggingOnly: true, IsWrite: true });
    expect(properties("CreateNetworkInterfacePermission")).toEqual({
      ...none,
      IsPermissionManagement: true,
      IsWrite: true,
    });
  });

  test.each(["v1/nothing/nothing.json", "v1/ec2/s3.json", "v1/../ec2.json", "x"])("has no /%s", async (file) => {
    expect((await get(root + file)).status).toBe(404);
  });

  test("rejects all other hosts", async () => {
    expect((await get("https://sts.amazonaws.com/")).error).toContain("403");
    expect((await get(`https://${SERVICE_REFERENCE_HOST}:8443/`)).error).toContain("403");
    expect((await get(`http://${SERVICE_REFERENCE_HOST}/`)).status).toBe(403);
  });

  test("is trusted only by clients with its certificate authority", async () => {
    expect((await get(root, { REQUESTS_CA_BUNDLE: "" })).error).toContain("CERTIFICATE_VERIFY_FAILED");
  });

  test("is not used for the loopback endpoint in NO_PROXY", async () => {
    const direct = await get(proxy.environment.HTTPS_PROXY, { NO_PROXY: "127.0.0.1" });
    expect(direct.status).toBe(403);
  });
});

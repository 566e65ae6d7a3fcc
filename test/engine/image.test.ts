/** The image through the real engine: a Docker engine builds it, a registry on loopback stores it. */
import { execFile } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { Processes } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { buildControlPlane, type ControlPlane, startControlPlane } from "../cluster/controlPlane.js";
import { missingDocker } from "../dataplane/docker.js";
import { account, cluster, Engine, issuers } from "./harness.js";
import { missing } from "./missing.js";
import { startRegistry } from "./registry.js";

const noDocker = missing === undefined ? missingDocker() : missing;
if (missing === undefined && noDocker !== undefined) toStderr(`Skipped: the image through Pulumi, because ${noDocker}`);
const noGo = noDocker === undefined ? await buildControlPlane(toStderr).then((binary) => binary === undefined) : true;

/** Base image instead of the Dockerfile's, and the network of its RUN instructions. */
const { IMAGE_TEST_BASE: baseImage, IMAGE_TEST_NETWORK: network } = process.env;

describe.skipIf(noDocker !== undefined || noGo)("an image that the stack builds", { timeout: 1_800_000 }, () => {
  const engine = new Engine();
  const processes = new Processes();
  let plane: ControlPlane;
  let repository: string;
  let folder: string;
  beforeAll(async () => {
    plane = await startControlPlane({ issuerUrl: `https://oidc.eks.us-east-1.amazonaws.com/id/${issuers.one}` });
    repository = `${(await startRegistry(processes)).address}/holmes/aws-api-mcp-server`;
    await engine.start();
    folder = engine.copy("image");
    engine.configure({
      clusters: [cluster("one", { kubeconfig: plane.kubeconfigPath, context: plane.context })],
      targetAccounts: [account("dev")],
      image: { build: { repository, baseImage, network } },
    });
  });
  afterAll(async () => {
    await engine.stop();
    await processes.stopAll();
    await plane?.stop();
  });

  const deployed = async () => {
    const path = "{.spec.template.spec.containers[0].image} {.metadata.generation} {.status.availableReplicas}";
    const args = ["-n", "holmes-aws-mcp", "get", "deployment/holmes-aws-mcp", "-o", `jsonpath=${path}`];
    const [image = "", generation, available] = (await plane.kubectl(args)).stdout.split(" ");
    return { image, generation: Number(generation), available: Number(available) };
  };
  const registry = async (path: string) => {
    const [host, ...name] = repository.split("/");
    return fetch(`http://${host}/v2/${name.join("/")}/${path}`, {
      headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
    });
  };
  const tags = async () => ((await (await registry("tags/list")).json()) as { tags: string[] }).tags;

  test("is pushed, and the Deployment has its digest", async () => {
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const { image, available } = await deployed();
    expect(image).toMatch(new RegExp(`^${repository}@sha256:[0-9a-f]{64}$`));
    expect(available).toBe(1);
    const [tag, ...others] = await tags();
    expect(others).toEqual([]);
    expect(tag).toMatch(/^[0-9a-f]{12}$/);
    expect((await registry(`manifests/${tag}`)).headers.get("docker-content-digest")).toBe(image.split("@")[1]);
  });

  test("is not built again by the next update", async () => {
    const { code, text } = await engine.up("--expect-no-changes");
    expect(code, text).toBe(0);
    expect(await tags()).toHaveLength(1);
  });

  test("has a new tag and digest after a changed file, and the pods are rolled out", async () => {
    const before = await deployed();
    appendFileSync(join(folder, "launcher/holmes_aws_mcp/__init__.py"), "# changed\n");
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    const after = await deployed();
    expect(after.image).not.toBe(before.image);
    expect(after).toMatchObject({ generation: before.generation + 1, available: 1 });
    expect(await tags()).toHaveLength(2);
    // A roll-back needs the previous image.
    expect((await registry(`manifests/${before.image.split("@")[1]}`)).status).toBe(200);
  });

  test("leaves the Deployment unchanged when its build fails", async () => {
    const before = await deployed();
    writeFileSync(join(folder, "trim.sh"), "echo the build fails here; exit 7\n");
    const { code, text } = await engine.up();
    expect(code).not.toBe(0);
    expect(text).toContain("the build fails here");
    expect(await deployed()).toEqual(before);
    expect(await tags()).toHaveLength(2);
  });

  test("is updated after the build is fixed", async () => {
    const before = await deployed();
    writeFileSync(join(engine.copy("image"), "launcher/holmes_aws_mcp/__init__.py"), "# fixed\n");
    const { code, text } = await engine.up();
    expect(code, text).toBe(0);
    expect((await deployed()).generation).toBe(before.generation + 1);
    expect(await tags()).toHaveLength(3);
  });

  test("passes the data plane tests of the image", async () => {
    const { image } = await deployed();
    const args = ["node_modules/vitest/vitest.mjs", "run", "--project", "dataplane", "test/dataplane/image.test.ts"];
    const IMAGE_TEST_BUILD_OPTIONS = network === undefined ? "" : `--network ${network}`;
    const env = { ...process.env, IMAGE_TEST_IMAGE: image, IMAGE_TEST_BUILD_OPTIONS, NO_COLOR: "1" };
    const text = await promisify(execFile)(process.execPath, args, { cwd: projectFolder, env }).then(
      ({ stdout, stderr }) => `${stdout}${stderr}`,
      ({ message, stdout, stderr }) => `${message}\n${stdout}${stderr}`,
    );
    toStderr(`${image}\n${text}`);
    // A skipped test would be counted between the two numbers.
    expect(text, text).toMatch(/Tests +\d+ passed \(\d+\)/);
  });
});

/** `image.verify` on the real engine: cosign, a key of the test, a registry on loopback. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Processes } from "../../scripts/common/processes.js";
import { toStderr } from "../../scripts/common/progress.js";
import { account, Engine, iamOnly } from "./harness.js";
import { missing } from "./missing.js";
import { startRegistry } from "./registry.js";

const absent = ["cosign", "go"].find((command) => spawnSync(command, ["version"]).error !== undefined);
if (missing === undefined && absent !== undefined)
  toStderr(`Skipped: image.verify, because ${absent} is not on the PATH`);

describe.skipIf(missing !== undefined || absent !== undefined)("image.verify", () => {
  const engine = new Engine();
  const processes = new Processes();
  let prebuilt: string;
  beforeAll(async () => {
    await engine.start();
    const { address, crane } = await startRegistry(processes);
    // An image of one empty layer.
    const layer = engine.file("layer.tar", "\0".repeat(1024));
    const { stdout } = await promisify(execFile)(crane, [
      "append",
      "--new_layer",
      layer,
      "--new_tag",
      `${address}/test:1`,
    ]);
    prebuilt = stdout.trim();
    expect(prebuilt).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect((await engine.shell("COSIGN_PASSWORD= cosign generate-key-pair")).code).toBe(0);
    engine.configure(iamOnly([account("dev")], { image: { prebuilt, verify: { key: "cosign.pub" } } }));
  });
  afterAll(async () => {
    await engine.stop();
    await processes.stopAll();
  });

  test("stops an update before its first change when the image is not signed", async () => {
    const { code, text } = await engine.up("--skip-preview");
    expect(code).not.toBe(0);
    expect(text).toContain(`image.prebuilt: cosign found no valid signature of "${prebuilt}". Expected one by the key`);
    expect(text).toContain("no signatures found");
    expect(await engine.iam("dev")).toEqual({});
  });

  test("logs a warning without cosign", async () => {
    const without = 'PATH=$(tr : "\\n" <<< "$PATH" | while read -r d; do [ -x "$d/cosign" ] || printf %s: "$d"; done)';
    const { code, text } = await engine.shell(`${without} pulumi preview --non-interactive --stack test`);
    expect(code, text).toBe(0);
    expect(text).toContain("image.verify: the signature is not verified, because cosign is not on the PATH.");
  });

  test("rejects the signature of another key", async () => {
    const other = "mkdir other && cd other && COSIGN_PASSWORD= cosign generate-key-pair";
    expect((await engine.shell(other)).code).toBe(0);
    await sign("other/cosign.key");
    const { code, text } = await engine.up("--skip-preview");
    expect(code).not.toBe(0);
    expect(text).toContain("image.prebuilt: cosign found no valid signature");
    expect(await engine.iam("dev")).toEqual({});
  });

  test("accepts a signed image", async () => {
    await sign("cosign.key");
    const { code, text } = await engine.up("--skip-preview");
    expect(code, text).toBe(0);
    expect(text).not.toContain("image.verify");
    expect(Object.keys(await engine.iam("dev"))).toHaveLength(3);
  });

  const sign = async (key: string) => {
    const { code, text } = await engine.shell(
      `COSIGN_PASSWORD= cosign sign --yes --tlog-upload=false --key ${key} ${prebuilt}`,
    );
    expect(code, text).toBe(0);
  };
});

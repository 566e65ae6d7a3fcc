import { cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { projectFolder } from "../common/command.js";
import { contentKey, installOnce, runStep } from "./install.js";

const BIN = "node_modules/.bin/supergateway";

/**
 * Installs the image's gateway (patched Supergateway) from `image/` to `.cache/`, as the image build does.
 *
 * @returns path of the `supergateway` script, to run with `node`.
 * @throws UserError when the install fails or the patch does not apply.
 */
export async function ensureGateway(): Promise<string> {
  const image = path.join(projectFolder, "image");
  const patches = (await readdir(path.join(image, "patches"))).sort();
  const files = ["package.json", "package-lock.json", ...patches.map((file) => `patches/${file}`)];
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(path.join(image, file))]));
  const dir = await installOnce({
    name: "gateway",
    key: contentKey(...contents.flat()),
    what: "the gateway (Supergateway with session routing)",
    file: BIN,
    run: async (folder, onOutput) => {
      for (const file of files) await cp(path.join(image, file), path.join(folder, file));
      // `npm run --silent` also silences this npm, which would hide the cause of a failure.
      const args = ["ci", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
      const advice = "it needs the npm registry, and patches that fit the locked version";
      await runStep("npm ci of image/", "npm", args, { cwd: folder, advice, onOutput });
    },
  });
  return path.join(dir, BIN);
}

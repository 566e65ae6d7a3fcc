import { existsSync } from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Progress } from "../common/progress.js";
import { contentKey, installOnce, projectDir, runStep } from "./install.js";

/** Files that determine the Node.js part of the image. */
const FILES = ["package.json", "package-lock.json", "patches"];
const BIN = "node_modules/.bin/supergateway";

/**
 * Installs the image's gateway (patched Supergateway) from `image/` to `.cache/`, as the image build does.
 *
 * @returns path of the `supergateway` script, to run with `node`.
 * @throws UserError when the install fails or the patch does not apply.
 */
export async function ensureGateway(progress: Progress): Promise<string> {
  const image = path.join(projectDir, "image");
  const dir = await installOnce({
    name: "gateway",
    key: contentKey(...(await contents(image))),
    what: "the gateway (Supergateway with session routing)",
    progress,
    intact: (folder) => existsSync(path.join(folder, BIN)),
    run: async (folder, say) => {
      for (const file of FILES) await cp(path.join(image, file), path.join(folder, file), { recursive: true });
      say("npm ci");
      // `npm run --silent` also silences this npm, which would hide the cause of a failure.
      await runStep(
        "npm ci of image/",
        "npm",
        ["ci", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],
        {
          cwd: folder,
          env: withoutNpm(process.env),
          advice: "it needs the npm registry, and patches that fit the locked version",
        },
      );
    },
  });
  return path.join(dir, BIN);
}

/** Removes the variables with which `npm run` passes this project's settings to nested npm processes. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_(package|lifecycle)|INIT_CWD)/.test(name)));
}

async function contents(image: string): Promise<(string | Buffer)[]> {
  const patches = (await readdir(path.join(image, "patches"))).sort().map((file) => `patches/${file}`);
  const files = [...FILES.filter((file) => file !== "patches"), ...patches];
  return (await Promise.all(files.map(async (file) => [file, await readFile(path.join(image, file))]))).flat();
}

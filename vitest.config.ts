import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Suppresses the AWS SDK's warning about Node.js versions.
const env = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };

// Pulumi's runtime store is global to the process, so no two files run in one process at the same time.
const project = (name: string, include: string[], extra = {}) => ({
  test: { name, include, pool: "forks" as const, env, isolate: true, ...extra },
});

/** Without it, each worker would install the same packages on a new machine. */
const installs = "test/installs.ts";

/** The folders of test/ that mirror the source tree; the other ones are suites of their own. */
const MIRRORED = "{components,config,documents,image,policies,program,scripts,verification}";

export default defineConfig({
  test: {
    // Vitest's default leaves one core idle.
    maxWorkers: availableParallelism(),
    projects: [
      // Starts no process: the inner loop. Files share workers, because loading the Pulumi SDK takes most of the time.
      // A runner with 2 cores needs several seconds for a test that builds a whole program.
      project("unit", [`test/${MIRRORED}/**/!(*.integration).test.ts`], { testTimeout: 30_000, isolate: false }),
      project("integration", [`test/${MIRRORED}/**/*.integration.test.ts`], {
        globalSetup: [installs],
        isolate: false,
        // Most of these tests wait for processes.
        maxWorkers: availableParallelism() + 1,
        sequence: { groupOrder: 1 },
        testTimeout: 120_000,
        // On a new machine, a hook installs the launcher's checks.
        hookTimeout: 900_000,
      }),
      project("workflows", ["test/workflows/**/*.test.ts"], { testTimeout: 300_000, hookTimeout: 900_000 }),
      project("dataplane", ["test/dataplane/**/*.test.ts"], {
        globalSetup: [installs],
        testTimeout: 300_000,
        hookTimeout: 600_000,
      }),
      project("cluster", ["test/cluster/**/*.test.ts"], { testTimeout: 300_000, hookTimeout: 1_800_000 }),
      project("holmes", ["test/holmes/**/*.test.ts"], {
        globalSetup: [installs, "test/holmes/installs.ts"],
        testTimeout: 300_000,
        hookTimeout: 1_800_000,
      }),
      project("engine", ["test/engine/**/*.test.ts"], {
        globalSetup: ["test/engine/missing.ts"],
        testTimeout: 900_000,
        hookTimeout: 900_000,
      }),
    ],
  },
});

import { defineConfig } from "vitest/config";

// The SDK's word about next year's Node versions would stand in every test's output.
const env = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };

// Pulumi's runtime store is process-global: every file gets a process of its own.
const project = (name: string, include: string[], extra = {}) => ({
  test: { name, include, pool: "forks" as const, env, isolate: true, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", ["test/{config,documents,image,policies,program,scripts,verification}/**/*.test.ts"], {
        testTimeout: 120_000,
        // On a fresh machine a hook may wait for the installs.
        hookTimeout: 900_000,
      }),
      project("workflows", ["test/workflows/**/*.test.ts"], { testTimeout: 300_000, hookTimeout: 900_000 }),
      project("dataplane", ["test/dataplane/**/*.test.ts"], { testTimeout: 300_000, hookTimeout: 600_000 }),
      project("cluster", ["test/cluster/**/*.test.ts"], { testTimeout: 300_000, hookTimeout: 1_800_000 }),
      project("engine", ["test/engine/**/*.test.ts"], {
        globalSetup: ["test/engine/missing.ts"],
        testTimeout: 900_000,
        hookTimeout: 900_000,
      }),
    ],
  },
});

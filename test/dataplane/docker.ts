import { spawnSync } from "node:child_process";

/** The reason why an image cannot be built. Undefined if it can. */
export function missingDocker(): string | undefined {
  const version = spawnSync("docker", ["version", "--format", "{{.Server.Os}}"], { encoding: "utf8" });
  if (version.error) return "docker command not found";
  if (version.status !== 0) return "no Docker engine responds";
  return version.stdout.trim() === "linux" ? undefined : `the Docker engine is for ${version.stdout.trim()}`;
}

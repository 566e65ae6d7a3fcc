import { spawnSync } from "node:child_process";

/** Why no image can be built here; undefined when one can. */
export function missingDocker(): string | undefined {
  const version = spawnSync("docker", ["version", "--format", "{{.Server.Os}}"], { encoding: "utf8" });
  if (version.error) return "docker command not found";
  if (version.status !== 0) return "no Docker engine responds";
  return version.stdout.trim() === "linux" ? undefined : `the Docker engine is for ${version.stdout.trim()}`;
}

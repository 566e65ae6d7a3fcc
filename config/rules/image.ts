import { partitionOf, rules } from "../limits.js";
import { legacyImage } from "../sections/image.js";
import { exists, type Rule, rejectPasswords, requireSecret } from "./rule.js";

export const imageRules: readonly Rule[] = [
  {
    says: "`prebuilt` and `build` must not both be set. One of them is required if the server is deployed.",
    check: ({ image, mcp, clusters }, problems) => {
      const { prebuilt, build } = image ?? {};
      const deploys = mcp.enabled !== false && clusters.some(({ deploy }) => deploy !== false);
      if (prebuilt !== undefined && build !== undefined) {
        problems.say(["image"], "both prebuilt and build", "one of them", "Remove the other.");
      } else if (prebuilt === undefined && build === undefined && (deploys || image !== undefined)) {
        problems.say(["image"], "neither prebuilt nor build", "prebuilt (a reference) or build (repository, …)");
      }
    },
  },
  {
    says: "`verify` requires `prebuilt` with a digest, and either `repository` or `key`.",
    check: ({ image }, problems) => {
      if (image?.verify === undefined) return;
      const { enabled, repository, key } = image.verify;
      if (image.prebuilt !== null && !image.prebuilt?.includes("@sha256:")) {
        problems.say(["image", "verify"], "verify without a digest in image.prebuilt", "image.prebuilt with a digest");
      }
      if (enabled !== false && (repository === undefined) === (key === undefined)) {
        problems.add(["image", "verify"], image.verify, "either repository or key");
      }
    },
  },
  {
    says: "The legacy image does not support `streamable-http`.",
    check: ({ image, mcp }, problems) => {
      if (mcp.transport !== "streamable-http" || !legacyImage.test(image?.prebuilt ?? "")) return;
      const expected = "sse, because the legacy image does not support streamable HTTP";
      problems.add(["mcp", "transport"], mcp.transport, expected, "Build the image (image.build), or use sse.");
    },
  },
  {
    says: "`repository` must start with a registry host (`docker.io/…` for Docker Hub). With `ecr`, it must not contain a registry host. `ecr` and `registry` must not both be set. `ecr.profile` must be the profile of a managed target account or of a cluster.",
    check: ({ image, targetAccounts, clusters }, problems) => {
      if (image?.build === undefined) return;
      const { repository, ecr, registry } = image.build;
      const path = ["image", "build"];
      if (ecr === undefined) {
        if (repository !== null && !/^([^/]*[.:][^/]*|localhost)\//.test(repository)) {
          const fix = "Use docker.io/… for Docker Hub, or set image.build.ecr for ECR.";
          problems.add([...path, "repository"], repository, "a repository that starts with a registry host", fix);
        }
        return;
      }
      if (
        repository !== null &&
        (!rules.ecrRepository.pattern.test(repository) || /^\d{12}\.dkr\.ecr\./.test(repository))
      ) {
        problems.add([...path, "repository"], repository, `${rules.ecrRepository.expected}, because ecr is set`);
      }
      if (registry !== undefined) {
        const fix = "Remove registry. The AWS provider supplies the credentials for ECR.";
        problems.say([...path, "registry"], "both registry and ecr", "one of them", fix);
      }
      const owners = [...targetAccounts.filter(({ manage }) => manage !== false), ...clusters];
      const profiles = owners.map(({ profile }) => profile);
      const expected = "a profile in clusters or in targetAccounts (where manage is true)";
      exists(problems, [[[...path, "ecr", "profile"], ecr.profile]], profiles, expected);
    },
  },
  {
    says: "`registry.server` must be the host of `repository`.",
    check: ({ image }, problems) => {
      const server = image?.build?.registry?.server?.replace(/\/v1\/$/, "");
      const host = image?.build?.repository?.split("/")[0];
      if (server === undefined || host === undefined || server === host) return;
      // Docker Hub has several host names.
      if (/(^|\.)docker\.io$/.test(server) && /(^|\.)docker\.io$/.test(host)) return;
      problems.add(["image", "build", "registry", "server"], server, `${host}, the host of image.build.repository`);
    },
  },
  {
    says: "`ecr.region` must be in the partition of the account of `ecr.profile`.",
    check: ({ image, targetAccounts, clusters }, problems) => {
      const ecr = image?.build?.ecr;
      const owner = [...targetAccounts, ...clusters].find(({ profile }) => profile === ecr?.profile);
      const home = owner && (owner.region ?? clusters[0]?.region);
      if (!ecr?.region || !home || partitionOf(ecr.region) === partitionOf(home)) return;
      problems.add(["image", "build", "ecr", "region"], ecr.region, `a region in partition ${partitionOf(home)}`);
    },
  },
  {
    says: "`registry.password` and a URL with a password in `build.args` must be Pulumi secrets.",
    check: ({ image }, problems, isSecret) => {
      if (isSecret("image")) return;
      rejectPasswords(problems, ["image", "build", "args"], image?.build?.args ?? {});
      if (image?.build?.registry?.password)
        requireSecret(problems, ["image", "build", "registry", "password"], "plain text");
    },
  },
];

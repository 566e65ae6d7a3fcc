import { doc, envValue, flag, integer, line, object, oneOf, secret, set, text, textMap } from "../fields.js";
import { partitionOf, rules, urlPassword } from "../limits.js";
import type { Problems } from "../problems.js";
import type { Reading } from "../reading.js";
import { exists, type Rule } from "../rules.js";
import type { Config } from "../schema.js";

const ecr = object({
  profile: doc(
    text(rules.profile),
    "Profile of the account that holds the repository: of a managed target account or of a cluster.",
    "dev",
  ),
  region: doc(
    text(rules.region).optional(),
    "Region of the repository. Default: that of the account or cluster.",
    "us-east-1",
  ),
  create: doc(
    flag().default(true),
    "Whether the program makes the repository (scan on push, immutable tags, lifecycle policy).",
    false,
  ),
  keepImages: doc(integer(1, 1000).default(20), "Images that the lifecycle policy keeps.", 50),
  forceDelete: doc(
    flag().default(false),
    "Whether destroy removes the repository with the images in it. Default: destroy stops there, because another stack may run one of them.",
    true,
  ),
  pullAccounts: doc(
    set(text(rules.accountId), "account ids").default([]),
    "Accounts that may pull, such as those of other clusters.",
    ["333333333333"],
  ),
});

const registry = object({
  server: doc(text(rules.registryHost).optional(), "Registry host. Default: that of the repository.", "ghcr.io"),
  username: doc(secret(line), "User name.", "robot"),
  password: doc(
    secret(line),
    "Password or token: `pulumi config set --path --secret 'image.build.registry.password'`.",
    "…",
  ),
});

const build = object({
  repository: doc(
    text(rules.repository),
    "Repository to push to, with its registry; with `ecr`, the name of the repository alone.",
    "ghcr.io/example/aws-api-mcp-server",
  ),
  tag: doc(
    text(rules.tag).optional(),
    "Image tag. Default: a hash of the folder image/, so that a changed image never meets an immutable tag.",
    "1.2.0",
  ),
  platform: doc(
    oneOf("linux/amd64", "linux/arm64").default("linux/amd64"),
    "Platform of the nodes that run the pod.",
    "linux/arm64",
  ),
  baseImage: doc(
    text(rules.imageReference).optional(),
    "Base image, for instance in a mirror. Default: the one in image/Dockerfile.",
    "mirror.example.com/supercorp/supergateway:4.0.0",
  ),
  network: doc(text(line).optional(), "Docker network of the build's RUN instructions.", "host"),
  args: doc(textMap(rules.environmentName, envValue).default({}), "Build arguments.", {
    HTTPS_PROXY: "http://proxy.example.com:3128",
  }),
  ecr: doc(ecr.optional(), "For a repository in ECR; the credentials come from the provider.", { profile: "dev" }),
  registry: doc(registry.optional(), "Credentials of any other registry. Default: those of the Docker client.", {
    username: "robot",
    password: "…",
  }),
});

const verify = object({
  enabled: doc(flag().default(true), "Whether `pulumi up` requires a signature.", false),
  repository: doc(
    text(rules.githubRepository).optional(),
    "GitHub repository whose workflow `image.yml` signed the image for a tag `v*`. Default for an image in `ghcr.io/OWNER/holmes-aws-mcp`: that repository.",
    "example/holmes-aws-mcp",
  ),
  key: doc(
    text(line).optional(),
    "Public key in place of `repository`, as `cosign verify --key` takes it: a file or the URI of a KMS key. No transparency log is needed.",
    "awskms:///alias/cosign",
  ),
});

export const imageSchema = object({
  prebuilt: doc(
    text(rules.imageReference).optional(),
    "Reference of an image to deploy; a digest is best.",
    `111111111111.dkr.ecr.us-east-1.amazonaws.com/holmes/aws-api-mcp-server@sha256:${"0f1e2d3c4b5a6978".repeat(4)}`,
  ),
  build: doc(build.optional(), "Builds the folder image/ and pushes it; needs a Docker engine, for preview as well.", {
    repository: "ghcr.io/example/aws-api-mcp-server",
  }),
  verify: doc(
    verify.optional(),
    "Signature that cosign verifies before an update changes anything. Without cosign on the PATH the program logs a warning. Default: off, except for images in `ghcr.io/OWNER/holmes-aws-mcp` by digest.",
    { repository: "example/holmes-aws-mcp" },
  ),
});

/**
 * The legacy image, including copies in other registries. It contains stock Supergateway and does not support
 * streamable HTTP.
 */
export const legacyImage =
  /genuine-flight-317411\/devel\/aws-api-mcp-server([:@]|$)|\/aws-api-mcp-server:1\.0\.1(@sha256:[0-9a-f]+)?$/;

function checkBuild({ image, targetAccounts, clusters }: Reading<Config>, problems: Problems): void {
  if (image?.build === undefined) return;
  const { repository, ecr, registry } = image.build;
  const path = ["image", "build"];
  if (ecr === undefined) {
    if (repository !== null && !/^([^/]*[.:][^/]*|localhost)\//.test(repository)) {
      problems.add(
        [...path, "repository"],
        repository,
        "a repository with its registry's host in front",
        "Write docker.io/… for Docker Hub, or add image.build.ecr for ECR.",
      );
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
    const fix = "Remove registry: the credentials for ECR come from the provider.";
    problems.say([...path, "registry"], "registry beside ecr", "one of them", fix);
  }
  const owners = [...targetAccounts.filter(({ manage }) => manage !== false), ...clusters];
  exists(
    problems,
    [...path, "ecr", "profile"],
    ecr.profile,
    owners.map(({ profile }) => profile),
    "a profile in clusters or in targetAccounts (where manage is true)",
  );
}

export const imageRules: readonly Rule[] = [
  {
    says: "`prebuilt` or `build`, never both; one of them where the server is deployed.",
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
    says: "`verify` needs `prebuilt` with a digest, and `repository` or `key`, never both.",
    check: ({ image }, problems) => {
      if (image?.verify === undefined) return;
      const { enabled, repository, key } = image.verify;
      if (image.prebuilt !== null && !image.prebuilt?.includes("@sha256:")) {
        problems.say(["image", "verify"], "verify without a digest in image.prebuilt", "image.prebuilt with a digest");
      }
      if (enabled !== false && (repository === undefined) === (key === undefined)) {
        problems.add(["image", "verify"], image.verify, "one of repository and key");
      }
    },
  },
  {
    says: "The prebuilt image of the legacy readme has no `streamable-http`.",
    check: ({ image, mcp }, problems) => {
      if (mcp.transport !== "streamable-http" || !legacyImage.test(image?.prebuilt ?? "")) return;
      problems.add(
        ["mcp", "transport"],
        mcp.transport,
        "sse with this prebuilt image: it has no native HTTP",
        "Build the image (image.build), or use sse.",
      );
    },
  },
  {
    says: "`repository` has its registry's host in front (`docker.io/…` for Docker Hub); with `ecr` it has none. `ecr` and `registry` exclude each other; `ecr.profile` is the profile of a managed target account or of a cluster.",
    check: checkBuild,
  },
  {
    says: "`registry.server` is the host of `repository`.",
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
    says: "`ecr.region` is in the partition of the profile's account.",
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
      for (const [name, value] of Object.entries(image?.build?.args ?? {})) {
        if (!urlPassword.test(value ?? "")) continue;
        const fix = `pulumi config set --path --secret 'holmes-aws-mcp:image.build.args.${name}'`;
        problems.say(["image", "build", "args", name], "a password in plain text", "a Pulumi secret", fix);
      }
      if (!image?.build?.registry?.password) return;
      problems.say(
        ["image", "build", "registry", "password"],
        "plain text",
        "a Pulumi secret",
        "pulumi config set --path --secret 'holmes-aws-mcp:image.build.registry.password'",
      );
    },
  },
];

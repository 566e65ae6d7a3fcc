import { doc, envValue, flag, integer, line, object, oneOf, secret, set, text, textMap } from "../fields.js";
import { rules } from "../limits.js";

const ecr = object({
  profile: doc(
    text(rules.profile),
    "Profile of the account that contains the repository: the profile of a managed target account or of a cluster.",
    "dev",
  ),
  region: doc(
    text(rules.region).optional(),
    "Region of the repository. Default: the region of the account or cluster.",
    "us-east-1",
  ),
  create: doc(
    flag().default(true),
    "Whether to create the repository (scan on push, immutable tags, lifecycle policy).",
    false,
  ),
  keepImages: doc(integer(1, 1000).default(20), "Number of images that the lifecycle policy retains.", 50),
  forceDelete: doc(
    flag().default(false),
    "Whether `pulumi destroy` deletes a repository that contains images. Default: it fails, because another stack can use the images.",
    true,
  ),
  pullAccounts: doc(
    set(text(rules.accountId), "account IDs").default([]),
    "Accounts that can pull images, such as the accounts of other clusters.",
    ["333333333333"],
  ),
});

const registry = object({
  server: doc(text(rules.registryHost).optional(), "Registry host. Default: the host of `repository`.", "ghcr.io"),
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
    "Repository to push to, with its registry host. With `ecr`, only the name of the repository.",
    "ghcr.io/example/aws-api-mcp-server",
  ),
  tag: doc(
    text(rules.tag).optional(),
    "Image tag. Default: a hash of the directory image/, so that a changed image always has a new tag.",
    "1.2.0",
  ),
  platform: doc(
    oneOf("linux/amd64", "linux/arm64").default("linux/amd64"),
    "Platform of the nodes that run the pod.",
    "linux/arm64",
  ),
  baseImage: doc(
    text(rules.imageReference).optional(),
    "Base image, for example in a mirror. Default: the base image in image/Dockerfile.",
    "mirror.example.com/library/node:24.21.0-alpine3.24",
  ),
  network: doc(text(line).optional(), "Docker network of the build's RUN instructions.", "host"),
  args: doc(textMap(rules.environmentName, envValue).default({}), "Build arguments.", {
    HTTPS_PROXY: "http://proxy.example.com:3128",
  }),
  ecr: doc(ecr.optional(), "ECR repository. The AWS provider supplies the credentials.", { profile: "dev" }),
  registry: doc(
    registry.optional(),
    "Credentials for any other registry. Default: the credentials of the Docker client.",
    {
      username: "robot",
      password: "…",
    },
  ),
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
    "Public key, instead of `repository`: a file or the URI of a KMS key, as for `cosign verify --key`. A transparency log is not required.",
    "awskms:///alias/cosign",
  ),
});

export const imageSchema = object({
  prebuilt: doc(
    text(rules.imageReference).optional(),
    "Reference of the image to deploy, preferably with a digest.",
    `111111111111.dkr.ecr.us-east-1.amazonaws.com/holmes/aws-api-mcp-server@sha256:${"0f1e2d3c4b5a6978".repeat(4)}`,
  ),
  build: doc(
    build.optional(),
    "Builds the image from the directory image/ and pushes it. Requires a Docker engine, also for previews.",
    {
      repository: "ghcr.io/example/aws-api-mcp-server",
    },
  ),
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

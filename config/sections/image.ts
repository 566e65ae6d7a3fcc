import { optional } from "zod";
import { choice, flag, integer, object, secret, set, text, textMap } from "../fields.js";
import { rules } from "../limits.js";

const ecr = object({
  profile: text(rules.profile, "dev").describe(
    "Profile of the account that contains the repository: the profile of a managed target account or of a cluster.",
  ),
  region: optional(text(rules.region, "us-east-1")).describe(
    "Region of the repository. Default: the region of the account or cluster.",
  ),
  create: flag(true).describe("Whether to create the repository (scan on push, immutable tags, lifecycle policy)."),
  keepImages: integer(1, 1000).default(20).describe("Number of images that the lifecycle policy retains."),
  forceDelete: flag(false).describe(
    "Whether `pulumi destroy` deletes a repository that contains images. Default: it fails, because another stack can use the images.",
  ),
  pullAccounts: set(text(rules.accountId, "333333333333"), "account IDs")
    .default([])
    .describe("Accounts that can pull images, such as the accounts of other clusters."),
});

const registry = object({
  server: optional(text(rules.registryHost, "ghcr.io")).describe("Registry host. Default: the host of `repository`."),
  username: secret(rules.line, "robot").describe("User name."),
  password: secret(rules.line, "…").describe(
    "Password or token: `pulumi config set --path --secret 'image.build.registry.password'`.",
  ),
});

const build = object({
  repository: text(rules.repository, "ghcr.io/example/aws-api-mcp-server").describe(
    "Repository to push to, with its registry host. With `ecr`, only the name of the repository.",
  ),
  tag: optional(text(rules.tag, "1.2.0")).describe(
    "Image tag. Default: a hash of the directory image/, so that a changed image always has a new tag.",
  ),
  platform: choice("linux/amd64", "linux/arm64").describe("Platform of the nodes that run the pod."),
  baseImage: optional(text(rules.imageReference, "mirror.example.com/library/node:24.21.0-alpine3.24")).describe(
    "Base image, for example in a mirror. Default: the base image in image/Dockerfile.",
  ),
  network: optional(text(rules.line, "host")).describe("Docker network of the build's RUN instructions."),
  args: textMap(rules.environmentName, rules.anyText, { HTTPS_PROXY: "http://proxy.example.com:3128" })
    .default({})
    .describe("Build arguments."),
  ecr: optional(ecr).describe("ECR repository. The AWS provider supplies the credentials."),
  registry: optional(registry).describe(
    "Credentials for any other registry. Default: the credentials of the Docker client.",
  ),
});

const verify = object({
  enabled: flag(true).describe("Whether `pulumi up` requires a signature."),
  repository: optional(text(rules.githubRepository, "example/holmes-aws-mcp")).describe(
    "GitHub repository whose workflow `image.yml` signed the image for a tag `v*`. Default for an image in `ghcr.io/OWNER/holmes-aws-mcp`: that repository.",
  ),
  key: optional(text(rules.line, "awskms:///alias/cosign")).describe(
    "Public key, instead of `repository`: a file or the URI of a KMS key, as for `cosign verify --key`. A transparency log is not required.",
  ),
});

export const imageSchema = object({
  prebuilt: optional(
    text(
      rules.imageReference,
      `111111111111.dkr.ecr.us-east-1.amazonaws.com/holmes/aws-api-mcp-server@sha256:${"0f1e2d3c4b5a6978".repeat(4)}`,
    ),
  ).describe("Reference of the image to deploy, preferably with a digest."),
  build: optional(build).describe(
    "Builds the image from the directory image/ and pushes it. Requires a Docker engine, also for previews.",
  ),
  verify: optional(verify).describe(
    "Signature that cosign verifies before an update changes anything. Without cosign on the PATH the program logs a warning. Default: off, except for images in `ghcr.io/OWNER/holmes-aws-mcp` by digest.",
  ),
});

/**
 * The legacy image, including copies in other registries. It contains stock Supergateway and does not support
 * streamable HTTP.
 */
export const legacyImage =
  /genuine-flight-317411\/devel\/aws-api-mcp-server([:@]|$)|\/aws-api-mcp-server:1\.0\.1(@sha256:[0-9a-f]+)?$/;

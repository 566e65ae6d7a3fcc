import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { ImageSettings, Settings } from "../config/settings.js";
import { guarded } from "../documents/awsAccess.js";
import { secretHash } from "../documents/workload.js";
import { lifecyclePolicy, pullPolicy } from "../policies/ecr.js";
import { dockerProvider } from "./providers.js";

/** Folder of the Dockerfile. */
const context = "image";

type Build = Extract<ImageSettings, { kind: "build" }>["build"];

/**
 * The image of the MCP server: an existing reference, or built and pushed. For a repository in ECR, pass the provider of
 * its account in `opts`.
 */
export class McpImage extends pulumi.ComponentResource {
  /** Reference to deploy, by digest when this component built the image. Undefined when the stack deploys nothing. */
  readonly reference: pulumi.Output<string | undefined>;

  constructor(name: string, settings: Settings, opts?: pulumi.ComponentResourceOptions) {
    const { image } = settings;
    const given = { reference: image.kind === "prebuilt" ? image.reference : undefined };
    const inputs = image.kind === "build" ? buildInputs(settings, image.build) : given;
    super("holmes-aws-mcp:index:McpImage", name, inputs, opts);
    this.reference = image.kind === "build" ? this.build(name, settings, image.build) : pulumi.output(given.reference);
    this.registerOutputs({ reference: this.reference });
  }

  private build(name: string, settings: Settings, build: Build): pulumi.Output<string> {
    const { repository, tag, platform, baseImage, network, ecr, registry } = build;
    const args = { ...build.args, ...(baseImage && { BASE_IMAGE: baseImage }) };
    const given = Object.keys(args).length > 0 ? args : undefined;
    const target = ecr
      ? this.ecrRepository(name, repository, ecr, settings.iam.tags)
      : {
          url: repository,
          ready: [],
          registry: registry && {
            server: registry.server ?? repository.split("/")[0]!,
            username: guarded(settings, "image", registry.username),
            password: pulumi.secret(registry.password),
          },
        };
    const image = new docker.Image(
      `${name}/build`,
      {
        imageName: pulumi.interpolate`${target.url}:${tag ?? contentTag(given)}`,
        build: { context, platform, args: settings.secretKeys.has("image") ? pulumi.secret(given) : given, network },
        registry: target.registry,
      },
      { parent: this, provider: dockerProvider({ parent: this }), dependsOn: target.ready },
    );
    return image.repoDigest;
  }

  /** The repository, with what must exist before the push, and the credentials of its registry. */
  private ecrRepository(
    name: string,
    repositoryName: string,
    ecr: NonNullable<Build["ecr"]>,
    tags: Settings["iam"]["tags"],
  ) {
    const options = { parent: this };
    const token = aws.ecr.getAuthorizationTokenOutput({}, options);
    const repository = ecr.create
      ? new aws.ecr.Repository(
          `${name}/repository`,
          {
            name: repositoryName,
            imageTagMutability: "IMMUTABLE",
            imageScanningConfiguration: { scanOnPush: true },
            forceDelete: ecr.forceDelete,
            tags,
          },
          options,
        )
      : aws.ecr.getRepositoryOutput({ name: repositoryName }, options);
    const ready: pulumi.Resource[] = [];
    if (ecr.create) {
      const policy = JSON.stringify(lifecyclePolicy(ecr.keepImages));
      const args = { repository: repository.name, policy };
      ready.push(new aws.ecr.LifecyclePolicy(`${name}/repository/lifecycle`, args, options));
    }
    if (ecr.create && ecr.pullAccounts.length > 0) {
      const policy = repository.arn.apply((arn) => JSON.stringify(pullPolicy(arn.split(":")[1]!, ecr.pullAccounts)));
      const args = { repository: repository.name, policy };
      ready.push(new aws.ecr.RepositoryPolicy(`${name}/repository/pull`, args, options));
    }
    const url = repository.repositoryUrl;
    const server = url.apply((text) => text.split("/")[0]!);
    return { url, ready, registry: { server, username: token.userName, password: pulumi.secret(token.password) } };
  }
}

/** Inputs of the component, without the registry credentials and the build arguments. */
function buildInputs({ secretKeys, iam }: Settings, { repository, tag, platform, network, ecr }: Build) {
  const secretBuildArgs = secretKeys.has("image");
  return { context, repository, tag, platform, secretBuildArgs, network, ecr, tags: iam.tags };
}

/** Content-based tag. A changed folder or build argument needs a new tag, because tags in ECR are immutable. */
function contentTag(buildArgs: Readonly<Record<string, string>> | undefined): string {
  const hash = createHash("sha256");
  const files = readdirSync(context, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/node_modules|__pycache__/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files)
    hash
      .update(`${file.replaceAll("\\", "/")}\0`)
      .update(readFileSync(file))
      .update("\0");
  if (buildArgs !== undefined) hash.update(secretHash(buildArgs));
  return hash.digest("hex").slice(0, 12);
}

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { BuildSettings, Settings } from "../config/settings.js";

/** Folder of the Dockerfile and its lock files. */
const context = "image";

/** The image of the MCP server: a given reference, or built from image/ and pushed. */
export class McpImage extends pulumi.ComponentResource {
  /** Reference to deploy: by digest when it was built here. Undefined when the stack deploys nothing. */
  readonly reference: pulumi.Output<string | undefined>;

  /** @param ecr provider of the account that holds the ECR repository, where there is one */
  constructor(settings: Settings, ecr: aws.Provider | undefined) {
    super("holmes-aws-mcp:index:McpImage", "image", {});
    const { image } = settings;
    this.reference =
      image.kind === "build"
        ? this.build(image.build, ecr, settings.iam.tags)
        : pulumi.output(image.kind === "prebuilt" ? image.reference : undefined);
    this.registerOutputs({ reference: this.reference });
  }

  private build(
    build: BuildSettings,
    ecr: aws.Provider | undefined,
    tags: Record<string, string>,
  ): pulumi.Output<string> {
    const target = ecr === undefined ? registryOf(build) : this.ecrRepository(build, ecr, tags);
    const image = new docker.Image(
      "image/build",
      {
        imageName: pulumi.interpolate`${target.repository}:${build.tag ?? contentTag(context)}`,
        build: {
          context,
          platform: build.platform,
          ...(build.baseImage === undefined ? {} : { args: { BASE_IMAGE: build.baseImage } }),
        },
        ...(target.registry === undefined ? {} : { registry: target.registry }),
      },
      { parent: this, provider: new docker.Provider("image/docker", {}, { parent: this }), dependsOn: target.ready },
    );
    return image.repoDigest;
  }

  private ecrRepository(
    { repository: name, ecr }: BuildSettings,
    provider: aws.Provider,
    tags: Record<string, string>,
  ): Target {
    const options = { parent: this, provider };
    const repository =
      ecr?.create === false ? undefined : this.createRepository(name, ecr?.forceDelete ?? false, tags, options);
    const ready =
      repository === undefined || ecr === undefined ? [] : this.repositoryPolicies(repository, ecr, options);
    const url = repository?.repositoryUrl ?? aws.ecr.getRepositoryOutput({ name }, options).repositoryUrl;
    const token = aws.ecr.getAuthorizationTokenOutput({}, options);
    return {
      repository: url,
      ready,
      registry: {
        server: url.apply((text) => text.split("/")[0]!),
        username: token.userName,
        password: pulumi.secret(token.password),
      },
    };
  }

  private createRepository(
    name: string,
    forceDelete: boolean,
    tags: Record<string, string>,
    options: pulumi.CustomResourceOptions,
  ) {
    return new aws.ecr.Repository(
      "image/repository",
      { name, imageTagMutability: "IMMUTABLE", imageScanningConfiguration: { scanOnPush: true }, forceDelete, tags },
      options,
    );
  }

  private repositoryPolicies(
    repository: aws.ecr.Repository,
    { keepImages, pullAccounts }: NonNullable<BuildSettings["ecr"]>,
    options: pulumi.CustomResourceOptions,
  ): pulumi.Resource[] {
    const lifecycle = new aws.ecr.LifecyclePolicy(
      "image/repository/lifecycle",
      { repository: repository.name, policy: JSON.stringify(lifecyclePolicy(keepImages)) },
      options,
    );
    if (pullAccounts.length === 0) return [lifecycle];
    const policy = repository.arn.apply((arn) => JSON.stringify(pullPolicy(arn.split(":")[1]!, pullAccounts)));
    return [
      lifecycle,
      new aws.ecr.RepositoryPolicy("image/repository/pull", { repository: repository.name, policy }, options),
    ];
  }
}

interface Target {
  readonly repository: pulumi.Input<string>;
  readonly ready: pulumi.Resource[];
  readonly registry: docker.types.input.Registry | undefined;
}

function registryOf({ repository, registry }: BuildSettings): Target {
  return {
    repository,
    ready: [],
    registry: registry && {
      server: registry.server ?? repository.split("/")[0]!,
      username: registry.username,
      password: pulumi.secret(registry.password),
    },
  };
}

function lifecyclePolicy(keepImages: number) {
  return {
    rules: [
      {
        rulePriority: 1,
        description: `Keep ${keepImages} images`,
        selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: keepImages },
        action: { type: "expire" },
      },
    ],
  };
}

function pullPolicy(partition: string, accounts: readonly string[]) {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Pull",
        Effect: "Allow",
        Principal: { AWS: accounts.map((account) => `arn:${partition}:iam::${account}:root`) },
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      },
    ],
  };
}

/** Tag by content: a changed folder gets a new tag, so a push never meets an immutable one. */
export function contentTag(folder: string): string {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files)
    hash
      .update(`${file.replaceAll("\\", "/")}\0`)
      .update(readFileSync(file))
      .update("\0");
  return hash.digest("hex").slice(0, 12);
}

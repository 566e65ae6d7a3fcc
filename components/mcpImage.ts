import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { secretHash } from "../documents/workload.js";
import { lifecyclePolicy, pullPolicy } from "../policies/ecr.js";
import { dockerProvider } from "./providers.js";

/** An existing image. Nothing is built. */
export interface PrebuiltImageArgs {
  /** Image reference. Undefined: the stack deploys no server. */
  readonly reference: string | undefined;
}

/** An image that is built from a folder and pushed. */
export interface BuiltImageArgs {
  /** Folder of the Dockerfile. */
  readonly context: string;
  /** Repository with its registry host. With `ecr`: only the repository name. */
  readonly repository: string;
  /** Default: a hash of the folder and the build arguments. */
  readonly tag?: string | undefined;
  /** `linux/amd64` or `linux/arm64`. */
  readonly platform: string;
  /** Build arguments. Default: those of the Dockerfile. */
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  /** Whether the build arguments are secret in the state. The image history contains them in plain text. */
  readonly secretBuildArgs?: boolean | undefined;
  /** Docker network of the RUN instructions. Default: the Docker engine's default network. */
  readonly network?: string | undefined;
  /** Settings for a repository in ECR. Pass the provider of its account in `opts`. */
  readonly ecr?: EcrArgs | undefined;
  /** Credentials for another registry. Default: those of the Docker client. */
  readonly registry?: docker.types.input.Registry | undefined;
  /** Tags of the ECR repository. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface EcrArgs {
  /** Whether the repository is created. */
  readonly create: boolean;
  /** Number of images that the lifecycle policy keeps. */
  readonly keepImages: number;
  /** Whether `pulumi destroy` deletes a repository that contains images. */
  readonly forceDelete: boolean;
  /** Ids of other accounts that can pull images. */
  readonly pullAccounts: readonly string[];
}

export type McpImageArgs = PrebuiltImageArgs | BuiltImageArgs;

/** The image of the MCP server: an existing reference, or built and pushed. */
export class McpImage extends pulumi.ComponentResource {
  /** Reference to deploy, by digest when this component built the image. Undefined when the stack deploys nothing. */
  readonly reference: pulumi.Output<string | undefined>;

  constructor(name: string, args: McpImageArgs, opts?: pulumi.ComponentResourceOptions) {
    // Keep the registry credentials and the build arguments out of the component's state.
    const { registry, buildArgs, ...inputs } = { registry: undefined, buildArgs: undefined, ...args };
    super("holmes-aws-mcp:index:McpImage", name, inputs, opts);
    this.reference = "context" in args ? this.build(name, args) : pulumi.output(args.reference);
    this.registerOutputs({ reference: this.reference });
  }

  private build(name: string, args: BuiltImageArgs): pulumi.Output<string> {
    const { context, repository, tag, platform, buildArgs, secretBuildArgs, network, ecr, registry, tags } = args;
    const target = ecr ? this.ecrRepository(name, repository, ecr, tags) : { url: repository, dependsOn: [], registry };
    const image = new docker.Image(
      `${name}/build`,
      {
        imageName: pulumi.interpolate`${target.url}:${tag ?? contentTag(context, buildArgs)}`,
        build: {
          context,
          platform,
          args: buildArgs && secretBuildArgs ? pulumi.secret(buildArgs) : buildArgs,
          network,
        },
        registry: target.registry,
      },
      { parent: this, provider: dockerProvider({ parent: this }), dependsOn: target.dependsOn },
    );
    return image.repoDigest;
  }

  /** The URL of the repository, what must exist before the push, and the credentials. */
  private ecrRepository(name: string, repositoryName: string, ecr: EcrArgs, tags: BuiltImageArgs["tags"]) {
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
    const dependsOn: pulumi.Resource[] = [];
    if (ecr.create) {
      const args = { repository: repository.name, policy: JSON.stringify(lifecyclePolicy(ecr.keepImages)) };
      dependsOn.push(new aws.ecr.LifecyclePolicy(`${name}/repository/lifecycle`, args, options));
    }
    if (ecr.create && ecr.pullAccounts.length > 0) {
      const policy = repository.arn.apply((arn) => JSON.stringify(pullPolicy(arn.split(":")[1]!, ecr.pullAccounts)));
      const args = { repository: repository.name, policy };
      dependsOn.push(new aws.ecr.RepositoryPolicy(`${name}/repository/pull`, args, options));
    }
    const url = repository.repositoryUrl;
    const server = url.apply((text) => text.split("/")[0]!);
    return { url, dependsOn, registry: { server, username: token.userName, password: pulumi.secret(token.password) } };
  }
}

/** Content-based tag. A changed folder or build argument needs a new tag, because tags in ECR are immutable. */
function contentTag(folder: string, buildArgs: BuiltImageArgs["buildArgs"] = {}): string {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/node_modules|__pycache__/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files)
    hash
      .update(`${file.replaceAll("\\", "/")}\0`)
      .update(readFileSync(file))
      .update("\0");
  if (Object.keys(buildArgs).length > 0) hash.update(secretHash(buildArgs));
  return hash.digest("hex").slice(0, 12);
}

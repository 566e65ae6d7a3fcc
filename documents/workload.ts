/** The MCP server of one cluster. documents/deployment.ts and documents/jobs.ts make its Kubernetes objects. */
import { createHash, scryptSync } from "node:crypto";
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels, launcherFile } from "../config/names.js";
import { defaultProfileOf, type Profile } from "../config/profiles.js";
import type { Config, KubernetesConfig } from "../config/schema.js";
import { type ClusterSettings, type McpSettings, type Settings, usesLegacyImage } from "../config/settings.js";
import { awsConfigFile } from "./awsConfigFile.js";

/**
 * The MCP server of one cluster, and its pods. config/sections/mcp.ts and config/sections/kubernetes.ts describe the
 * inherited fields.
 */
export interface Workload extends Omit<McpSettings, "enabled" | "extraVolumes">, KubernetesConfig {
  /** Name of the cluster. Part of the role session name in CloudTrail. */
  readonly cluster: string;
  /** Previous name of a renamed cluster. Its objects are kept. */
  readonly previousName?: string | undefined;
  /** At least one account, each with the role that trusts this cluster. */
  readonly profiles: readonly Profile[];
  /** Account whose region applies to commands without a profile, and whose role annotates the service account. */
  readonly defaultProfile: Profile;
  /** Reference of the image. */
  readonly image: pulumi.Input<string>;
  /** Whether the image has the paths and the gateway of the legacy image. */
  readonly legacyImage: boolean;
  /** Whether the image was built elsewhere, so that its content is checked before it is deployed. */
  readonly prebuilt: boolean;
  /** Architecture of the nodes, `amd64` or `arm64`. Default: any. */
  readonly architecture?: string | undefined;
  /** Whether the values of `env` reach the pods through a Secret. */
  readonly secretEnv: boolean;
  /** Volumes in addition to the program's, such as a CA bundle. */
  readonly extraVolumes: readonly types.input.core.v1.Volume[];
  /** Pods that call the server: all labels, in one namespace. */
  readonly holmes: Pick<Config["holmes"], "namespace" | "podLabels">;
  /** Verification of the server at the end of an update. */
  readonly verify: Config["verify"];
  /** Text that changes with the trust and permissions of the accounts. */
  readonly permissions: string;
}

/** The server of one cluster. */
export function workloadOf(
  settings: Settings,
  { name, previousName }: Pick<ClusterSettings, "name" | "previousName">,
  profiles: readonly Profile[],
  image: pulumi.Input<string | undefined>,
): Workload {
  const { kubernetes, image: source, mcp, holmes, verify, secretKeys, targetAccounts, subjects } = settings;
  return {
    ...mcp,
    ...kubernetes,
    // The config reads some volume sources, such as csi, as any object.
    extraVolumes: mcp.extraVolumes as types.input.core.v1.Volume[],
    secretEnv: secretKeys.has("mcp") && Object.keys(mcp.env).length > 0,
    cluster: name,
    previousName,
    profiles,
    defaultProfile: defaultProfileOf(settings, profiles),
    // config/load.ts verifies that an image is configured.
    image: image as pulumi.Input<string>,
    legacyImage: usesLegacyImage(settings),
    prebuilt: source.prebuilt !== undefined,
    architecture: source.build?.platform.split("/")[1],
    holmes,
    verify,
    permissions: JSON.stringify(
      targetAccounts
        .filter(({ profile }) => profiles.some((own) => own.name === profile))
        .map(({ profile, permissions }) => [profile, permissions, subjects]),
    ),
  };
}

/** A short hash of the texts. */
export const hashOf = (...texts: string[]) => createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16);

/** A hash of secrets for a readable annotation. scrypt is slow, which protects weak passwords against guessing. */
export const secretHash = (secrets: Readonly<Record<string, string>>) =>
  scryptSync(JSON.stringify(Object.entries(secrets).sort()), "holmes-aws-mcp", 16).toString("hex");

/** ConfigMap data: the AWS config file, and the settings of the launcher (image/launcher). */
export function configData(workload: Workload) {
  const { cluster, profiles, defaultProfile, metrics } = workload;
  const { concurrency, callTimeoutSeconds, maxAnswerBytes, allowedEndpoints, suggestCommands, denyList } = workload;
  const launcher = {
    concurrency,
    callTimeoutSeconds,
    maxAnswerBytes,
    allowedEndpoints,
    suggestCommands,
    denyList,
    metricsPort: metrics.enabled ? metrics.port : null,
    accounts: profiles.map(({ name, accountId, region, description }) => ({
      profile: name,
      accountId,
      region,
      description,
    })),
  };
  return {
    config: awsConfigFile(cluster, profiles, defaultProfile.region),
    [launcherFile]: `${JSON.stringify(launcher, null, 2)}\n`,
  };
}

/** Labels of the namespace: Pod Security `restricted`. */
export const namespaceLabels = (serviceName: string) => ({
  ...labels(serviceName),
  "pod-security.kubernetes.io/enforce": "restricted",
  "pod-security.kubernetes.io/audit": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
});

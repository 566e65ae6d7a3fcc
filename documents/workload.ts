/** The MCP server of one cluster. documents/deployment.ts and documents/jobs.ts make its Kubernetes objects. */
import { createHash, scryptSync } from "node:crypto";
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { type ClusterSettings, type Settings, usesLegacyImage } from "../config/settings.js";
import { awsConfigFile, type Profile } from "./awsConfigFile.js";
import { labels, launcherFile } from "./names.js";
import { defaultProfileOf } from "./profiles.js";

/** The settings of the server and its pods in one cluster. config/sections/mcp.ts describes those of `mcp`. */
export type Workload = ReturnType<typeof workloadOf>;

/**
 * @param profiles at least one account, each with the role that trusts this cluster
 * @param image reference of the image
 */
export function workloadOf(
  settings: Settings,
  { name, previousName }: Pick<ClusterSettings, "name" | "previousName">,
  profiles: readonly Profile[],
  image: pulumi.Input<string | undefined>,
) {
  const { kubernetes, image: source, mcp, holmes, verify, secretKeys, targetAccounts, subjects } = settings;
  return {
    ...mcp,
    ...kubernetes,
    // The config reads some volume sources, such as csi, as any object.
    extraVolumes: mcp.extraVolumes as types.input.core.v1.Volume[],
    /** Whether the values of `env` reach the pods through a Secret. */
    secretEnv: secretKeys.has("mcp") && Object.keys(mcp.env).length > 0,
    /** Name of the cluster. Part of the role session name in CloudTrail. */
    cluster: name,
    previousName,
    profiles,
    /** Account whose region applies to commands without a profile, and whose role annotates the service account. */
    defaultProfile: defaultProfileOf(settings, profiles),
    // config/load.ts verifies that an image is configured.
    image: image as pulumi.Input<string>,
    /** Whether the image has the paths and the gateway of the legacy image. */
    legacyImage: usesLegacyImage(settings),
    /** Whether the image was built elsewhere, so that its content is checked before it is deployed. */
    prebuilt: source.kind === "prebuilt",
    /** Architecture of the nodes, `amd64` or `arm64`. Undefined: any. */
    architecture: source.kind === "build" ? source.build.platform.split("/")[1] : undefined,
    /** Pods that call the server. */
    holmes,
    verify,
    /** Changes with the trust and the permissions of the accounts. */
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
    defaultProfile: defaultProfile.name,
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

/** Settings of the program: the validated config with all defaults and derived values. */
import { homedir } from "node:os";
import type { PermissionPlan } from "../policies/permissions.js";
import type { Subject } from "../policies/trust.js";
import { issuerUrl } from "./limits.js";
import type { ClusterConfig, Config, TargetAccountConfig } from "./schema.js";
import { legacyImage } from "./sections/image.js";

/** Name of the Pulumi project: the namespace of every config key. */
export const project = "holmes-aws-mcp";

export interface ClusterSettings extends Omit<ClusterConfig, "oidcIssuerId" | "oidcIssuerUrl"> {
  /** Name of the cluster in EKS. */
  readonly eksName: string;
  /** `https://…`. Undefined if the issuer is looked up in EKS. */
  readonly issuerUrl: string | undefined;
  /** Whether the workload is deployed to the cluster. */
  readonly deploy: boolean;
}

export interface TargetAccountSettings
  extends Omit<TargetAccountConfig, "adopt" | "region" | "permissionsBoundary" | "clusters"> {
  readonly region: string;
  /** Names of the clusters that the account trusts: all of the stack, or `targetAccounts[].clusters`. */
  readonly clusters: readonly string[];
  readonly partition: string;
  /** Resources of the legacy script to import: OIDC providers by cluster name, role, inline policy. */
  readonly adopt: { readonly oidcProviders: readonly string[]; readonly role: boolean; readonly policy: boolean };
  readonly permissionsBoundaryArn: string | undefined;
  /** Permission policies of the role, with their sizes. */
  readonly permissions: PermissionPlan;
}

/** Required signer of the image: the image workflow of a GitHub repository, or the owner of a key. */
export type ImageSigner = { readonly repository: string } | { readonly key: string };

/** The image to build, or the reference of the image to deploy. Neither if the server is not deployed. */
export interface ImageSettings extends Pick<NonNullable<Config["image"]>, "build" | "prebuilt"> {
  readonly signer?: ImageSigner | undefined;
}

export interface OrganizationSettings extends NonNullable<Config["organization"]> {
  readonly partition: string;
  /** Permission policies of the roles that the StackSet creates. */
  readonly permissions: PermissionPlan;
}

export interface McpSettings extends Omit<Config["mcp"], "authentication"> {
  readonly authentication: Config["mcp"]["authentication"] & { readonly type: "bearer" | "none" };
}

export interface Settings
  extends Omit<Config, "clusters" | "targetAccounts" | "image" | "mcp" | "defaultProfile" | "organization"> {
  readonly stack: string;
  /**
   * Top-level keys, such as `mcp`, that contain a Pulumi secret. Pulumi does not report which part of a key is secret.
   * Pass these values of such a key to resources as `pulumi.secret`: external ids, registry user and password,
   * kubeconfig content, values of `mcp.env`, `mcp.authentication.tokens`.
   */
  readonly secretKeys: ReadonlySet<string>;
  readonly mcp: McpSettings;
  readonly clusters: readonly ClusterSettings[];
  readonly targetAccounts: readonly TargetAccountSettings[];
  readonly image: ImageSettings;
  readonly organization: OrganizationSettings | undefined;
  readonly defaultProfile: string;
  /** Service accounts that every role trusts, starting with the service account of the workload. */
  readonly subjects: readonly Subject[];
  /** Warnings, one sentence each. */
  readonly warnings: readonly string[];
}

/** Adds the defaults that depend on the transport. Existing SSE clients send no token. */
export function mcpSettings(mcp: Config["mcp"]): McpSettings {
  const { type = mcp.transport === "sse" ? "none" : "bearer", ...authentication } = mcp.authentication;
  return { ...mcp, authentication: { type, ...authentication } };
}

/** Whether the image is the legacy image, which has different paths and a different gateway. */
export function usesLegacyImage({ image }: Pick<Settings, "image">): boolean {
  return legacyImage.test(image.prebuilt ?? "");
}

/** Host and path of an issuer, which IAM uses in the provider's ARN and in condition keys. */
export function issuerPath(url: string): string {
  return url.replace(/^https:\/\//, "");
}

/** An issuer with the length of an EKS issuer, so that sizes are exact before the issuer is looked up. */
export function unknownIssuer(region: string): string {
  return issuerUrl(region, "0".repeat(32));
}

/** Path of a kubeconfig file. `~/` is the home directory. */
export function kubeconfigPath(path: string): string {
  return path.replace(/^~\//, `${homedir()}/`);
}

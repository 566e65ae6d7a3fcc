/** Schema of the stack config, one entry per section. load.ts parses with it; docs/config.md is generated from it. */
import { optional, type z } from "zod";
import { list, object, text } from "./fields.js";
import { rules } from "./limits.js";
import { targetAccountSchema } from "./sections/accounts.js";
import { clusterSchema } from "./sections/clusters.js";
import { holmesSchema } from "./sections/holmes.js";
import { iamSchema } from "./sections/iam.js";
import { imageSchema } from "./sections/image.js";
import { kubernetesSchema } from "./sections/kubernetes.js";
import { mcpSchema } from "./sections/mcp.js";
import { organizationSchema } from "./sections/organization.js";
import { verifySchema } from "./sections/verify.js";

/** Stack config, one entry per key under `holmes-aws-mcp:`. */
export const configSchema = object({
  clusters: list(clusterSchema, "source clusters")
    .min(1, { error: "at least one cluster" })
    .describe("Source clusters, whose service accounts the roles trust and in which the MCP server runs."),
  kubernetes: kubernetesSchema.describe("Namespace and service accounts in the clusters."),
  iam: iamSchema.describe("IAM roles and policies in the target accounts."),
  targetAccounts: list(targetAccountSchema, "target accounts").default([]).describe("Accounts that Holmes can read."),
  defaultProfile: optional(text(rules.profile, "prod")).describe(
    "Profile of the target account whose role ARN is in the annotation of the service account. Default: the first target account.",
  ),
  image: optional(imageSchema).describe(
    "Image of the MCP server. Set `prebuilt` or `build`. Not required if the server is not deployed.",
  ),
  mcp: mcpSchema.describe("The MCP server."),
  holmes: holmesSchema.describe(
    "Settings of Holmes: namespace, pod labels, service account, and the name of the MCP server in its config.",
  ),
  verify: verifySchema.describe("Verification Job at the end of `pulumi up`."),
  organization: optional(organizationSchema).describe(
    "A CloudFormation StackSet for hundreds of accounts (docs/accounts.md).",
  ),
});

export type Config = z.output<typeof configSchema>;
export type KubernetesConfig = Config["kubernetes"];
export type ClusterConfig = Config["clusters"][number];
export type TargetAccountConfig = Config["targetAccounts"][number];

/** Schema of the stack config, one entry per section. load.ts parses with it; docs/config.md is generated from it. */
import type { z } from "zod";
import { doc, list, object, text } from "./fields.js";
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
  clusters: doc(
    list(clusterSchema, "source clusters").min(1, { error: "at least one cluster" }),
    "Source clusters. The roles trust the service accounts of these clusters, and the MCP server runs in them.",
    [{ name: "prod-us-east-1", region: "us-east-1", accountId: "111111111111", profile: "clusters" }],
  ),
  kubernetes: doc(kubernetesSchema.prefault({}), "Namespace and service accounts in the clusters.", {
    namespace: "holmes-aws-mcp",
  }),
  iam: doc(iamSchema.prefault({}), "IAM roles and policies in the target accounts.", { path: "/holmes/" }),
  targetAccounts: doc(list(targetAccountSchema, "target accounts").default([]), "Accounts that Holmes can read.", [
    { profile: "prod", accountId: "111111111111", description: "Production" },
  ]),
  defaultProfile: doc(
    text(rules.profile).optional(),
    "Profile of the target account whose role ARN is in the annotation of the service account. Default: the first target account.",
    "prod",
  ),
  image: doc(
    imageSchema.optional(),
    "Image of the MCP server. Set `prebuilt` or `build`. Not required if the server is not deployed.",
    {
      build: { repository: "ghcr.io/example/aws-api-mcp-server" },
    },
  ),
  mcp: doc(mcpSchema.prefault({}), "The MCP server.", { transport: "streamable-http", replicas: 2 }),
  holmes: doc(
    holmesSchema.prefault({}),
    "Settings of Holmes: namespace, pod labels, service account, and the name of the MCP server in its config.",
    { namespace: "robusta" },
  ),
  verify: doc(verifySchema.prefault({}), "Verification Job at the end of `pulumi up`.", { timeoutSeconds: 600 }),
  organization: doc(
    organizationSchema.optional(),
    "A CloudFormation StackSet for hundreds of accounts (docs/accounts.md).",
    {
      profile: "management",
      accountId: "111111111111",
      region: "us-east-1",
      organizationalUnits: ["ou-abcd-11112222"],
    },
  ),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = Config["clusters"][number];
export type TargetAccountConfig = Config["targetAccounts"][number];

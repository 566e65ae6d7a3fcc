import { flag, list, section, text } from "../fields.js";
import { rules } from "../limits.js";

export const kubernetesSchema = section({
  namespace: text(rules.dnsLabel)
    .default("holmes-aws-mcp")
    .describe("Namespace of the MCP server, the same in every cluster."),
  createNamespace: flag(true).describe(
    "Whether to create the namespace, with Pod Security `restricted` enforced. With `false`, the namespace must exist.",
  ),
  serviceAccount: text(rules.dnsSubdomain, "multi-account-mcp-sa")
    .default("aws-api-mcp-sa")
    .describe("Service account of the MCP server, which the roles trust."),
  createServiceAccount: flag(true).describe(
    "Whether to create the service account. With `false`, the service account must exist.",
  ),
  additionalSubjects: list(text(rules.subject, "robusta:robusta-holmes-service-account"), "namespace:serviceAccount")
    .default([])
    .describe(
      "Additional service accounts that the roles trust, as `namespace:serviceAccount`, such as the service account of Holmes.",
    ),
});

import { doc, flag, list, object, text } from "../fields.js";
import { rules } from "../limits.js";

export const kubernetesSchema = object({
  namespace: doc(
    text(rules.dnsLabel).default("holmes-aws-mcp"),
    "Namespace of the MCP server, the same in every cluster.",
    "holmes-aws-mcp",
  ),
  createNamespace: doc(
    flag().default(true),
    "Whether to create the namespace, with Pod Security `restricted` enforced. With `false`, the namespace must exist.",
    false,
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("aws-api-mcp-sa"),
    "Service account of the MCP server, which the roles trust.",
    "multi-account-mcp-sa",
  ),
  createServiceAccount: doc(
    flag().default(true),
    "Whether to create the service account. With `false`, the service account must exist.",
    false,
  ),
  additionalSubjects: doc(
    list(text(rules.subject), "namespace:serviceAccount").default([]),
    "Additional service accounts that the roles trust, as `namespace:serviceAccount`, such as the service account of Holmes.",
    ["robusta:robusta-holmes-service-account"],
  ),
});

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
    "Whether the program makes the namespace, with Pod Security `restricted` enforced; false: it is there already.",
    false,
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("aws-api-mcp-sa"),
    "Service account of the MCP server: the one that the roles trust.",
    "multi-account-mcp-sa",
  ),
  createServiceAccount: doc(
    flag().default(true),
    "Whether the program makes the service account; false: it is there already.",
    false,
  ),
  additionalSubjects: doc(
    list(text(rules.subject), "namespace:serviceAccount").default([]),
    "More `namespace:serviceAccount` pairs that the roles trust, such as Holmes' own.",
    ["robusta:robusta-holmes-service-account"],
  ),
});

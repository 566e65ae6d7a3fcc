import { doc, flag, object, oneOf, text, textMap } from "../fields.js";
import { rules } from "../limits.js";

/** Regions with an endpoint of the hosted AWS MCP server (AWS General Reference, autumn 2026). */
export const hostedRegions = [
  ...(["us-east-1", "us-west-2", "ap-southeast-1", "ap-southeast-2"] as const),
  ...(["ap-northeast-1", "eu-central-1", "eu-west-1", "eu-west-2"] as const),
] as const;

export const holmesSchema = object({
  namespace: doc(text(rules.dnsLabel).default("default"), "Namespace of the Holmes pods.", "robusta"),
  podLabels: doc(
    textMap(rules.labelKey, rules.labelValue)
      .refine((labels) => Object.keys(labels).length > 0, {
        error: "at least one label. Without labels, every pod in the namespace could call the server",
      })
      .default({ app: "holmes" }),
    "Labels of the Holmes pods. A pod must have all of them to call the server.",
    { app: "holmes" },
  ),
  serverName: doc(
    text(rules.serverName).default("aws_api"),
    "Name of the entry in Holmes' `mcp_servers`.",
    "aws_accounts",
  ),
  hosted: doc(
    flag().default(false),
    "Whether Holmes uses the hosted AWS MCP server and signs the requests. Requires `mcp.enabled: false`. The roles then trust `holmes.serviceAccount`.",
    true,
  ),
  hostedRegion: doc(
    oneOf(...hostedRegions).optional(),
    "Region of the hosted server's endpoint and of the request signatures.",
    "eu-west-1",
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("robusta-holmes-service-account"),
    "Service account of the Holmes pods. Used with `hosted`.",
    "holmes-holmes-service-account",
  ),
});

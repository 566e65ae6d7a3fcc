import { optional } from "zod";
import { flag, oneOf, section, text, textMap } from "../fields.js";
import { rules } from "../limits.js";

/** Regions with an endpoint of the hosted AWS MCP server (AWS General Reference, autumn 2026). */
export const hostedRegions = [
  ...(["us-east-1", "us-west-2", "ap-southeast-1", "ap-southeast-2"] as const),
  ...(["ap-northeast-1", "eu-central-1", "eu-west-1", "eu-west-2"] as const),
] as const;

export const holmesSchema = section({
  namespace: text(rules.dnsLabel, "robusta").default("default").describe("Namespace of the Holmes pods."),
  podLabels: textMap(rules.labelKey, rules.labelValue)
    .refine((labels) => Object.keys(labels).length > 0, {
      error: "at least one label. Without labels, every pod in the namespace could call the server",
    })
    .default({ app: "holmes" })
    .describe("Labels of the Holmes pods. A pod must have all of them to call the server."),
  serverName: text(rules.serverName, "aws_accounts")
    .default("aws_api")
    .describe("Name of the entry in Holmes' `mcp_servers`."),
  hosted: flag(false).describe(
    "Whether Holmes uses the hosted AWS MCP server and signs the requests. Requires `mcp.enabled: false`. The roles then trust `holmes.serviceAccount`.",
  ),
  hostedRegion: optional(oneOf(...hostedRegions)).describe(
    "Region of the hosted server's endpoint and of the request signatures.",
  ),
  serviceAccount: text(rules.dnsSubdomain, "holmes-holmes-service-account")
    .default("robusta-holmes-service-account")
    .describe("Service account of the Holmes pods. Used with `hosted`."),
});

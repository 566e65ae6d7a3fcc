import { optional } from "zod";
import { flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const clusterSchema = object({
  name: text(rules.clusterName, "prod-us-east-1").describe("Name of the cluster in this stack."),
  eksName: optional(text(rules.clusterName, "prod")).describe(
    "Name of the cluster in EKS, if it differs from `name`: clusters in different regions can have the same EKS name. Default: `name`.",
  ),
  previousName: optional(text(rules.clusterName, "production")).describe(
    "Previous `name` of a renamed cluster. Pulumi then keeps the resources instead of replacing them.",
  ),
  region: text(rules.region, "us-east-1").describe("Region of the cluster."),
  accountId: text(rules.accountId, "111111111111").describe("Account ID of the cluster, in quotes."),
  oidcIssuerId: optional(text(rules.oidcIssuerId, "0A1B2C3D4E5F60718293A4B5C6D7E8F9")).describe(
    "Last part of the issuer URL. Set this key or `oidcIssuerUrl`. If both are set, they must match. Default: looked up in EKS with `profile`.",
  ),
  oidcIssuerUrl: optional(
    text(rules.oidcIssuerUrl, "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9"),
  ).describe("Complete issuer URL. Required for a self-hosted issuer."),
  previousIssuers: set(
    text(rules.oidcIssuerUrl, "https://oidc.eks.us-east-1.amazonaws.com/id/9F8E7D6C5B4A39281706F5E4D3C2B1A0"),
    "issuer URLs",
  )
    .default([])
    .describe("Issuer URLs to trust as well during the migration to a re-created cluster. Remove them afterwards."),
  profile: optional(text(rules.profile, "clusters")).describe(
    "AWS profile of the cluster's account. Used to look up the cluster in EKS, and in the kubeconfig that is generated from EKS.",
  ),
  kubeconfig: optional(text(rules.kubeconfig, "~/.kube/prod")).describe(
    "Path of a kubeconfig file, or its content. Set the content as a secret if it contains a credential. Default without `context`: a kubeconfig with an exec credential, generated from EKS.",
  ),
  context: optional(text(rules.context, "prod-us-east-1")).describe(
    "Context in `kubeconfig`, or in the kubeconfig that kubectl uses if `kubeconfig` is not set.",
  ),
  deploy: flag(true).describe(
    "Whether to deploy the MCP server to this cluster. With `false`, the roles only trust the cluster.",
  ),
  roleNumber: optional(integer(1, 20)).describe(
    "Pins the cluster to a numbered role if the clusters need several roles (docs/limits.md). Default: clusters fill the roles in the order of the list.",
  ),
});

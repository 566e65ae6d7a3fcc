import { z } from "zod";
import { doc, flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const clusterSchema = object({
  name: doc(text(rules.clusterName), "Name of the cluster in this stack.", "prod-us-east-1"),
  eksName: doc(
    text(rules.clusterName).optional(),
    "Name of the cluster in EKS, if it differs from `name`: clusters in different regions can have the same EKS name. Default: `name`.",
    "prod",
  ),
  previousName: doc(
    text(rules.clusterName).optional(),
    "Previous `name` of a renamed cluster. Pulumi then keeps the resources instead of replacing them.",
    "production",
  ),
  region: doc(text(rules.region), "Region of the cluster.", "us-east-1"),
  accountId: doc(text(rules.accountId), "Account ID of the cluster, in quotes.", "111111111111"),
  oidcIssuerId: doc(
    text(rules.oidcIssuerId).optional(),
    "Last part of the issuer URL. Set this key or `oidcIssuerUrl`. If both are set, they must match. Default: looked up in EKS with `profile`.",
    "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  oidcIssuerUrl: doc(
    text(rules.oidcIssuerUrl).optional(),
    "Complete issuer URL. Required for a self-hosted issuer.",
    "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  previousIssuers: doc(
    set(text(rules.oidcIssuerUrl), "issuer URLs").default([]),
    "Additional issuer URLs to trust during the migration to a re-created cluster. Remove them after the migration.",
    ["https://oidc.eks.us-east-1.amazonaws.com/id/9F8E7D6C5B4A39281706F5E4D3C2B1A0"],
  ),
  profile: doc(
    text(rules.profile).optional(),
    "AWS profile of the cluster's account. Used to look up the cluster in EKS, and in the kubeconfig that is generated from EKS.",
    "clusters",
  ),
  kubeconfig: doc(
    z
      .string({ error: "the path of a kubeconfig file, or its content as a string" })
      .regex(/\S/, { error: "the path of a kubeconfig file, or its content as a string" })
      .optional(),
    "Path of a kubeconfig file, or its content. Set the content as a secret if it contains a credential. Default without `context`: a kubeconfig with an exec credential, generated from EKS.",
    "~/.kube/prod",
  ),
  context: doc(
    text({
      pattern: /^[^\p{Cc}\s]([^\p{Cc}]*[^\p{Cc}\s])?$/u,
      expected: "a single-line string without leading or trailing spaces",
    }).optional(),
    "Context in `kubeconfig`, or in the kubeconfig that kubectl uses if `kubeconfig` is not set.",
    "prod-us-east-1",
  ),
  deploy: doc(
    flag().default(true),
    "Whether to deploy the MCP server to this cluster. With `false`, the roles only trust the cluster.",
    false,
  ),
  roleNumber: doc(
    integer(1, 20).optional(),
    "Pins the cluster to a numbered role if the clusters need several roles (docs/limits.md). Default: clusters fill the roles in the order of the list.",
    2,
  ),
});

import { z } from "zod";
import { doc, flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const clusterSchema = object({
  name: doc(text(rules.clusterName), "Name of the cluster in this stack.", "prod-us-east-1"),
  eksName: doc(
    text(rules.clusterName).optional(),
    "Name of the cluster in EKS, where it is another: two regions may have clusters of one name. Default: `name`.",
    "prod",
  ),
  previousName: doc(
    text(rules.clusterName).optional(),
    "The name that this cluster had in the stack before it was renamed, so that its resources are kept.",
    "production",
  ),
  region: doc(text(rules.region), "Region of the cluster.", "us-east-1"),
  accountId: doc(text(rules.accountId), "Account of the cluster, in quotes.", "111111111111"),
  oidcIssuerId: doc(
    text(rules.oidcIssuerId).optional(),
    "Last part of the issuer URL. This or `oidcIssuerUrl`; both must agree; neither: looked up from EKS with `profile`.",
    "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  oidcIssuerUrl: doc(
    text(rules.oidcIssuerUrl).optional(),
    "The whole issuer URL; the way to name a self-hosted issuer.",
    "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  previousIssuers: doc(
    set(text(rules.oidcIssuerUrl), "issuer URLs").default([]),
    "Issuer URLs that are trusted as well, while a re-created cluster takes over. Empty it afterwards.",
    ["https://oidc.eks.us-east-1.amazonaws.com/id/9F8E7D6C5B4A39281706F5E4D3C2B1A0"],
  ),
  profile: doc(
    text(rules.profile).optional(),
    "AWS profile of the cluster's account, for look-ups from EKS and for the kubeconfig made from them.",
    "clusters",
  ),
  kubeconfig: doc(
    z
      .string({ error: "the path of a kubeconfig file, or its content as a text" })
      .regex(/\S/, { error: "the path of a kubeconfig file, or its content as a text" })
      .optional(),
    "Path of a kubeconfig file, or its content (set that as a secret when a credential is in it). Neither this nor `context`: made from EKS with an exec credential.",
    "~/.kube/prod",
  ),
  context: doc(
    text({
      pattern: /^[^\p{Cc}\s]([^\p{Cc}]*[^\p{Cc}\s])?$/u,
      expected: "a text of one line without spaces at its ends",
    }).optional(),
    "Context of the kubeconfig; alone, of the kubeconfig that kubectl would use.",
    "prod-us-east-1",
  ),
  deploy: doc(
    flag().default(true),
    "Whether the MCP server is deployed to this cluster; false: it is only trusted.",
    false,
  ),
  roleNumber: doc(
    integer(1, 20).optional(),
    "Pins the cluster to a numbered role where the clusters need several (docs/limits.md). Default: filled in the order of the list.",
    2,
  ),
});

/** Looks up cluster settings in EKS that the config omits. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { rules } from "../config/limits.js";
import type { ClusterSettings } from "../config/settings.js";
import { type DescribedCluster, type EksDescription, needsEks } from "../documents/kubeconfig.js";
import { awsProvider } from "./providers.js";
import { renamed } from "./renamed.js";

/**
 * Completes every cluster, in parallel. The issuers must be known before any resource is registered: they determine the
 * number of roles in an account and the names of its OIDC providers.
 *
 * @throws pulumi.RunError when an EKS cluster has no valid OIDC issuer
 */
export function describeClusters(clusters: readonly ClusterSettings[]): Promise<DescribedCluster[]> {
  return Promise.all(
    clusters.map(async (cluster) => {
      const description = needsEks(cluster) ? await describe(cluster) : undefined;
      return { ...cluster, issuerUrl: cluster.issuerUrl ?? description!.issuerUrl, description };
    }),
  );
}

async function describe(cluster: ClusterSettings): Promise<EksDescription> {
  const { name, previousName, eksName, region, accountId, profile } = cluster;
  const provider = awsProvider(`${name}/eks`, { profile: profile!, accountId, region }, renamed(previousName, "/eks"));
  const found = await aws.eks.getCluster({ name: eksName }, { provider });
  const issuerUrl = found.identities[0]?.oidcs[0]?.issuer;
  const { pattern, expected } = rules.oidcIssuerUrl;
  // The issuer becomes part of ARNs and condition keys of trust policies, as one from the config does.
  if (issuerUrl === undefined || !pattern.test(issuerUrl)) {
    throw new pulumi.RunError(
      `clusters: EKS cluster ${eksName} in ${region} (account ${accountId}) has ${issuerUrl === undefined ? "no OIDC issuer" : `the OIDC issuer "${issuerUrl}"`}. Expected ${expected}. Set oidcIssuerUrl.`,
    );
  }
  return { issuerUrl, endpoint: found.endpoint, certificateAuthority: found.certificateAuthorities[0]?.data ?? "" };
}

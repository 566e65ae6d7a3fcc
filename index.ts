/**
 * Read-only eyes for HolmesGPT on many AWS accounts: an image, a role per account, a server per cluster.
 * Everything is driven by the stack config (docs/config.md); config/load.ts is its only reader.
 */
import * as pulumi from "@pulumi/pulumi";
import { McpDeployment } from "./components/mcpDeployment.js";
import { McpImage } from "./components/mcpImage.js";
import { accountProvider, ecrProvider } from "./components/providers.js";
import { SourceCluster } from "./components/sourceCluster.js";
import { TargetAccount } from "./components/targetAccount.js";
import { loadSettings } from "./config/load.js";
import { stackOutputs } from "./documents/outputs.js";

const settings = await loadSettings();
for (const warning of settings.warnings) pulumi.log.warn(warning);

// Source clusters: whose service accounts are trusted, and where the server runs.
const clusters = await SourceCluster.all(settings.clusters);

// Target accounts: OIDC providers and the read-only role, through a provider that refuses every other account.
const accounts = settings.targetAccounts
  .filter(({ manage }) => manage)
  .map((account) => new TargetAccount({ settings, account, clusters, provider: accountProvider(account) }));

// The image: given, or built and pushed.
const mcpImage = new McpImage(settings, ecrProvider(settings));

// The server, in every cluster that deploys it, and the check that every account answers through it.
for (const cluster of clusters.filter(({ provider }) => provider !== undefined)) {
  new McpDeployment({ settings, cluster, clusters, image: mcpImage.reference, accounts });
}

export const image = mcpImage.reference;
export const { roleArns, endpoints, holmes } = stackOutputs(settings, clusters);

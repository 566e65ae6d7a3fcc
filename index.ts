/**
 * Read-only eyes for HolmesGPT on many AWS accounts: an image, a role per account, a server per cluster.
 * Everything is driven by the stack config (docs/config.md); config/load.ts is its only reader.
 */
import * as pulumi from "@pulumi/pulumi";
import { McpDeployment } from "./components/mcpDeployment.js";
import { McpImage } from "./components/mcpImage.js";
import { Organization } from "./components/organization.js";
import { accountProvider, ecrProvider } from "./components/providers.js";
import { SourceCluster } from "./components/sourceCluster.js";
import { TargetAccount } from "./components/targetAccount.js";
import { loadSettings } from "./config/load.js";
import { stackOutputs } from "./documents/outputs.js";
import { profilesByCluster } from "./documents/profiles.js";

const settings = await loadSettings();
for (const warning of settings.warnings) pulumi.log.warn(warning);

// Source clusters: whose service accounts are trusted, and where the server runs.
const clusters = await SourceCluster.all(settings.clusters);

// Target accounts: OIDC providers and the read-only role, through a provider that refuses every other account.
const accounts = settings.targetAccounts
  .filter(({ manage }) => manage)
  .map((account) => new TargetAccount({ settings, account, clusters, provider: accountProvider(account) }));

// Accounts by the hundred: the same through a StackSet of their organization.
const organizations = settings.organization ? [new Organization(settings, settings.organization, clusters)] : [];

// The image: given, or built and pushed.
const mcpImage = new McpImage(settings, ecrProvider(settings));

// Each account as a profile of the server, with the role that trusts the server's cluster.
const profiles = profilesByCluster(settings, clusters);

// The server, in every cluster that deploys it, and the check that every account answers through it.
for (const cluster of clusters.filter(({ provider }) => provider !== undefined)) {
  new McpDeployment({
    settings,
    cluster,
    profiles: profiles.get(cluster.name)!,
    image: mcpImage.reference,
    accounts: [...accounts, ...organizations],
  });
}

export const image = mcpImage.reference;
export const { roleArns, endpoints, holmes } = stackOutputs(settings, profiles);

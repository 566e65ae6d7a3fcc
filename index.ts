/** Read-only AWS access for HolmesGPT: an image, a role in every account, a server in every cluster. */
import * as pulumi from "@pulumi/pulumi";
import { describeClusters } from "./components/eks.js";
import { requireSignature } from "./components/imageSignature.js";
import { McpDeployment } from "./components/mcpDeployment.js";
import { McpImage } from "./components/mcpImage.js";
import { Organization } from "./components/organization.js";
import { awsProvider } from "./components/providers.js";
import { renamed } from "./components/renamed.js";
import { SourceCluster } from "./components/sourceCluster.js";
import { TargetAccount } from "./components/targetAccount.js";
import { loadSettings } from "./config/load.js";
import { profilesByCluster } from "./config/profiles.js";
import * as args from "./documents/componentArgs.js";
import { kubernetesAccess } from "./documents/kubeconfig.js";
import { stackOutputs } from "./documents/outputs.js";
import { workloadOf } from "./documents/workload.js";

const settings = await loadSettings();
for (const warning of settings.warnings) pulumi.log.warn(warning);
await requireSignature(settings.image);
const clusters = await describeClusters(settings.clusters);
const ecr = args.ecrAccess(settings);
const mcpImage = new McpImage("image", args.imageArgs(settings), { provider: ecr && awsProvider("image/ecr", ecr) });

// The roles that the server assumes: per account, or by a StackSet for the accounts of an organization.
const managed = settings.targetAccounts.filter(({ manage }) => manage);
const accounts: pulumi.Resource[] = managed.map((account) => {
  const { profile, previousProfile: old } = account;
  const provider = awsProvider(`${profile}/aws`, args.accountAccess(settings, account), renamed(old, "/aws"));
  return new TargetAccount(profile, args.targetAccountArgs(settings, account, clusters), { provider, ...renamed(old) });
});
const { organization } = settings;
if (organization !== undefined) {
  const opts = { provider: awsProvider("organization/stackset", organization) };
  accounts.push(new Organization("organization", args.organizationArgs(settings, organization, clusters), opts));
}

// The server in every cluster that deploys it, verified through every account.
const profiles = profilesByCluster(settings, clusters);
for (const cluster of clusters) {
  const { name, issuerUrl, previousName: old } = cluster;
  const { provider } = new SourceCluster(name, { issuerUrl, access: kubernetesAccess(cluster) }, renamed(old));
  if (provider === undefined) continue;
  const workload = workloadOf(settings, cluster, profiles.get(name)!, mcpImage.reference);
  new McpDeployment(name, { workload, accounts }, { provider });
}

export const image = mcpImage.reference;
export const { roleArns, endpoints, holmes } = stackOutputs(settings, profiles);

/** The plan as files: every document that the program would place, for reading and for comparing between commits. */
import { stringify } from "yaml";
import { issuerUrl } from "../../config/limits.js";
import { trustClusters, trustRoles } from "../../config/profiles.js";
import type { HolmesConfig } from "../../documents/holmes.js";
import { provisioningPolicy, readingHalf } from "../../policies/provisioning.js";
import type { Evaluation } from "../common/evaluate.js";
import { topology } from "./topology.js";

/** Kinds in an order that kubectl can apply. */
const kinds = [
  "Namespace",
  "ServiceAccount",
  "Secret",
  "ConfigMap",
  "NetworkPolicy",
  "Service",
  "Deployment",
  "PodDisruptionBudget",
  "Job",
];

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** `plan.json`: every resource, secrets masked. */
export function planJson({ stack, resources, warnings }: Evaluation): string {
  return json({
    stack,
    warnings,
    resources: resources.map(({ urn, type, name, parent, provider, inputs, importId, retainOnDelete }) => ({
      urn,
      type,
      name,
      parent,
      provider,
      import: importId,
      retainOnDelete: retainOnDelete || undefined,
      inputs,
    })),
  });
}

/** Kubernetes objects of one cluster, by the name of its provider. */
function manifestsOf({ resources }: Evaluation, provider: string): Record<string, unknown>[] {
  return resources
    .filter((resource) => resource.provider === provider && resource.type.startsWith("kubernetes:"))
    .map(({ inputs }) => inputs)
    .sort((a, b) => kinds.indexOf(String(a.kind)) - kinds.indexOf(String(b.kind)));
}

/** Path to content of every file of the plan. */
export function planFiles(evaluation: Evaluation): Map<string, string> {
  const { settings, clusters, outputs } = evaluation;
  const { roleName, policyName, path } = settings.iam;
  const files = new Map([
    ["plan.json", planJson(evaluation)],
    ["topology.md", topology(evaluation)],
  ]);
  // Trust and permission policies of every role, also of accounts with `manage: false`, for their owners.
  for (const account of settings.targetAccounts) {
    for (const { name, document } of trustRoles(settings, account, clusters)) {
      const folder = `accounts/${account.profile}/${name}`;
      files.set(`${folder}/trust-policy.json`, json(document));
      for (const policy of account.permissions.policies)
        files.set(`${folder}/${policy.name}.json`, json(policy.document));
    }
  }
  // Permissions of the roles that run `pulumi up` and `pulumi preview` in each managed account. Only EKS knows the
  // issuer of a cluster that is looked up: every issuer of its region.
  const known = settings.clusters.map((one) => ({ ...one, issuerUrl: one.issuerUrl ?? issuerUrl(one.region, "*") }));
  for (const account of settings.targetAccounts.filter(({ manage }) => manage)) {
    const { profile, partition, accountId, permissionsBoundaryArn: permissionsBoundary } = account;
    const trusted = trustClusters(known.filter(({ name }) => account.clusters.includes(name)));
    const issuers = trusted.flatMap((cluster) => cluster.issuers);
    const names = { partition, accountId, roleName, policyName, path };
    const up = provisioningPolicy({ ...names, issuers, permissionsBoundary });
    files.set(`provisioning/${profile}/up.json`, json(up));
    files.set(`provisioning/${profile}/preview.json`, json(readingHalf(up)));
  }
  for (const { name } of settings.clusters.filter(({ deploy }) => deploy)) {
    const documents = manifestsOf(evaluation, `${name}/kubernetes`).map((object) =>
      stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
    );
    files.set(`clusters/${name}/manifests.yaml`, documents.join("---\n"));
  }
  for (const [cluster, holmes] of Object.entries(outputs.holmes as Record<string, HolmesConfig>)) {
    if (holmes.mcpServers !== undefined) files.set(`holmes/${cluster}/mcp-servers.yaml`, holmes.mcpServers);
    files.set(`holmes/${cluster}/helm-values.yaml`, holmes.helmValues);
    files.set(`holmes/${cluster}/robusta-values.yaml`, holmes.robustaValues);
  }
  return files;
}

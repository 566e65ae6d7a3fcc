/** The plan as files: every document that the program would place, for reading and for comparing between commits. */
import { stringify } from "yaml";
import { issuerUrl } from "../../config/limits.js";
import type { HolmesConfig } from "../../documents/holmes.js";
import { trustClusters, trustRoles } from "../../documents/profiles.js";
import { provisioningPolicy, readingHalf } from "../../policies/provisioning.js";
import { roleNameFor } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";
import type { Evaluation, Registered } from "../common/evaluate.js";
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
      ...(parent === undefined ? {} : { parent }),
      ...(provider === undefined ? {} : { provider }),
      ...(importId === undefined ? {} : { import: importId }),
      ...(retainOnDelete ? { retainOnDelete } : {}),
      inputs,
    })),
  });
}

/** Kubernetes objects of one cluster, by the name of its provider. */
function manifestsOf({ resources }: Evaluation, provider: string): Record<string, unknown>[] {
  const rank = ({ inputs }: Registered) => kinds.indexOf(String(inputs.kind));
  return resources
    .filter((resource) => resource.provider === provider && resource.type.startsWith("kubernetes:"))
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    .map(({ inputs }) => inputs);
}

/** Path to content of every file of the plan. */
export function planFiles(evaluation: Evaluation): Map<string, string> {
  const files = new Map<string, string>([
    ["plan.json", planJson(evaluation)],
    ["topology.md", topology(evaluation)],
  ]);
  for (const [path, document] of [...rolePolicies(evaluation), ...provisioningPolicies(evaluation)]) {
    files.set(path, json(document));
  }
  for (const { name } of evaluation.settings.clusters.filter(({ deploy }) => deploy)) {
    const documents = manifestsOf(evaluation, `${name}/kubernetes`).map((object) =>
      stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
    );
    files.set(`clusters/${name}/manifests.yaml`, documents.join("---\n"));
  }
  for (const [cluster, holmes] of Object.entries(evaluation.outputs.holmes as Record<string, HolmesConfig>)) {
    if (holmes.mcpServers !== undefined) files.set(`holmes/${cluster}/mcp-servers.yaml`, holmes.mcpServers);
    files.set(`holmes/${cluster}/helm-values.yaml`, holmes.helmValues);
    files.set(`holmes/${cluster}/robusta-values.yaml`, holmes.robustaValues);
  }
  return files;
}

/** Trust and permission policies of every role, also of accounts with `manage: false`, for their owners. */
function rolePolicies({ settings, clusters }: Evaluation): [path: string, document: PolicyDocument][] {
  return settings.targetAccounts.flatMap((account) =>
    trustRoles(settings, account, clusters).flatMap(({ number, document: trust }) => {
      const folder = `accounts/${account.profile}/${roleNameFor(settings.iam.roleName, number)}`;
      const permissions = account.permissions.policies.map(({ name, document }) => [name, document] as const);
      return [["trust-policy", trust] as const, ...permissions].map(([name, document]): [string, PolicyDocument] => [
        `${folder}/${name}.json`,
        document,
      ]);
    }),
  );
}

/** Permissions of the roles that run `pulumi up` and `pulumi preview` in each managed account. */
function provisioningPolicies({ settings, clusters }: Evaluation): [path: string, document: PolicyDocument][] {
  const { roleName, policyName, path } = settings.iam;
  // Only EKS knows the issuer of a cluster that is looked up: every issuer of its region.
  const known = clusters.map((cluster, index) =>
    settings.clusters[index]!.issuerUrl === undefined
      ? { ...cluster, issuerUrl: issuerUrl(cluster.region, "*") }
      : cluster,
  );
  return settings.targetAccounts
    .filter(({ manage }) => manage)
    .flatMap(({ profile, partition, accountId, permissionsBoundaryArn: boundary, clusters: trusted }) => {
      const issuers = trustClusters(known.filter(({ name }) => trusted.includes(name))).flatMap(
        ({ issuers }) => issuers,
      );
      const own = boundary === undefined ? {} : { permissionsBoundary: boundary };
      const up = provisioningPolicy({ partition, accountId, roleName, policyName, path, issuers, ...own });
      return [
        [`provisioning/${profile}/up.json`, up],
        [`provisioning/${profile}/preview.json`, readingHalf(up)],
      ] as [string, PolicyDocument][];
    });
}

/** The plan as a tree: components, their resources, and the provider of each. */
import { issuerPath } from "../../config/settings.js";
import { INLINE_POLICIES_LIMIT, MANAGED_POLICY_LIMIT, policySize } from "../../policies/size.js";
import { issuersOf } from "../../policies/trust.js";
import type { Evaluation, Registered } from "./evaluate.js";
import { type Paint, plain } from "./terminal.js";

/** Formats the tree, warnings and totals. */
export function planTree(evaluation: Evaluation, paint: Paint = plain): string {
  const { resources, settings, stack, warnings } = evaluation;
  const components = resources.filter(({ type, parent }) => parent === undefined && type.startsWith("holmes-aws-mcp:"));
  const kinds = ["SourceCluster", "TargetAccount", "Organization", "McpImage", "McpDeployment"];
  const rank = (component: Registered) => kinds.indexOf(kindOf(component));
  // In config order within each kind.
  const names = [
    ...settings.clusters.flatMap(({ name }) => [name, `${name}/mcp`]),
    ...settings.targetAccounts.map(({ profile }) => profile),
  ];
  components.sort((a, b) => rank(a) - rank(b) || names.indexOf(a.name) - names.indexOf(b.name));
  const unmanaged = settings.targetAccounts.filter(({ manage }) => !manage);
  return [
    `${stack}: resources that pulumi up creates in an empty environment (nothing was contacted)`,
    ...components.flatMap((component, index) => branch(evaluation, component, "", index === components.length - 1)),
    ...unmanaged.map(
      ({ profile, accountId }) =>
        `   account ${profile}  ${accountId}, managed outside this stack; the ARN of its role follows from the names`,
    ),
    "",
    ...warnings.map((warning) => `${paint("yellow", "warning:")} ${warning}`),
    totals(resources),
  ].join("\n");
}

function branch(evaluation: Evaluation, resource: Registered, indent: string, last: boolean): string[] {
  const children = evaluation.resources
    .filter(({ parent, type }) => parent === resource.urn && !type.startsWith("pulumi:providers:"))
    .sort((a, b) => Number(a.custom) - Number(b.custom) || kindOf(a).localeCompare(kindOf(b), "en"));
  const line = `${indent}${last ? "└─" : "├─"} ${describe(evaluation, resource)}`;
  const inner = `${indent}${last ? "   " : "│  "}`;
  return [line, ...children.flatMap((child, index) => branch(evaluation, child, inner, index === children.length - 1))];
}

const kindOf = ({ type }: Registered) => type.split(":").at(-1)!;

function describe(evaluation: Evaluation, resource: Registered): string {
  const { settings } = evaluation;
  const { open, name, importId } = resource;
  const taken = importId === undefined ? "" : "  (imported)";
  switch (kindOf(resource)) {
    case "SourceCluster": {
      const cluster = settings.clusters.find((item) => item.name === name)!;
      const issuer = cluster.issuerUrl ?? "issuer looked up from EKS at up";
      return `cluster ${name}  ${cluster.region}, account ${cluster.accountId}${cluster.deploy ? "" : ", trusted only"}  ${issuer}`;
    }
    case "TargetAccount": {
      const account = settings.targetAccounts.find(({ profile }) => profile === name)!;
      const access = account.assumeRole === undefined ? `profile ${name}` : `role ${account.assumeRole.roleArn}`;
      const existing = account.existingOidcProviders
        .map((cluster) => `; the OIDC provider of ${cluster} is managed outside this stack`)
        .join("");
      return `account ${name}  ${account.accountId}, ${account.region}, through ${access}${existing}`;
    }
    case "OpenIdConnectProvider":
      return `OIDC provider of ${clusterOf(evaluation, String(open.url))}${taken}${resource.retainOnDelete ? "  (kept at destroy)" : ""}`;
    case "Role": {
      const trust = JSON.parse(String(open.assumeRolePolicy));
      const trusted = [...new Set(issuersOf(trust).map((issuer) => clusterOf(evaluation, issuer)))].join(", ");
      return `role ${open.name}  trusts ${trusted}; trust policy ${policySize(trust)} of ${settings.iam.trustPolicyLimit} characters${taken}`;
    }
    case "RolePolicy":
      return `inline policy ${open.name} of role ${open.role}  ${policySize(JSON.parse(String(open.policy)))} of ${INLINE_POLICIES_LIMIT} characters${taken}`;
    case "Policy":
      return `managed policy ${open.name}  ${policySize(JSON.parse(String(open.policy)))} of ${MANAGED_POLICY_LIMIT} characters`;
    case "RolePolicyAttachment":
      return `attachment of ${String(open.policyArn).split("/").at(-1)} to role ${open.role}`;
    case "RolePoliciesExclusive":
      return `removal of other inline policies of role ${open.roleName}`;
    case "RolePolicyAttachmentsExclusive":
      return `removal of other attachments of role ${open.roleName}`;
    case "McpImage":
      return settings.image.build === undefined
        ? `image ${settings.image.prebuilt ?? "(none)"}`
        : "image, built from image/";
    case "McpDeployment":
      return `MCP server  ${settings.mcp.transport}, ${settings.mcp.replicas} replica${settings.mcp.replicas === 1 ? "" : "s"}  [${name.replace(/\/mcp$/, "")}]`;
    default:
      return `${kindOf(resource)}  ${nameOf(open) ?? name}${resource.provider === undefined ? "" : `  [${resource.provider}]`}`;
  }
}

/** Name of the cluster of an issuer, which is a URL with or without `https://`. */
function clusterOf({ clusters }: Evaluation, issuer: string): string {
  const path = issuerPath(issuer);
  for (const { name, issuerUrl, previousIssuers } of clusters) {
    if (issuerPath(issuerUrl) === path) return name;
    if (previousIssuers.map(issuerPath).includes(path)) return `${name} (previous issuer)`;
  }
  return path;
}

function nameOf(open: Record<string, unknown>): unknown {
  const { name, namespace } = (open.metadata ?? {}) as { name?: string; namespace?: string };
  if (name !== undefined) return namespace === undefined ? name : `${namespace}/${name}`;
  return open.name ?? open.imageName ?? open.role;
}

function totals(resources: readonly Registered[]): string {
  const of = (prefix: string) => resources.filter(({ type }) => type.startsWith(prefix)).length;
  return [
    `${resources.length} resources: ${of("aws:")} AWS, ${of("kubernetes:")} Kubernetes, ${of("docker:")} Docker`,
    `${of("holmes-aws-mcp:")} components, ${of("pulumi:providers:")} providers (${of("pulumi:providers:aws")} AWS provider processes)`,
  ].join("; ");
}

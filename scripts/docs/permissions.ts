/** The parts of docs/permissions.md and docs/provisioning-policy.md that follow from the policies themselves. */
import type { Catalogue, CatalogueAction } from "../../policies/catalogue.js";
import { billedCalls, groups, optionalGroupIds, optionalGroups, type ServiceGroup } from "../../policies/groups.js";
import {
  globalActions,
  homeRegionActions,
  homeRegions,
  type PermissionOptions,
  perimeterActions,
  permissionPolicies,
} from "../../policies/permissions.js";
import { ecrProvisioningPolicy, eksReadingPolicy, provisioningPolicy } from "../../policies/provisioning.js";
import { reviewedActions, reviewedReads } from "../../policies/reviewed.js";
import { type SensitiveCategory, sensitivePatterns, sensitiveReads } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";
import { page, table } from "./page.js";

/** Paths of the documents, relative to the project folder. */
export const permissionsPath = "docs/permissions.md";
export const provisioningPath = "docs/provisioning-policy.md";

const LEVELS = ["List", "Read", "Write", "Tagging", "Permissions management"] as const;

/** Renders docs/permissions.md. Its parts depend only on the catalogue. */
export function permissionsDocument(catalogue: Catalogue): string {
  return page(permissionsPath, {
    summary: summary(catalogue),
    ...serviceGroups(catalogue),
    "billed-calls": table(
      ["Id", "Group", "Actions", "Billed", "Prices"],
      billedCalls.map(({ id, group, actions, title, unit, prices }) => [
        code([id]),
        code([group]),
        code(actions),
        `${title}: ${unit}`,
        `<${prices}>`,
      ]),
    ),
    "sensitive-reads": denied(catalogue),
    "lambda-and-ecs": [
      "```yaml",
      "holmes-aws-mcp:iam:",
      "  sensitiveReadsExcept:",
      ...lambdaAndEcs.map((pattern) => `    - ${pattern}`),
      "```",
    ].join("\n"),
    "perimeter-actions": code(perimeterActions),
    "global-actions": code(globalActions),
    "home-region-actions": code(homeRegionActions),
    "home-regions": table(
      ["Partition", "Home regions"],
      Object.entries(homeRegions).map(([partition, names]) => [code([partition]), code(names)]),
    ),
    "reviewed-actions": table(
      ["Action", "Level in the catalogue", "Reason"],
      reviewedActions.map(({ action, reason }) => [
        code([action]),
        catalogue.matching(action)[0]?.level ?? "unknown",
        reason,
      ]),
    ),
    "reviewed-reads": table(
      ["Reason", "Allowed"],
      reviewedReads.map(({ actions, reason }) => [reason, code(actions)]),
    ),
  });
}

/** The policies with the defaults of the stack config. */
function defaultPolicies(options: Partial<PermissionOptions> = {}) {
  return permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws", dataPerimeter: true, ...options })
    .policies;
}

function allowedBy(catalogue: Catalogue, options: Partial<PermissionOptions> = {}): CatalogueAction[] {
  return allowedActions(
    defaultPolicies(options).map(({ document }) => document),
    catalogue.actions,
  );
}

function summary(catalogue: Catalogue): string {
  const [policy] = defaultPolicies();
  const optional = defaultPolicies({ additionalPolicyGroups: optionalGroupIds });
  const actions = allowedBy(catalogue);
  const services = new Set(actions.map(({ service }) => service));
  return table(
    ["Default permission policy", ""],
    [
      ["Allowed actions", actions.length],
      ["Services", services.size],
      ["Service groups", groups.length],
      ["Size of the inline policy", `${policy!.size} of at most ${policy!.limit} characters, not counting white space`],
      [
        "With every optional group",
        `${optional.length} managed policies of at most ${optional[0]!.limit} characters each`,
      ],
      ["Action catalogue", catalogue.version],
    ],
  );
}

function serviceGroups(catalogue: Catalogue): Record<"groups" | "optional-groups" | "group-actions", string> {
  const actions = allowedBy(catalogue, { additionalPolicyGroups: optionalGroupIds });
  const own = (group: ServiceGroup) => {
    const covered = new Set(
      group.actions.flatMap((pattern) => catalogue.matching(pattern)).map(({ action }) => action),
    );
    return actions.filter(({ action }) => covered.has(action));
  };
  const overview = (list: readonly ServiceGroup[]) =>
    table(
      ["Group", "Content", "Services", "Actions"],
      list.map((group) => {
        const members = own(group);
        const services = new Set(members.map(({ service }) => service));
        return [`[\`${group.id}\`](#${anchor(group.title)})`, group.description, services.size, members.length];
      }),
    );
  return {
    groups: overview(groups),
    "optional-groups": overview(optionalGroups),
    "group-actions": [...groups, ...optionalGroups]
      .flatMap((group) => [`## ${group.title}`, group.description, ...groupTables(own(group), catalogue)])
      .join("\n\n"),
  };
}

function groupTables(members: CatalogueAction[], catalogue: Catalogue): string[] {
  const services = [...new Set(members.map(({ service }) => service))];
  const of = (service: string, level: string) =>
    members.filter((action) => action.service === service && action.level === level);
  const used = LEVELS.filter((level) => members.some((action) => action.level === level));
  return [
    table(
      ["Service", "Prefix", ...used],
      services.map((service) => [
        catalogue.serviceName(service),
        code([service]),
        ...used.map((level) => of(service, level).length),
      ]),
    ),
    "<details><summary>Every action</summary>",
    table(
      ["Prefix", "Level", "Actions"],
      services.flatMap((service) =>
        used
          .filter((level) => of(service, level).length > 0)
          .map((level) => [
            code([service]),
            level,
            of(service, level)
              .map(({ action }) => action.slice(service.length + 1))
              .sort()
              .join(", "),
          ]),
      ),
    ),
    "</details>",
  ];
}

function denied(catalogue: Catalogue): string {
  const titles: Record<SensitiveCategory, string> = {
    credentials: "Credentials",
    secrets: "Secrets",
    "customer data": "Customer data",
  };
  const open = new Set(allowedBy(catalogue, { sensitiveReads: "allow" }).map(({ action }) => action));
  const covered = (patterns: readonly string[]) =>
    patterns.flatMap((pattern) => catalogue.matching(pattern)).map(({ action }) => action);
  return (Object.keys(titles) as SensitiveCategory[])
    .flatMap((category) => [
      `### ${titles[category]}`,
      table(
        ["Pattern", "Actions", "Reason", "Opened by `allow`"],
        sensitiveReads
          .filter((entry) => entry.category === category)
          .map(({ actions, resources, reason }) => [
            code(actions),
            code(covered(actions)) +
              (resources === undefined ? "" : ` on ${code(resources.map((one) => `arn:aws:${one}`))}`),
            reason,
            covered(actions).filter((action) => open.has(action)).length,
          ]),
      ),
    ])
    .join("\n\n");
}

/** Patterns of `iam.sensitiveReadsExcept` that open the reads of Lambda functions and ECS task definitions. */
const lambdaAndEcs = sensitivePatterns.filter(
  (pattern) => /^(lambda:(GetFunction|List)|ecs:)/.test(pattern) && !pattern.includes("Microvm"),
);

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(" ");

function anchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}

/** Renders docs/provisioning-policy.md. */
export function provisioningDocument(): string {
  const partition = "aws";
  const accountId = "111122223333";
  const names = { partition, accountId, roleName: "EKSMultiAccountMCPRole", policyName: "MCPReadOnlyPolicy" };
  const bounded = provisioningPolicy({
    ...names,
    permissionsBoundary: `arn:${partition}:iam::${accountId}:policy/Boundary`,
  });
  const json = (document: PolicyDocument) => ["```json", JSON.stringify(document, null, 2), "```"].join("\n");
  return page(provisioningPath, {
    "target-account": json(provisioningPolicy(names)),
    boundary: json({ ...bounded, Statement: bounded.Statement.filter(({ Condition }) => Condition !== undefined) }),
    ecr: json(ecrProvisioningPolicy({ partition, accountId, region: "eu-west-1", repository: "holmes-aws-mcp" })),
    eks: json(eksReadingPolicy({ partition, accountId, clusters: [{ name: "prod", region: "eu-west-1" }] })),
  });
}

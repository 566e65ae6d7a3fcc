/** The parts of docs/permissions.md and docs/provisioning-policy.md that follow from the policies themselves. */
import type { Catalogue, CatalogueAction } from "../../policies/catalogue.js";
import { groups, optionalGroupIds, optionalGroups, type ServiceGroup } from "../../policies/groups.js";
import {
  globalActions,
  homeRegionActions,
  homeRegions,
  type PermissionOptions,
  perimeterActions,
  permissionPolicies,
} from "../../policies/permissions.js";
import { provisioningPolicy } from "../../policies/provisioning.js";
import { reviewedActions } from "../../policies/reviewed.js";
import { sensitiveReads } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";
import { table } from "./page.js";

const LEVELS = ["List", "Read", "Write", "Tagging", "Permissions management"] as const;

/** The parts of docs/permissions.md. They depend only on the catalogue. */
export const permissionsParts = (catalogue: Catalogue) => ({
  summary: summary(catalogue),
  ...serviceGroups(catalogue),
  "sensitive-reads": denied(catalogue),
  "perimeter-actions": code(perimeterActions),
  "global-actions": code(globalActions),
  "home-region-actions": code(homeRegionActions),
  "home-regions": table(
    ["Partition", "Home regions"],
    Object.entries(homeRegions).map(([partition, names]) => [code([partition]), code(names)]),
  ),
  "reviewed-actions": table(
    ["Action", "Level in the catalogue", "Reason"],
    reviewedActions.flatMap(({ actions, reason }) =>
      actions.map((action) => [code([action]), catalogue.matching(action)[0]!.level, reason]),
    ),
  ),
});

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

/** Names of the actions that match a pattern. */
const covered = (catalogue: Catalogue, patterns: readonly string[]) =>
  patterns.flatMap((pattern) => catalogue.matching(pattern)).map(({ action }) => action);

const servicesOf = (actions: readonly CatalogueAction[]) => [...new Set(actions.map(({ service }) => service))];

function summary(catalogue: Catalogue): string {
  const { size, limit } = defaultPolicies()[0]!;
  return table(
    ["Default permission policy", ""],
    [
      ["Allowed actions", allowedBy(catalogue).length],
      ["Size of the inline policy", `${size} of at most ${limit} characters, not counting white space`],
      ["Action catalogue", catalogue.version],
    ],
  );
}

function serviceGroups(catalogue: Catalogue) {
  const actions = allowedBy(catalogue, { additionalPolicyGroups: optionalGroupIds });
  const own = (group: ServiceGroup) => {
    const members = new Set(covered(catalogue, group.actions));
    return actions.filter(({ action }) => members.has(action));
  };
  const overview = (list: readonly ServiceGroup[]) =>
    table(
      ["Group", "Content", "Services", "Actions"],
      list.map((group) => {
        const members = own(group);
        return [`[\`${group.id}\`](#${group.id})`, group.description, servicesOf(members).length, members.length];
      }),
    );
  return {
    groups: overview(groups),
    "optional-groups": overview(optionalGroups),
    "group-actions": [...groups, ...optionalGroups]
      .flatMap((group) => [
        `## ${group.id}`,
        group.description,
        "<details><summary>Every action</summary>",
        actionTable(own(group), catalogue),
        "</details>",
      ])
      .join("\n\n"),
  };
}

const actionTable = (members: readonly CatalogueAction[], catalogue: Catalogue) =>
  table(
    ["Service", "Prefix", "Level", "Actions"],
    servicesOf(members).flatMap((service) =>
      LEVELS.flatMap((level) => {
        const actions = members.filter((action) => action.service === service && action.level === level);
        const names = actions.map(({ action }) => action.slice(service.length + 1)).sort();
        return names.length === 0 ? [] : [[catalogue.serviceName(service), code([service]), level, names.join(", ")]];
      }),
    ),
  );

function denied(catalogue: Catalogue): string {
  const open = new Set(allowedBy(catalogue, { sensitiveReads: "allow" }).map(({ action }) => action));
  return table(
    ["Category", "Pattern", "Actions", "Reason", "Opened by `allow`"],
    sensitiveReads.map(({ category, actions, resources = [], reason }) => {
      const names = covered(catalogue, actions);
      const on = resources.length === 0 ? "" : ` on ${code(resources.map((one) => `arn:aws:${one}`))}`;
      return [category, code(actions), code(names) + on, reason, names.filter((action) => open.has(action)).length];
    }),
  );
}

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(" ");

/** The parts of docs/provisioning-policy.md. */
export function provisioningParts() {
  const account = { partition: "aws", accountId: "111122223333" };
  const names = { ...account, roleName: "EKSMultiAccountMCPRole", policyName: "MCPReadOnlyPolicy" };
  const bounded = provisioningPolicy({ ...names, permissionsBoundary: "arn:aws:iam::111122223333:policy/Boundary" });
  const json = (document: PolicyDocument) => ["```json", JSON.stringify(document, null, 2), "```"].join("\n");
  return {
    "target-account": json(provisioningPolicy(names)),
    boundary: json({ ...bounded, Statement: bounded.Statement.filter(({ Condition }) => Condition !== undefined) }),
  };
}

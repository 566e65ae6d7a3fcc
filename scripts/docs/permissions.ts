/** Renders docs/permissions.md and docs/provisioning-policy.md from the policies themselves. */
import type { Catalogue, CatalogueAction } from "../../policies/catalogue.js";
import { groups, type ServiceGroup } from "../../policies/groups.js";
import { globalActions, type PermissionOptions, permissionPolicies } from "../../policies/permissions.js";
import { ecrProvisioningPolicy, eksReadingPolicy, provisioningPolicy } from "../../policies/provisioning.js";
import { reviewedActions } from "../../policies/reviewed.js";
import { keptReads, type SensitiveCategory, sensitiveReads } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";

/** Where the documents belong, from the project's folder. */
export const permissionsPath = "docs/permissions.md";
export const provisioningPath = "docs/provisioning-policy.md";

const LEVELS = ["List", "Read", "Write", "Tagging", "Permissions management"] as const;

/** What the role may do: the whole document; the same for the same catalogue. */
export function permissionsDocument(catalogue: Catalogue): string {
  return [
    ...introduction(catalogue),
    ...allowed(catalogue),
    ...review(catalogue),
    ...denied(catalogue),
    ...exceptions(),
    "",
  ]
    .join("\n")
    .replace(/\n{3,}/g, "\n\n");
}

function defaultPlan(options: Partial<PermissionOptions> = {}) {
  return permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws", ...options });
}

function allowedByDefault(catalogue: Catalogue, options: Partial<PermissionOptions> = {}): CatalogueAction[] {
  return allowedActions(
    defaultPlan(options).policies.map(({ document }) => document),
    catalogue.actions,
  );
}

function introduction(catalogue: Catalogue): string[] {
  const [policy] = defaultPlan().policies;
  const actions = allowedByDefault(catalogue);
  const services = new Set(actions.map(({ service }) => service));
  return [
    "# What the role may do",
    "",
    "<!-- Generated from policies/ by `npm run docs`. Do not edit. -->",
    "",
    `The default permission policy allows ${count(actions.length, "action")} of ${count(services.size, "service")}, by`,
    `${count(groups.length, "service group")}. It has ${policy!.size} of ${policy!.limit} characters that an inline policy may have (white`,
    "space is not counted); with more actions than fit it becomes several managed policies of at most 6144 characters,",
    `split by service group. Action catalogue: ${catalogue.version}.`,
    "",
    "- Every allowed action is _Read_ or _List_ in AWS's own catalogue **and** named by a reading verb, or it stands on the",
    "  [reviewed list](#reviewed-actions) with its reason. The tests compare the policy with every action that AWS has, and",
    "  fail when a newer catalogue lets something new in.",
    "- What hands out credentials, secrets or customers' data is [denied explicitly](#denied-sensitive-reads), so that a policy that",
    '  somebody attaches to the role cannot open it. `iam.sensitiveReads: "allow"` removes the denials.',
    "- A group is switched off by its id in `iam.disabledPolicyGroups`; `iam.additionalActions` adds actions;",
    "  `iam.policyFile` (or `policyFile` of a target account) replaces the groups by a policy of your own. The denials stay",
    "  in front of each of them.",
    "",
  ];
}

function allowed(catalogue: Catalogue): string[] {
  const actions = allowedByDefault(catalogue);
  const own = (group: ServiceGroup) => {
    const covered = new Set(
      group.actions.flatMap((pattern) => catalogue.matching(pattern)).map(({ action }) => action),
    );
    return actions.filter(({ action }) => covered.has(action));
  };
  const overview = groups.map((group) => {
    const members = own(group);
    const services = new Set(members.map(({ service }) => service));
    return [`[\`${group.id}\`](#${anchor(group.title)})`, group.description, services.size, members.length];
  });
  return [
    "## Service groups",
    "",
    ...table(["Group", "What an investigation sees", "Services", "Actions"], overview),
    "",
    ...groups.flatMap((group) => [
      `## ${group.title}`,
      "",
      group.description,
      "",
      ...groupTables(own(group), catalogue),
    ]),
  ];
}

function groupTables(members: CatalogueAction[], catalogue: Catalogue): string[] {
  const services = [...new Set(members.map(({ service }) => service))];
  const of = (service: string, level: string) =>
    members.filter((action) => action.service === service && action.level === level);
  const used = LEVELS.filter((level) => members.some((action) => action.level === level));
  return [
    ...table(
      ["Service", "Prefix", ...used],
      services.map((service) => [
        catalogue.serviceName(service),
        `\`${service}\``,
        ...used.map((level) => of(service, level).length),
      ]),
    ),
    "",
    "<details><summary>Every action</summary>",
    "",
    ...table(
      ["Prefix", "Level", "Actions"],
      services.flatMap((service) =>
        used
          .filter((level) => of(service, level).length > 0)
          .map((level) => [
            `\`${service}\``,
            level,
            of(service, level)
              .map(({ action }) => action.slice(service.length + 1))
              .sort()
              .join(", "),
          ]),
      ),
    ),
    "",
    "</details>",
    "",
  ];
}

function review(catalogue: Catalogue): string[] {
  const level = (action: string) => catalogue.matching(action)[0]?.level ?? "unknown";
  return [
    "## Reviewed actions",
    "",
    "Allowed although their level or their name does not say that they only look. Each was looked at by a person.",
    "",
    ...table(
      ["Action", "Level in the catalogue", "Why it is allowed"],
      reviewedActions.map(({ action, reason }) => [`\`${action}\``, level(action), reason]),
    ),
    "",
  ];
}

function denied(catalogue: Catalogue): string[] {
  const titles: Record<SensitiveCategory, string> = {
    credentials: "Credentials",
    secrets: "Secrets",
    "customer data": "Customers' data",
  };
  const open = new Set(allowedByDefault(catalogue, { sensitiveReads: "allow" }).map(({ action }) => action));
  const names = (patterns: readonly string[]) =>
    patterns
      .flatMap((pattern) => catalogue.matching(pattern))
      .map(({ action }) => `\`${action}\``)
      .join(" ");
  const opens = (patterns: readonly string[]) => {
    const covered = patterns.flatMap((pattern) => catalogue.matching(pattern));
    return covered.filter(({ action }) => open.has(action)).length;
  };
  return [
    "## Denied: sensitive reads",
    "",
    "Statement `DenySensitiveReads`, in the first permission policy. The last column counts the actions that the service",
    'groups would allow without it (`iam.sensitiveReads: "allow"`); the others are denied for the case that somebody attaches',
    "a further policy. `iam.sensitiveReadsExcept` leaves single ones open, by the pattern in the first column.",
    "",
    ...(Object.keys(titles) as SensitiveCategory[]).flatMap((category) => [
      `### ${titles[category]}`,
      "",
      ...table(
        ["Pattern", "Actions", "Why", "Opened by `allow`"],
        sensitiveReads
          .filter((entry) => entry.category === category)
          .map(({ actions, resources, reason }) => [
            actions.map((pattern) => `\`${pattern}\``).join(" "),
            names(actions) +
              (resources === undefined ? "" : ` on ${resources.map((one) => `\`arn:aws:${one}\``).join(" ")}`),
            reason,
            opens(actions),
          ]),
      ),
      "",
    ]),
    "### Kept on purpose",
    "",
    "These can carry data, or sound as if they did, and stay allowed.",
    "",
    ...table(
      ["Allowed", "Why"],
      keptReads.map(({ actions, reason }) => [actions.map((action) => `\`${action}\``).join(" "), reason]),
    ),
    "",
  ];
}

function exceptions(): string[] {
  return [
    "## Allowed regions",
    "",
    "With `iam.allowedRegions` set, the statement `DenyOtherRegions` denies every other region, to attached policies as well.",
    "Exempt are the global services, which answer from one region whatever the caller names, and the calls that find one's way:",
    "",
    globalActions.map((action) => `\`${action}\``).join(" "),
    "",
    "Metrics of CloudFront, Route 53 and billing are in `us-east-1`: name it too if Holmes should see them.",
    "",
    "## Left out",
    "",
    "The policy of the shell script that this program replaces allowed these too:",
    "",
    ...table(
      ["Left out", "Why"],
      [
        ["`evidently:*`, `waf:*`, `aws-portal:View*`", "AWS has retired them."],
        [
          "`logs:StartLiveTail`, `logs:StopLiveTail`",
          "Hold a session open that no MCP call can read; queries and log events stay.",
        ],
        ["`cloudformation:Detect*`, `cloudformation:Estimate*`", "Start work."],
        ["`redshift:View*`", "`ViewQueriesInConsole` may end queries, `ViewQueriesFromConsole` shows their results."],
        ["`states:GetActivityTask`", "Takes work from a worker."],
        ["`eks:AccessKubernetesApi`", "The console's view of a cluster; Holmes asks Kubernetes itself."],
        ["`s3-object-lambda:*`", "Nothing but objects."],
        [
          "`rds:DownloadCompleteDBLogFile`",
          "`DownloadDBLogFilePortion` reads the same files, and the AWS CLI calls it.",
        ],
        ["`account:Get*` but for regions and names", "Addresses and phone numbers of the account's owners."],
        ["`billing:Get*` but for bills and credits", "Contracts and support charges."],
      ],
    ),
    "",
  ];
}

function table(head: string[], rows: (string | number)[][]): string[] {
  const line = (cells: (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

function anchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** What whoever runs `pulumi up` needs in each account: the whole document. */
export function provisioningDocument(): string {
  const partition = "aws";
  const accountId = "111122223333";
  const names = { partition, accountId, roleName: "EKSMultiAccountMCPRole", policyName: "MCPReadOnlyPolicy" };
  const json = (document: PolicyDocument) => ["```json", JSON.stringify(document, null, 2), "```", ""];
  return [
    "# Least privileges for `pulumi up`",
    "",
    "<!-- Generated from policies/provisioning.ts by `npm run docs`. Do not edit. -->",
    "",
    "The policies below hold what the program's own resources and look-ups call, on the names that they have. Give them to",
    "the person or pipeline behind each profile (or to the role in `assumeRole`). They are shown for account `111122223333`",
    "and the default names; replace the account, the partition (`aws-cn`, `aws-us-gov`), and the names if `iam.roleName`,",
    "`iam.policyName` or `iam.path` differ. The tests check every action against AWS's catalogue.",
    "",
    "Whoever may write the permissions of a role can give it any: without a permissions boundary, these privileges are as",
    "good as an administrator's for somebody who can also take the role. Prefer the bounded form.",
    "",
    "## In a target account",
    "",
    "OIDC providers of EKS, the role(s) and their policies, and what `npm run doctor` reads. With `organization`, the",
    "StackSet makes these resources and no profile of a target account is needed.",
    "",
    ...json(provisioningPolicy(names)),
    "With `iam.permissionsBoundary`, one statement changes: roles can be made and given permissions only while they carry the",
    "boundary, and it cannot be taken off.",
    "",
    ...json({
      Version: "2012-10-17",
      Statement: provisioningPolicy({
        ...names,
        permissionsBoundary: `arn:${partition}:iam::${accountId}:policy/Boundary`,
      }).Statement.filter(({ Condition }) => Condition !== undefined),
    }),
    "## In the account of the image's ECR repository",
    "",
    "Only with `image.build` into ECR: the repository with its policies, and the push.",
    "",
    ...json(ecrProvisioningPolicy({ partition, accountId, region: "eu-west-1", repository: "holmes-aws-mcp" })),
    "## In the account of a cluster",
    "",
    "Only where `profile` of a cluster is set, to look up its issuer, endpoint and authority. What may be done in the cluster",
    "is decided by its access entries.",
    "",
    ...json(eksReadingPolicy({ partition, accountId, clusters: [{ name: "prod", region: "eu-west-1" }] })),
  ].join("\n");
}

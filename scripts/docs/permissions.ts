/** Renders docs/permissions.md and docs/provisioning-policy.md from the policies themselves. */
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
import { type SensitiveCategory, sensitiveReads } from "../../policies/sensitiveReads.js";
import { allowedActions } from "../../policies/simulate.js";
import type { PolicyDocument } from "../../policies/types.js";

/** Paths of the documents, relative to the project folder. */
export const permissionsPath = "docs/permissions.md";
export const provisioningPath = "docs/provisioning-policy.md";

const LEVELS = ["List", "Read", "Write", "Tagging", "Permissions management"] as const;

/** Renders docs/permissions.md. The result depends only on the catalogue. */
export function permissionsDocument(catalogue: Catalogue): string {
  return [
    ...introduction(catalogue),
    ...allowed(catalogue),
    ...billed(),
    ...denied(catalogue),
    ...openLambdaAndEcs(),
    ...perimeter(),
    ...regions(),
    ...review(catalogue),
    ...omitted(),
    "",
  ]
    .join("\n")
    .replace(/\n{3,}/g, "\n\n");
}

/** The policies with the defaults of the stack config. */
function defaultPlan(options: Partial<PermissionOptions> = {}) {
  return permissionPolicies({ policyName: "MCPReadOnlyPolicy", partition: "aws", dataPerimeter: true, ...options });
}

function allowedBy(catalogue: Catalogue, options: Partial<PermissionOptions> = {}): CatalogueAction[] {
  return allowedActions(
    defaultPlan(options).policies.map(({ document }) => document),
    catalogue.actions,
  );
}

function introduction(catalogue: Catalogue): string[] {
  const [policy] = defaultPlan().policies;
  const actions = allowedBy(catalogue);
  const services = new Set(actions.map(({ service }) => service));
  return [
    "# Permissions of the role",
    "",
    "<!-- Generated from policies/ by `npm run docs`. Do not edit. -->",
    "",
    `The default permission policy allows ${count(actions.length, "action")} of ${count(services.size, "service")} in`,
    `${count(groups.length, "service group")}. It is one inline policy with ${policy!.size} of at most ${policy!.limit} characters, not counting`,
    "white space. Larger permissions become managed policies of at most 6144 characters each, split by service group.",
    `Action catalogue: ${catalogue.version}.`,
    "",
    "- Each allowed action has the level _Read_ or _List_ in the AWS catalogue **and** a name that begins with a reading verb, or",
    "  it is a [reviewed action](#reviewed-actions). Tests compare the policy with every action of the catalogue, and fail when",
    "  a newer catalogue adds an allowed action that is not reviewed.",
    "- Each allowed action was compared with the API models of botocore. If its response has a member that is marked sensitive, or",
    "  is named like code, data or secrets, the action is denied, or it is a [reviewed read](#reviewed-reads).",
    "- Reads that return credentials, secrets or customer data are [explicitly denied](#denied-sensitive-reads). A policy that is",
    '  attached to the role outside this stack cannot allow them. `iam.sensitiveReads: "allow"` removes the Deny.',
    "- `iam.disabledPolicyGroups` disables service groups by id, and `iam.additionalPolicyGroups` adds optional groups.",
    "  `iam.additionalActions` adds actions. `iam.policyFile`, or `policyFile` of a target account, replaces the groups with a",
    "  custom policy. The Deny statements apply in each case.",
    "",
  ];
}

function allowed(catalogue: Catalogue): string[] {
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
  const optional = defaultPlan({ additionalPolicyGroups: optionalGroupIds }).policies;
  return [
    "## Service groups",
    "",
    ...overview(groups),
    "",
    "## Optional groups",
    "",
    "These groups are off by default. `iam.additionalPolicyGroups` adds them, for example `[ses, sagemaker]`. They allow metadata",
    "only. With an optional group, the permissions exceed one inline policy. The next `pulumi up` then deletes the inline policy",
    `and attaches managed policies to the role (${optional.length} with every optional group). The role itself is not replaced.`,
    "",
    ...overview(optionalGroups),
    "",
    ...[...groups, ...optionalGroups].flatMap((group) => [
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

/** Renders the calls that AWS bills, with their switches. */
function billed(): string[] {
  return [
    "## Calls that AWS bills",
    "",
    "AWS bills these calls to the account that they read, without an upper limit. Add the id to `iam.disabledPolicyGroups` to omit",
    "the actions from the policy. The id of the group omits them with the rest of the group. Prices depend on the region. Budgets",
    "and Cost Anomaly Detection report unexpected usage.",
    "",
    ...table(
      ["Id", "Group", "Actions", "Billed", "Prices"],
      billedCalls.map(({ id, group, actions, title, unit, prices }) => [
        `\`${id}\``,
        `\`${group}\``,
        code(actions),
        `${title}: ${unit}`,
        `<${prices}>`,
      ]),
    ),
    "",
    "AWS also bills `cloudwatch:GetMetricData`, `cloudwatch:GetMetricWidgetImage` (per metric requested) and",
    "`cloudwatch:GetInsightRuleReport` from the first call, and requests to S3, AWS KMS, Secrets Manager, X-Ray, Cloud Map,",
    "Performance Insights and the EBS direct APIs, some of them above a free tier. One call has a limited cost. Disable the group",
    "to omit them.",
    "",
  ];
}

function review(catalogue: Catalogue): string[] {
  const level = (action: string) => catalogue.matching(action)[0]?.level ?? "unknown";
  return [
    "## Reviewed actions",
    "",
    "These actions are allowed although their level or name does not identify them as read-only.",
    "",
    ...table(
      ["Action", "Level in the catalogue", "Reason"],
      reviewedActions.map(({ action, reason }) => [`\`${action}\``, level(action), reason]),
    ),
    "",
    "## Reviewed reads",
    "",
    "The response or the name of these reads suggests sensitive content. They are allowed for the reason stated.",
    "",
    ...table(
      ["Reason", "Allowed"],
      reviewedReads.map(({ actions, reason }) => [reason, code(actions)]),
    ),
    "",
  ];
}

function denied(catalogue: Catalogue): string[] {
  const titles: Record<SensitiveCategory, string> = {
    credentials: "Credentials",
    secrets: "Secrets",
    "customer data": "Customer data",
  };
  const open = new Set(allowedBy(catalogue, { sensitiveReads: "allow" }).map(({ action }) => action));
  const covered = (patterns: readonly string[]) =>
    patterns.flatMap((pattern) => catalogue.matching(pattern)).map(({ action }) => action);
  return [
    "## Denied: sensitive reads",
    "",
    "The statement `DenySensitiveReads` is in the first permission policy. The last column counts the actions that the service",
    'groups allow without it (`iam.sensitiveReads: "allow"`). The other actions are denied so that a policy that is managed',
    "outside this stack cannot allow them. `iam.exclusivePolicies` removes such policies. `iam.sensitiveReadsExcept` allows single",
    "patterns of the first column.",
    "",
    ...(Object.keys(titles) as SensitiveCategory[]).flatMap((category) => [
      `### ${titles[category]}`,
      "",
      ...table(
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
      "",
    ]),
  ];
}

/** Patterns of `iam.sensitiveReadsExcept` that open the reads of Lambda functions and ECS task definitions. */
const lambdaAndEcs = sensitiveReads
  .flatMap(({ actions }) => actions)
  .filter((pattern) => /^(lambda:(GetFunction|List)|ecs:)/.test(pattern) && !pattern.includes("Microvm"));

function openLambdaAndEcs(): string[] {
  return [
    "### Example: open Lambda and ECS",
    "",
    "Investigations of functions and tasks are easier with their configuration. This stack config allows it. Environment variables",
    "become readable in plain text, so first move secrets from environment variables to Secrets Manager or Parameter Store.",
    "",
    "```yaml",
    "holmes-aws-mcp:iam:",
    "  sensitiveReadsExcept:",
    ...lambdaAndEcs.map((pattern) => `    - ${pattern}`),
    "```",
    "",
  ];
}

function perimeter(): string[] {
  return [
    "## Data perimeter",
    "",
    "With `iam.dataPerimeter` (default `true`), the statement `DenyOtherAccounts` denies these actions on resources that another",
    "account owns (`aws:ResourceAccount` differs from `aws:PrincipalAccount`), and does not affect calls without a resource:",
    "",
    code(perimeterActions),
    "",
    "The resource policies of these services can allow calls from any account. A prompt injection could otherwise send data to",
    "another account in the names or parameters of a call, which the owner of the resource logs.",
    "",
    "- What it breaks: reads across accounts, such as images in a central registry, a central log bucket, a shared secret or a KMS",
    "  key of another account. Read them with the profile of the account that owns the resource. If that account cannot be a",
    "  target account, set `iam.dataPerimeter: false`.",
    "- What it does not cover: EventBridge and Amazon EBS, which do not support `aws:ResourceAccount`, and CloudWatch and CloudWatch",
    "  Logs, so that a monitoring account can read its source accounts. The server's network policy and its log of every call are",
    "  the other controls.",
    "- AWS KMS is limited to reads of keys, because AWS services use keys on behalf of the caller.",
    "",
  ];
}

function regions(): string[] {
  return [
    "## Allowed regions",
    "",
    "With `iam.allowedRegions`, the statement `DenyOtherRegions` denies calls to all other regions, also if another policy allows",
    "them. It does not apply to global services, whose endpoints are in one region, and to actions that discovery requires:",
    "",
    code(globalActions),
    "",
    "Global resources have tags, quotas, recommendations and Multi-Region Access Points only in the home regions of the partition.",
    "The statement `DenyOtherRegionsExceptHome` denies these actions outside the allowed regions and the home regions:",
    "",
    code(homeRegionActions),
    "",
    ...table(
      ["Partition", "Home regions"],
      Object.entries(homeRegions).map(([partition, names]) => [`\`${partition}\``, code(names)]),
    ),
    "",
    "All other calls about global resources require their region in `iam.allowedRegions`: metrics and logs of CloudFront, Route 53",
    "and billing (`us-east-1`), CloudFormation stacks and AWS Config records of global resources, and the aggregator index of",
    "Resource Explorer.",
    "",
  ];
}

function omitted(): string[] {
  return [
    "## Omitted",
    "",
    "The policy of the legacy script also allows these actions:",
    "",
    ...table(
      ["Omitted", "Reason"],
      [
        ["`evidently:*`, `waf:*`, `aws-portal:View*`", "AWS has retired them."],
        [
          "`logs:StartLiveTail`, `logs:StopLiveTail`",
          "Keep a session open that no MCP call can read. Queries and log events remain available.",
        ],
        ["`cloudformation:Detect*`, `cloudformation:Estimate*`", "Start operations."],
        [
          "`redshift:View*`",
          "`ViewQueriesInConsole` can cancel queries, `ViewQueriesFromConsole` shows their results.",
        ],
        ["`states:GetActivityTask`", "Takes a task from a worker."],
        ["`eks:AccessKubernetesApi`", "Cluster view of the console. Holmes reads from Kubernetes directly."],
        ["`s3-object-lambda:*`", "Returns only objects."],
        [
          "`rds:DownloadCompleteDBLogFile`",
          "`DownloadDBLogFilePortion` reads the same files, and the AWS CLI calls it.",
        ],
        ["`account:Get*`, except regions and names", "Addresses and phone numbers of the account's owners."],
        ["`billing:Get*`, except bills and credits", "Contracts and support charges."],
      ],
    ),
    "",
  ];
}

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(" ");

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

/** Renders docs/provisioning-policy.md. */
export function provisioningDocument(): string {
  const partition = "aws";
  const accountId = "111122223333";
  const names = { partition, accountId, roleName: "EKSMultiAccountMCPRole", policyName: "MCPReadOnlyPolicy" };
  const json = (document: PolicyDocument) => ["```json", JSON.stringify(document, null, 2), "```", ""];
  return [
    "# Least-privilege policies for `pulumi up`",
    "",
    "<!-- Generated from policies/provisioning.ts by `npm run docs`. Do not edit. -->",
    "",
    "These policies allow the API calls of the program's resources and look-ups, limited to the names of these resources. Attach",
    "them to the user or pipeline behind each profile, or to the role in `assumeRole`. The examples use account `111122223333`",
    "and the default names. Replace the account, the partition (`aws-cn`, `aws-us-gov`), and the names if you set `iam.roleName`,",
    "`iam.policyName` or `iam.path`. Tests compare each action with the AWS catalogue.",
    "",
    "A principal that can write the permissions of a role and assume the role has every permission. Use the form with a",
    "permissions boundary to prevent this.",
    "",
    "## In a target account",
    "",
    "OIDC providers of EKS, the roles and their policies, and the reads of `npm run doctor`. With `organization`, the StackSet",
    "creates these resources, and the target accounts need no profile.",
    "",
    ...json(provisioningPolicy(names)),
    "With `iam.permissionsBoundary`, one statement changes. Roles can be created and changed only with the boundary, and the boundary",
    "cannot be removed.",
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
    "Only with `image.build` and an ECR repository: the repository with its policies, and the push.",
    "",
    ...json(ecrProvisioningPolicy({ partition, accountId, region: "eu-west-1", repository: "holmes-aws-mcp" })),
    "## In the account of a cluster",
    "",
    "Only if `profile` of a cluster is set, to look up its issuer, endpoint and certificate authority. Permissions in the cluster",
    "depend on its access entries.",
    "",
    ...json(eksReadingPolicy({ partition, accountId, clusters: [{ name: "prod", region: "eu-west-1" }] })),
  ].join("\n");
}

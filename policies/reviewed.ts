/** Actions that the default policy allows although neither their level nor their name says that they only look. */
export interface ReviewedAction {
  /** One action, no pattern: what a new catalogue brings has to be looked at by a person. */
  action: string;
  reason: string;
}

/** Names that begin so only look; what is Read or List by the catalogue but named otherwise is reviewed one by one. */
export const readingVerbs = ["BatchGet", "Describe", "Get", "List"] as const;

export const reviewedActions: readonly ReviewedAction[] = [
  {
    action: "access-analyzer:CheckAccessNotGranted",
    reason: "Answers whether a given policy text grants something; stores nothing.",
  },
  { action: "access-analyzer:CheckNoNewAccess", reason: "Compares two given policy texts; stores nothing." },
  {
    action: "access-analyzer:CheckNoPublicAccess",
    reason: "Answers whether a given policy text is public; stores nothing.",
  },
  { action: "access-analyzer:ValidatePolicy", reason: "Checks a given policy text; stores nothing." },
  { action: "aps:QueryMetrics", reason: "Reads metrics from a Prometheus workspace." },
  {
    action: "backup:ListIndexedRecoveryPointsForSearch",
    reason: "A listing, although the catalogue calls it permissions management.",
  },
  {
    action: "budgets:ViewBudget",
    reason: "Reads budgets; AWS names it View because the API checks it in place of Describe.",
  },
  { action: "cloudtrail:LookupEvents", reason: "Reads the last 90 days of management events: who changed what." },
  { action: "config:SelectAggregateResourceConfig", reason: "Reads recorded configuration by a query." },
  { action: "config:SelectResourceConfig", reason: "Reads recorded configuration by a query." },
  { action: "ec2:SearchLocalGatewayRoutes", reason: "Reads routes by filter." },
  { action: "ec2:SearchTransitGatewayMulticastGroups", reason: "Reads multicast groups by filter." },
  { action: "ec2:SearchTransitGatewayRoutes", reason: "Reads routes by filter." },
  { action: "ecr:BatchCheckLayerAvailability", reason: "Answers which layers exist; hands out none." },
  { action: "events:TestEventPattern", reason: "Matches a given event against a given pattern; stores nothing." },
  {
    action: "iam:GenerateCredentialReport",
    reason: "Makes IAM compile the report that GetCredentialReport reads; holds no credentials, changes no identity.",
  },
  {
    action: "iam:GenerateServiceLastAccessedDetails",
    reason: "Makes IAM compile when an identity last used which service; changes no identity.",
  },
  { action: "iam:SimulateCustomPolicy", reason: "Evaluates given policies without calling the service." },
  { action: "iam:SimulatePrincipalPolicy", reason: "Evaluates an identity's policies without calling the service." },
  { action: "logs:FilterLogEvents", reason: "Reads log events by filter." },
  {
    action: "logs:StartQuery",
    reason: "Starts a Logs Insights query, the usual way to search logs; costs by data scanned, changes nothing.",
  },
  {
    action: "logs:StopQuery",
    reason: "Ends a Logs Insights query, so that a costly one need not run on; cannot touch anything else.",
  },
  { action: "logs:TestMetricFilter", reason: "Matches given log lines against a given pattern; stores nothing." },
  {
    action: "rds:DownloadDBLogFilePortion",
    reason: "Reads a part of a database's log file: the slow query and error logs.",
  },
  { action: "resource-explorer-2:Search", reason: "Finds resources by text." },
  { action: "resource-groups:SearchResources", reason: "Finds resources by tag query." },
  { action: "route53:TestDNSAnswer", reason: "Answers what Route 53 would answer; changes no record." },
  { action: "servicediscovery:DiscoverInstances", reason: "Reads the instances of a Cloud Map service." },
  { action: "servicediscovery:DiscoverInstancesRevision", reason: "Reads the revision of a Cloud Map service." },
  {
    action: "sts:DecodeAuthorizationMessage",
    reason: "Decodes the reason of an AccessDenied; the catalogue calls it Write, it changes nothing.",
  },
];

/** Whether an action's name begins with a reading verb (`apigateway:GET` does too). */
export function hasReadingVerb(action: string): boolean {
  const name = action.slice(action.indexOf(":") + 1).toLowerCase();
  return readingVerbs.some((verb) => name.startsWith(verb.toLowerCase()));
}

const reviewed = new Set(reviewedActions.map(({ action }) => action));

/** Whether a person has looked at the action (in the catalogue's spelling) and found that it changes nothing. */
export const isReviewed = (action: string): boolean => reviewed.has(action);

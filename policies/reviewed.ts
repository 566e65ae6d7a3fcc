import { actionList } from "./actionList.js";

/** Exact actions, no patterns, because new actions in the catalogue require a review. */
export const reviews = (list: ReadonlyArray<readonly [reason: string, actions: string]>) =>
  list.map(([reason, actions]) => ({ reason, actions: actionList(actions) }));

/** Actions that the default policy allows, although level or name do not identify them as read-only. */
export const reviewedActions = reviews([
  [
    "Evaluates given policies. Stores nothing.",
    "access-analyzer CheckAccessNotGranted CheckNoNewAccess CheckNoPublicAccess ValidatePolicy",
  ],
  ["Evaluates policies without calling the services.", "iam SimulateCustomPolicy SimulatePrincipalPolicy"],
  ["Reads metrics from a Prometheus workspace.", "aps QueryMetrics"],
  [
    "Lists recovery points. The catalogue classifies it as permissions management.",
    "backup ListIndexedRecoveryPointsForSearch",
  ],
  ["Reads budgets. The API checks it instead of an action named Describe.", "budgets ViewBudget"],
  ["Reads the management events of the last 90 days: who changed what.", "cloudtrail LookupEvents"],
  ["Reads recorded configuration by a query.", "config SelectAggregateResourceConfig SelectResourceConfig"],
  [
    "Reads routes and multicast groups by a filter.",
    "ec2 SearchLocalGatewayRoutes SearchTransitGatewayMulticastGroups SearchTransitGatewayRoutes",
  ],
  ["Returns which image layers exist, without their content.", "ecr BatchCheckLayerAvailability"],
  [
    "Matches a given event or given log lines against a given pattern. Stores nothing.",
    "events TestEventPattern; logs TestMetricFilter",
  ],
  [
    "Starts the report that GetCredentialReport returns. Contains no credentials and changes no identity.",
    "iam GenerateCredentialReport",
  ],
  [
    "Starts the report on when an identity last used each service. Changes no identity.",
    "iam GenerateServiceLastAccessedDetails",
  ],
  ["Reads log events by a filter.", "logs FilterLogEvents"],
  [
    "Starts a Logs Insights query, the usual way to search logs. Changes nothing. AWS bills the data that it scans.",
    "logs StartQuery",
  ],
  ["Stops a Logs Insights query, to limit its cost. Affects nothing else.", "logs StopQuery"],
  ["Reads a part of a database log file: slow query and error logs.", "rds DownloadDBLogFilePortion"],
  ["Searches resources by text or tag query.", "resource-explorer-2 Search; resource-groups SearchResources"],
  ["Returns the response of Route 53 to a DNS query. Changes no record.", "route53 TestDNSAnswer"],
  [
    "Reads the instances of a Cloud Map service, or their revision.",
    "servicediscovery DiscoverInstances DiscoverInstancesRevision",
  ],
  [
    "Decodes the reason of an AccessDenied error. The catalogue classifies it as Write, but it changes nothing.",
    "sts DecodeAuthorizationMessage",
  ],
]);

const reviewed = new Set(reviewedActions.flatMap(({ actions }) => actions));

/** Whether a review found the action (in the catalogue's spelling) to be read-only. */
export const isReviewed = (action: string): boolean => reviewed.has(action);

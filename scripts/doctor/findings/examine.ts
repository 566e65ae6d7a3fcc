/** What an account's facts mean for the stack, each with what resolves it. Pure: facts in, findings out. */
import type { Settings, TargetAccountSettings } from "../../../config/settings.js";
import { oidcProviderArn } from "../../../policies/trust.js";
import { managedPolicies } from "../owner.js";
import type { Wanted } from "../readings.js";
import { type Examination, type Finding, problem, unread } from "./finding.js";
import { adviceLines } from "./lines.js";
import { boundaryFindings, managedPolicyFindings } from "./policies.js";
import { clusterFindings, judgeCluster, knownClusters } from "./providers.js";
import { providerQuota, trustQuota } from "./quotas.js";
import { judgeRole, roleFindings, rolesOf } from "./roles.js";

/** What must be read in an account for its findings. */
export function wantedOf(settings: Settings, account: TargetAccountSettings): Wanted {
  const { partition, accountId } = account;
  const issuers = knownClusters(settings, account).flatMap((cluster) => cluster.issuers);
  return {
    oidcProviders: issuers.map((issuer) => oidcProviderArn(partition, accountId, issuer)),
    roles: rolesOf(settings, account).map(({ name }) => name),
    managedPolicies: managedPolicies(account).map(
      (name) => `arn:${partition}:iam::${accountId}:policy${settings.iam.path}${name}`,
    ),
    boundaryArn: account.permissionsBoundaryArn,
  };
}

export function examine(examination: Examination): Finding[] {
  const { settings, account, facts } = examination;
  const { failure } = facts.allRoles;
  const roles = rolesOf(settings, account).map((role) => judgeRole(examination, role));
  const clusters = knownClusters(settings, account).map((cluster) => judgeCluster(examination, cluster, roles));
  const lines = adviceLines(examination, clusters, roles);
  return [
    ...interruptedFindings(examination),
    ...clusters.flatMap((cluster) => clusterFindings(examination, cluster, lines)),
    ...(failure ? [unread("other roles that trust the OIDC providers", failure)] : []),
    ...roles.flatMap((role) => roleFindings(examination, role, lines)),
    ...managedPolicyFindings(examination),
    ...boundaryFindings(examination),
    providerQuota(examination, clusters),
    trustQuota(examination, roles),
  ];
}

/** Resources that exist although the state knows only that their creation began. */
function interruptedFindings({ facts, state }: Examination): Finding[] {
  const found = [...facts.oidcProviders.values(), ...facts.roles.values(), ...facts.policies.values()];
  const message =
    "an interrupted update created it, but the state does not contain it: up would stop at EntityAlreadyExists";
  return found
    .flatMap(({ value }) => (value && state?.isPending(value.arn) ? [value.arn] : []))
    .map((arn) => problem(arn, "interrupted", message, { what: "Run the commands below." }));
}

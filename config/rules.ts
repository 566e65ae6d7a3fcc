import { accountRules } from "./rules/accounts.js";
import { clusterRules } from "./rules/clusters.js";
import { holmesRules } from "./rules/holmes.js";
import { iamRules } from "./rules/iam.js";
import { imageRules } from "./rules/image.js";
import { kubernetesRules } from "./rules/kubernetes.js";
import { mcpRules } from "./rules/mcp.js";
import { organizationRules } from "./rules/organization.js";
import type { Rule } from "./rules/rule.js";
import { verifyRules } from "./rules/verify.js";

/** Rules between keys, by the section that documents them. */
export const configRules: Readonly<Record<string, readonly Rule[]>> = {
  clusters: clusterRules,
  kubernetes: kubernetesRules,
  iam: iamRules,
  targetAccounts: accountRules,
  image: imageRules,
  mcp: mcpRules,
  holmes: holmesRules,
  verify: verifyRules,
  organization: organizationRules,
};

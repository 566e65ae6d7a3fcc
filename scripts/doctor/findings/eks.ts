/** Clusters that the program looks up in EKS: their issuer, and whether vpc-cni enforces NetworkPolicies. */
import type { ClusterSettings } from "../../../config/settings.js";
import type { AccountAccess } from "../accountAccess.js";
import { awsCommand, configLine } from "../advice.js";
import type { Reading } from "../readings.js";
import type { Finding } from "./finding.js";

/** @param cluster as the config has it */
export function issuerFinding(
  { name, region, accountId, issuerUrl }: ClusterSettings,
  found: Reading<string | undefined>,
): Finding {
  const subject = `cluster ${name}`;
  const spare = `oidcIssuerUrl and context in the config of ${name} avoid the look-up.`;
  if ("failure" in found) {
    const { call, code, message } = found.failure;
    return {
      level: "problem",
      code: "cluster-unread",
      subject,
      message: `${call}: ${code}: ${message}`,
      fix: { what: `Allow ${call} for the provisioning role: pulumi up needs it too. Or: ${spare}` },
    };
  }
  if (found.value === undefined) {
    return {
      level: "problem",
      code: "cluster-absent",
      subject,
      message: `does not exist in ${region} of account ${accountId}: up would fail before it creates resources`,
      fix: { what: `Correct name, region or profile of the cluster; ${spare}` },
    };
  }
  if (issuerUrl !== undefined && issuerUrl !== found.value) {
    return {
      level: "problem",
      code: "issuer-differs",
      subject,
      message: `its issuer is ${found.value}, but the config has ${issuerUrl}: STS would reject its tokens`,
      fix: {
        what: "The cluster was re-created: replace the issuer, and list the old one in previousIssuers while it is in use.",
        at: `clusters, name ${name}`,
        config: configLine("oidcIssuerUrl", found.value),
      },
    };
  }
  return { level: "ok", code: "cluster", subject, message: `issuer ${found.value}` };
}

/** @param found configuration of the add-on vpc-cni */
export function networkPolicyFinding(
  { name, eksName, region }: ClusterSettings,
  accountAccess: AccountAccess,
  found: Reading<string | undefined>,
): Finding {
  const subject = `NetworkPolicy in cluster ${name}`;
  if ("failure" in found) {
    const { call, code, message } = found.failure;
    return { level: "note", code: "network-policy", subject, message: `not checked: ${call}: ${code}: ${message}` };
  }
  if (found.value === undefined) {
    const message = "not checked: EKS does not manage vpc-cni here (EKS Auto Mode or another CNI)";
    return { level: "note", code: "network-policy", subject, message };
  }
  // The value is a text or a boolean.
  if (/"enableNetworkPolicy"\s*:\s*"?true/.test(found.value)) {
    return { level: "ok", code: "network-policy", subject, message: "enforced by vpc-cni" };
  }
  return {
    level: "note",
    code: "network-policy-off",
    subject,
    message: "vpc-cni does not enforce it: every pod in the cluster can reach the server",
    fix: {
      what: "Enable it, unless another CNI enforces NetworkPolicies. Keep the add-on's other settings in the command.",
      commands: [
        awsCommand(
          accountAccess,
          `eks update-addon --cluster-name ${eksName} --region ${region} --addon-name vpc-cni --configuration-values '{"enableNetworkPolicy":"true"}'`,
        ),
      ],
    },
  };
}

export function unknownIssuerFinding(name: string): Finding {
  return {
    level: "note",
    code: "issuer-unknown",
    subject: `cluster ${name}`,
    message: "its issuer is unknown, so its OIDC providers were not compared",
    fix: { what: "Fix the look-up first, or set the cluster's oidcIssuerUrl." },
  };
}

/** Clusters that the program looks up in EKS: their issuer, and whether vpc-cni enforces NetworkPolicies. */
import type { ClusterSettings } from "../../../config/settings.js";
import type { AccountAccess } from "../accountAccess.js";
import { awsCommand, configLine } from "../advice.js";
import type { Reading } from "../readings.js";
import { allowForUp, type Finding, failureText, note, ok, problem } from "./finding.js";

/** @param cluster as the config has it */
export function issuerFinding(
  { name, region, accountId, issuerUrl }: ClusterSettings,
  { failure, value: found }: Reading<string | undefined>,
): Finding {
  const subject = `cluster ${name}`;
  const spare = `oidcIssuerUrl and context in the config of ${name} avoid the look-up.`;
  if (failure) {
    return problem(subject, "cluster-unread", failureText(failure), { what: `${allowForUp(failure)} Or: ${spare}` });
  }
  if (found === undefined) {
    const message = `does not exist in ${region} of account ${accountId}: up would fail before it creates resources`;
    const what = `Correct name, region or profile of the cluster; ${spare}`;
    return problem(subject, "cluster-absent", message, { what });
  }
  if (issuerUrl === undefined || issuerUrl === found) return ok(subject, "cluster", `issuer ${found}`);
  const message = `its issuer is ${found}, but the config has ${issuerUrl}: STS would reject its tokens`;
  return problem(subject, "issuer-differs", message, {
    what: "The cluster was re-created: replace the issuer, and list the old one in previousIssuers while it is in use.",
    ...configLine(`clusters, name ${name}`, "oidcIssuerUrl", found),
  });
}

/** @param found configuration of the add-on vpc-cni */
export function networkPolicyFinding(
  { name, eksName, region }: ClusterSettings,
  access: AccountAccess,
  { failure, value: found }: Reading<string | undefined>,
): Finding {
  const subject = `NetworkPolicy in cluster ${name}`;
  if (failure) return note(subject, "network-policy", `not checked: ${failureText(failure)}`);
  if (found === undefined) {
    return note(
      subject,
      "network-policy",
      "not checked: EKS does not manage vpc-cni here (EKS Auto Mode or another CNI)",
    );
  }
  // The value is a text or a boolean.
  if (/"enableNetworkPolicy"\s*:\s*"?true/.test(found)) return ok(subject, "network-policy", "enforced by vpc-cni");
  const enable = `eks update-addon --cluster-name ${eksName} --region ${region} --addon-name vpc-cni --configuration-values '{"enableNetworkPolicy":"true"}'`;
  return note(
    subject,
    "network-policy-off",
    "vpc-cni does not enforce it: every pod in the cluster can reach the server",
    {
      what: "Enable it, unless another CNI enforces NetworkPolicies. Keep the add-on's other settings in the command.",
      commands: [awsCommand(access, enable)],
    },
  );
}

export const unknownIssuerFinding = ({ name }: ClusterSettings): Finding =>
  note(`cluster ${name}`, "issuer-unknown", "its issuer is unknown, so its OIDC providers were not compared", {
    what: "Fix the look-up first, or set the cluster's oidcIssuerUrl.",
  });

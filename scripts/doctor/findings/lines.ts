/** The config lines that fit an account. Each line is complete: pasting it fixes every finding about that key. */
import { accountKey, configLine } from "../advice.js";
import type { AdviceLines, Examination } from "./finding.js";
import type { JudgedCluster, Mode } from "./providers.js";
import { type JudgedRole, usable } from "./roles.js";

export function adviceLines(
  { account, settings }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): AdviceLines {
  const fitting = (mode: Mode) => clusters.filter((cluster) => cluster.fitting === mode).map(({ name }) => name);
  // Clusters with an unknown issuer keep their setting from the config.
  const kept = account.existingOidcProviders.filter(
    (name) => account.clusters.includes(name) && clusters.every((known) => known.name !== name),
  );
  const existing = [...fitting("existing"), ...kept];
  const adopted = fitting("adopted");
  const role = roles.map(usable)[0];
  const policy = role && (account.permissions.placement === "managed" || role.inline.has(settings.iam.policyName));
  const all = policy && adopted.length > 0 && adopted.length + existing.length === account.clusters.length;
  const parts = {
    oidcProviders: adopted.length === 0 ? undefined : adopted,
    role: role && true,
    policy: policy || undefined,
  };
  const at = accountKey(account);
  return {
    existing: configLine(at, "existingOidcProviders", existing),
    adopt: configLine(at, "adopt", all || (adopted.length > 0 || role ? parts : false)),
  };
}

/** The config lines that fit an account. Each line is complete: pasting it fixes every finding about that key. */
import { accountKey, configLine } from "../advice.js";
import type { AdviceLines, Examination } from "./finding.js";
import type { JudgedCluster } from "./providers.js";
import { type JudgedRole, usable } from "./roles.js";

export function adviceLines(
  { account, settings }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): AdviceLines {
  const named = (test: (cluster: JudgedCluster) => boolean) => clusters.filter(test).map(({ name }) => name);
  // Clusters with an unknown issuer keep their setting from the config.
  const known = named(() => true);
  const kept = account.existingOidcProviders.filter((name) => account.clusters.includes(name) && !known.includes(name));
  const existing = [...named(({ fitting }) => fitting === "existing"), ...kept];
  const adopted = named(({ fitting }) => fitting === "adopted");
  // A provider that the stack owns can be listed: adopt does not change it.
  const own = named(
    ({ fitting, providers }) => fitting === "made" && providers.every(({ verdict }) => verdict?.owner === "ours"),
  );
  const first = roles.find(({ wanted }) => wanted.number === 1);
  const found = first && usable(first);
  const role = found !== undefined && found.name === first?.wanted.name;
  const policy = role && (account.permissions.placement === "managed" || found.inline.has(settings.iam.policyName));
  const adoptable = adopted.length + own.length;
  const all = policy && adoptable > 0 && adoptable + existing.length === account.clusters.length;
  const parts = {
    oidcProviders: adopted.length === 0 ? undefined : adopted,
    role: role || undefined,
    policy: policy || undefined,
  };
  const at = accountKey(account);
  return {
    existing: configLine(at, "existingOidcProviders", existing),
    adopt: configLine(at, "adopt", all || (adopted.length > 0 || role ? parts : false)),
  };
}

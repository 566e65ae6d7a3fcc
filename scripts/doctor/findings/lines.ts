/** The config lines that fit an account. Each line is complete: pasting it fixes every finding about that key. */
import { accountKey, configLine } from "../advice.js";
import type { AdviceLines, Examination } from "./finding.js";
import type { JudgedCluster, Mode } from "./providers.js";
import { isForeign, type JudgedRole } from "./roles.js";

/** Complete lines: each covers all findings of the account about its key. */
export function adviceLines(
  { account, settings }: Examination,
  clusters: readonly JudgedCluster[],
  roles: readonly JudgedRole[],
): AdviceLines {
  const fitting = (mode: Mode) => clusters.filter((cluster) => cluster.fitting === mode).map(({ name }) => name);
  // Clusters with an unknown issuer keep their setting from the config.
  const unknown = account.clusters.filter((name) => !clusters.some((cluster) => cluster.name === name));
  const existing = [...fitting("existing"), ...unknown.filter((name) => account.existingOidcProviders.includes(name))];
  // A provider that the stack owns can be listed: adopt does not change it.
  const adoptable = clusters
    .filter(
      ({ fitting: mode, providers }) =>
        mode === "adopted" || (mode === "made" && providers.every(({ verdict }) => verdict?.owner === "ours")),
    )
    .map(({ name }) => name);
  const first = roles.find(({ wanted }) => wanted.number === 1);
  const role = first?.role !== undefined && !isForeign(first.verdict) && first.role.name === first.name;
  const policy =
    role && (account.permissions.placement === "managed" || first.role?.inline.has(settings.iam.policyName) === true);
  const all = role && policy && adoptable.length + existing.length === account.clusters.length && adoptable.length > 0;
  const line = (key: string, value: unknown) => ({ at: accountKey(account), config: configLine(key, value) });
  const adopted = fitting("adopted");
  const parts = {
    ...(adopted.length === 0 ? {} : { oidcProviders: adopted }),
    ...(role ? { role } : {}),
    ...(policy ? { policy } : {}),
  };
  return {
    existing: line("existingOidcProviders", existing),
    adopt: line("adopt", all || (Object.keys(parts).length === 0 ? false : parts)),
  };
}

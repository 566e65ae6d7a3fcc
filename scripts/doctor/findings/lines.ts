/** The config lines that fit an account. Each line is complete: pasting it fixes every finding about that key. */
import type { TargetAccountSettings } from "../../../config/settings.js";
import { accountKey, configLine, type Fix } from "../advice.js";
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
  return {
    existing: { at: accountKey(account), config: configLine("existingOidcProviders", existing) },
    adopt: all
      ? { at: accountKey(account), config: configLine("adopt", true) }
      : adoptLine(account, fitting("adopted"), role, policy),
  };
}

function adoptLine(
  account: TargetAccountSettings,
  oidcProviders: readonly string[],
  role: boolean,
  policy: boolean,
): Pick<Fix, "at" | "config"> {
  const parts = {
    ...(oidcProviders.length === 0 ? {} : { oidcProviders }),
    ...(role ? { role } : {}),
    ...(policy ? { policy } : {}),
  };
  return {
    at: accountKey(account),
    config: configLine("adopt", Object.keys(parts).length === 0 ? false : parts),
  };
}

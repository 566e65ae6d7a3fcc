import { doc, flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";
import { known, type Rule, row, rows, textOf } from "../rules.js";

export const verifySchema = object({
  enabled: doc(
    flag().default(true),
    "Whether `up` ends with a Job per cluster that asks for every account through the server.",
    false,
  ),
  timeoutSeconds: doc(integer(60, 1800, " of seconds").default(300), "How long the Job may take, in seconds.", 600),
  requireNetworkPolicy: doc(
    flag().default(false),
    "Whether `up` tries to reach the server from a pod without Holmes' labels, and fails when that succeeds: the cluster then does not enforce the NetworkPolicy.",
    true,
  ),
  skipProfiles: doc(
    set(text(rules.profile), "profiles").default([]),
    "Profiles that the Job leaves out, for instance while an account is sick.",
    ["sandbox"],
  ),
});

export const verifyRules: readonly Rule[] = [
  {
    says: "`skipProfiles` leaves at least one profile to verify.",
    check: (config, problems, _isSecret) => {
      if (row(config.organization).accountsFile !== undefined) return;
      const skipped = known(row(config.verify).skipProfiles);
      const profiles = rows(config.targetAccounts).flatMap(({ profile }) => textOf(profile) ?? []);
      if (profiles.length === 0 || !profiles.every((profile) => skipped.includes(profile))) return;
      problems.say(
        ["verify", "skipProfiles"],
        "every profile",
        "at least one profile to verify",
        "Set verify.enabled: false instead.",
      );
    },
  },
  {
    says: "`requireNetworkPolicy` needs `verify.enabled` and `mcp.networkPolicy.enabled`.",
    check: (config, problems, _isSecret) => {
      const { requireNetworkPolicy, enabled } = row(config.verify);
      const on = enabled !== false && row(row(config.mcp).networkPolicy).enabled !== false;
      if (requireNetworkPolicy !== true || on) return;
      problems.add(["verify", "requireNetworkPolicy"], true, "verify.enabled and mcp.networkPolicy.enabled beside it");
    },
  },
];

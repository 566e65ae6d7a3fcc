import { accountsOf, type Rule } from "./rule.js";

export const verifyRules: readonly Rule[] = [
  {
    says: "`skipProfiles` must not contain every profile.",
    check: (config, problems) => {
      const accounts = accountsOf(config);
      const { skipProfiles } = config.verify;
      if (accounts.length === 0 || config.organization?.accountsFile === null) return;
      if (!accounts.every(([, { profile }]) => skipProfiles.includes(profile))) return;
      const fix = "Set verify.enabled: false instead.";
      problems.say(["verify", "skipProfiles"], "every profile", "at least one profile to verify", fix);
    },
  },
  {
    says: "`requireNetworkPolicy` requires `verify.enabled` and `mcp.networkPolicy.enabled`.",
    check: ({ verify, mcp }, problems) => {
      if (!verify.requireNetworkPolicy || (verify.enabled !== false && mcp.networkPolicy.enabled !== false)) return;
      const expected = "verify.enabled: true and mcp.networkPolicy.enabled: true";
      problems.add(["verify", "requireNetworkPolicy"], true, expected);
    },
  },
];

import { hostedRegions } from "../sections/holmes.js";
import { type Rule, regionsOf } from "./rule.js";

export const holmesRules: readonly Rule[] = [
  {
    says: "With `hosted`, `hostedRegion` is required if the hosted server has no endpoint in the region of an account.",
    check: (config, problems) => {
      if (!config.holmes.hosted || config.holmes.hostedRegion !== undefined) return;
      const without = regionsOf(config).filter((region) => !(hostedRegions as readonly string[]).includes(region));
      if (without.length === 0) return;
      problems.say(
        ["holmes", "hostedRegion"],
        `no value, and accounts in ${[...new Set(without)].join(", ")}, where no endpoint exists`,
        `one of ${hostedRegions.join(", ")}`,
      );
    },
  },
  {
    says: "`hosted` requires `mcp.enabled: false`.",
    check: ({ holmes, mcp }, problems) => {
      if (!holmes.hosted || mcp.enabled === false) return;
      const expected = "mcp.enabled: false, because the hosted server replaces the MCP server of this stack";
      problems.add(["holmes", "hosted"], true, expected);
    },
  },
];

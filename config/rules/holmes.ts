import { hostedRegions } from "../sections/holmes.js";
import { known, type Rule } from "./rule.js";

export const holmesRules: readonly Rule[] = [
  {
    says: "With `hosted`, `hostedRegion` is required if the region of an account has no endpoint of the hosted server.",
    check: ({ holmes, clusters, targetAccounts }, problems) => {
      if (!holmes.hosted || holmes.hostedRegion !== undefined) return;
      const without = known(targetAccounts.map(({ region }) => region ?? clusters[0]?.region)).filter(
        (region) => !(hostedRegions as readonly string[]).includes(region),
      );
      if (without.length === 0) return;
      problems.say(
        ["holmes", "hostedRegion"],
        `nothing, and accounts in ${[...new Set(without)].join(", ")}, which have no endpoint`,
        `one of ${hostedRegions.join(", ")}`,
      );
    },
  },
  {
    says: "`hosted` only with `mcp.enabled: false`.",
    check: ({ holmes, mcp }, problems) => {
      if (!holmes.hosted || mcp.enabled === false) return;
      const expected = "mcp.enabled: false beside it, because the hosted server takes the place of ours";
      problems.add(["holmes", "hosted"], true, expected);
    },
  },
];

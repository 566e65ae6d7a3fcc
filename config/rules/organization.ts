import { exists, type Rule } from "./rule.js";

export const organizationRules: readonly Rule[] = [
  {
    says: "`existingOidcProviders` must contain names from `clusters` of the stack.",
    check: ({ organization, clusters }, problems) => {
      const names = clusters.map(({ name }) => name);
      for (const name of Object.keys(organization?.existingOidcProviders ?? {})) {
        exists(problems, ["organization", "existingOidcProviders", name], name, names, "a name in clusters");
      }
    },
  },
];

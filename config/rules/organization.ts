import { exists, keysOf, type Rule } from "./rule.js";

export const organizationRules: readonly Rule[] = [
  {
    says: "`existingOidcProviders` must contain names from `clusters` of the stack.",
    check: ({ organization, clusters }, problems) => {
      const names = clusters.map(({ name }) => name);
      const listed = keysOf(["organization", "existingOidcProviders"], organization?.existingOidcProviders ?? {});
      exists(problems, listed, names, "a name in clusters");
    },
  },
];

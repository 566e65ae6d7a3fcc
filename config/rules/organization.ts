import { exists, type Rule } from "./rule.js";

export const organizationRules: readonly Rule[] = [
  {
    says: "`existingOidcProviders` must contain names from `clusters` of the stack.",
    check: ({ organization, clusters }, problems) => {
      const listed = Object.keys(organization?.existingOidcProviders ?? {});
      const paths = listed.map((name) => [["organization", "existingOidcProviders", name], name] as const);
      const names = clusters.map(({ name }) => name);
      exists(problems, paths, names, "a name in clusters");
    },
  },
];

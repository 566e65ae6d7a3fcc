import { doc, filePath, flag, keyed, list, object, oneOf, set, text } from "../fields.js";
import { rules } from "../limits.js";
import { targetAccountSchema } from "./accounts.js";

export const organizationSchema = object({
  profile: doc(text(rules.profile), "AWS profile of the management or delegated administrator account.", "management"),
  accountId: doc(
    text(rules.accountId),
    "ID of that account, in quotes. The StackSet skips the management account. List it in `targetAccounts` too.",
    "111111111111",
  ),
  region: doc(text(rules.region), "Region of the StackSet, and the only region that it deploys to.", "us-east-1"),
  organizationalUnits: doc(
    set(text(rules.organizationalUnit), "organizational unit IDs").min(1, {
      error: "at least one organizational unit",
    }),
    "Organizational units in which the StackSet creates OIDC providers, roles and policies.",
    ["ou-abcd-11112222"],
  ),
  autoDeployment: doc(flag().default(true), "Whether the StackSet deploys to new accounts automatically.", false),
  callAs: doc(
    oneOf("SELF", "DELEGATED_ADMIN").default("SELF"),
    "`SELF` for the management account, `DELEGATED_ADMIN` for a delegated administrator account.",
    "DELEGATED_ADMIN",
  ),
  existingOidcProviders: doc(
    keyed(rules.clusterName, set(text(rules.accountId), "account IDs"), "a list of account IDs").default({}),
    "By cluster name: accounts in which the OIDC provider of the cluster already exists. The StackSet does not create it there.",
    { "prod-us-east-1": ["222222222222"] },
  ),
  accountsFile: doc(
    text(filePath).optional(),
    "YAML or JSON file with a list of `{profile, accountId, description, region}`: the accounts that the MCP server can read. Equivalent to `targetAccounts` with `manage: false`.",
    "accounts.yaml",
  ),
});

/** The accounts in `organization.accountsFile`, which the program does not manage. */
export const accountsFileSchema = list(
  targetAccountSchema.pick({ profile: true, accountId: true, description: true, region: true }),
  "accounts: profile, accountId, description, region",
);

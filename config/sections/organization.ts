import { doc, filePath, flag, keyed, list, object, oneOf, set, text } from "../fields.js";
import { rules } from "../limits.js";
import { targetAccountSchema } from "./accounts.js";

export const organizationSchema = object({
  profile: doc(text(rules.profile), "AWS profile of the management or delegated administrator account.", "management"),
  accountId: doc(
    text(rules.accountId),
    "Its account id, in quotes. The StackSet skips the management account: list it in `targetAccounts` too.",
    "111111111111",
  ),
  region: doc(
    text(rules.region),
    "Region that holds the StackSet, and the one region that it deploys to.",
    "us-east-1",
  ),
  organizationalUnits: doc(
    set(text(rules.organizationalUnit), "organizational unit ids").min(1, {
      error: "at least one organizational unit",
    }),
    "Where the StackSet makes providers, roles and policies.",
    ["ou-abcd-11112222"],
  ),
  autoDeployment: doc(flag().default(true), "Whether new accounts get them by themselves.", false),
  callAs: doc(
    oneOf("SELF", "DELEGATED_ADMIN").default("SELF"),
    "`DELEGATED_ADMIN` from a delegated administrator account.",
    "DELEGATED_ADMIN",
  ),
  existingOidcProviders: doc(
    keyed(rules.clusterName, set(text(rules.accountId), "account ids"), "lists of account ids").default({}),
    "By cluster: accounts that have its OIDC provider already; none is made there.",
    { "prod-us-east-1": ["222222222222"] },
  ),
  accountsFile: doc(
    text(filePath).optional(),
    "YAML or JSON file with a list of `{profile, accountId, description, region}`: the profiles of the workload, as `targetAccounts` with `manage: false`.",
    "accounts.yaml",
  ),
});

/** The accounts in `organization.accountsFile`, which the program does not manage. */
export const accountsFileSchema = list(
  targetAccountSchema.pick({ profile: true, accountId: true, description: true, region: true }),
  "accounts: profile, accountId, description, region",
);

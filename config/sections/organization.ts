import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { NEVER, optional } from "zod";
import { choice, flag, keyed, list, object, set, text } from "../fields.js";
import { rules } from "../limits.js";
import { targetAccountSchema } from "./accounts.js";

const { profile, accountId, description, region } = targetAccountSchema.shape;

/** The accounts in a file, which the program does not manage. A problem in the file has the path of the key. */
const accountsFile = text(rules.filePath)
  .transform((path, context): unknown => {
    try {
      const content: unknown = parse(readFileSync(path, "utf8"));
      // Fails if an alias is inside its own anchor.
      JSON.stringify(content);
      // An empty file is not a key without a value.
      return content ?? "";
    } catch (error) {
      // The second part of a message of the library is advice to programmers.
      const fix = (error as Error).message.split("\n")[0]?.replace(/; please use \S+|:$/g, "");
      context.addIssue({ code: "custom", message: "a readable YAML or JSON file", input: path, params: { fix } });
      return NEVER;
    }
  })
  .pipe(
    list(
      object({ profile, accountId, description, region }),
      "accounts in the file: profile, accountId, description, region",
    ),
  )
  .meta({ example: "accounts.yaml" });

export const organizationSchema = object({
  profile: text(rules.profile, "management").describe(
    "AWS profile of the management or delegated administrator account.",
  ),
  accountId: text(rules.accountId, "111111111111").describe(
    "ID of that account, in quotes. The StackSet skips the management account. List it in `targetAccounts` too.",
  ),
  region: text(rules.region, "us-east-1").describe("Region of the StackSet, and the only region that it deploys to."),
  organizationalUnits: set(text(rules.organizationalUnit, "ou-abcd-11112222"), "organizational unit IDs")
    .min(1, { error: "at least one organizational unit" })
    .describe("Organizational units in which the StackSet creates OIDC providers, roles and policies."),
  autoDeployment: flag(true).describe("Whether the StackSet deploys to new accounts automatically."),
  callAs: choice("SELF", "DELEGATED_ADMIN").describe(
    "`SELF` for the management account, `DELEGATED_ADMIN` for a delegated administrator account.",
  ),
  existingOidcProviders: keyed(rules.clusterName, set(text(rules.accountId), "account IDs"), "a list of account IDs", {
    "prod-us-east-1": ["222222222222"],
  })
    .default({})
    .describe(
      "By cluster name: accounts in which the OIDC provider of the cluster already exists. The StackSet does not create it there.",
    ),
  accountsFile: optional(accountsFile).describe(
    "YAML or JSON file with a list of `{profile, accountId, description, region}`: the accounts that the MCP server can read. Equivalent to `targetAccounts` with `manage: false`.",
  ),
});

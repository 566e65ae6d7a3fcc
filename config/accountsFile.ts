/** Accounts in a separate file. A StackSet creates their roles. The workload requires only their names. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import type { Problems } from "./problems.js";
import { checkProfileNames } from "./rules/accounts.js";
import { unique, valuesOf } from "./rules/rule.js";
import type { Config, TargetAccountConfig } from "./schema.js";
import { addIssue, rejectPrototypeKeys } from "./schemaProblems.js";
import { accountsFileSchema } from "./sections/organization.js";

/** Returns the accounts of `organization.accountsFile` as unmanaged target accounts, after the checks that depend on them. */
export function readAccountsFile(config: Config, problems: Problems): TargetAccountConfig[] {
  const file = config.organization?.accountsFile;
  if (file === undefined) return [];
  const path = ["organization", "accountsFile"];
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, "utf8"));
  } catch (error) {
    problems.add(path, file, "a readable YAML or JSON file", (error as Error).message.split("\n")[0]);
    return [];
  }
  const parsed = accountsFileSchema.safeParse(content, { reportInput: true });
  rejectPrototypeKeys([...path, file], content, problems);
  if (parsed.data === undefined) {
    for (const issue of parsed.error.issues) addIssue(issue, problems, accountsFileSchema, [...path, file]);
    return [];
  }
  for (const key of ["profile", "accountId"] as const) {
    const inStack = valuesOf(["targetAccounts"], config.targetAccounts, key);
    const inFile = valuesOf([...path, file], parsed.data, key);
    unique(problems, [...inStack, ...inFile], "a value that is unique across all accounts");
  }
  const unmanaged = { manage: false, adopt: false, existingOidcProviders: [] };
  const accounts = parsed.data.map((account) => ({ ...account, ...unmanaged }));
  const profiles = [...config.targetAccounts, ...accounts].map(({ profile }) => profile);
  if (profiles.length === 0)
    problems.say(path, "no accounts", "at least one account, in this file or in targetAccounts");
  checkProfileNames(config, profiles, problems);
  return accounts;
}

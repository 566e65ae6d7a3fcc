/** Accounts in a separate file. A StackSet creates their roles. The workload requires only their names. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import type { Path, Problems } from "./problems.js";
import { accountsFileSchema, type Config, type TargetAccountConfig } from "./schema.js";
import { addIssue } from "./schemaProblems.js";

/** Returns the accounts of `organization.accountsFile` as unmanaged target accounts, or none if it has problems. */
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
  if (parsed.data === undefined) {
    for (const issue of parsed.error.issues) addIssue(issue, problems, accountsFileSchema, [...path, file]);
    return [];
  }
  checkUnique(config.targetAccounts, parsed.data, [...path, file], problems);
  return parsed.data.map((entry) => ({
    ...entry,
    region: entry.region,
    manage: false,
    adopt: false,
    existingOidcProviders: [],
  }));
}

type Account = Pick<TargetAccountConfig, "profile" | "accountId">;

function checkUnique(inStack: readonly Account[], inFile: readonly Account[], path: Path, problems: Problems): void {
  for (const key of ["profile", "accountId"] as const) {
    const taken = new Set(inStack.map((account) => account[key].toLowerCase()));
    for (const [index, account] of inFile.entries()) {
      const value = account[key].toLowerCase();
      if (taken.has(value))
        problems.add([...path, index, key], account[key], "a value that is unique across all accounts");
      taken.add(value);
    }
  }
}

/** Permission policies of the accounts: the default policy, or a policy file of the stack or account. */
import { readFileSync } from "node:fs";
import { loadCatalogue, servicesOf } from "../policies/catalogue.js";
import { checkAdditionalActions, checkPolicy, type Finding } from "../policies/checks.js";
import { parsePolicy } from "../policies/parse.js";
import { type PermissionPlan, permissionPolicies } from "../policies/permissions.js";
import { allowedActions, writesAllowed } from "../policies/simulate.js";
import { SizeError } from "../policies/size.js";
import { listOf, type PolicyDocument } from "../policies/types.js";
import { type Path, type Problems, pathText } from "./problems.js";
import type { Config } from "./schema.js";

/** `*`, or an ARN of wildcards: `arn:aws:*`. */
const everyResource = /^[*?]+$|^arn:(aws[a-z-]*|[*?]+)[:*?/]*$/;

const documentsOf = ({ policies }: PermissionPlan) => policies.map(({ document }) => document);

/** Reads and checks every policy file once, regardless of the number of accounts that use it. */
export class PolicySource {
  private readonly plans = new Map<string, Promise<PermissionPlan>>();

  constructor(
    private readonly config: Config,
    private readonly problems: Problems,
    private readonly warnings: string[],
  ) {}

  /** Applies the checks of the default policy to `iam.additionalActions`. */
  async checkAdditionalActions(): Promise<void> {
    const { iam } = this.config;
    if (iam.additionalActions.length === 0) return;
    const findings = await checkAdditionalActions(iam.additionalActions, iam);
    // The key contains a list of actions, not a statement.
    const plain = findings.map((finding) => ({
      ...finding,
      message: finding.message.replace(/^Statement\[0\] \(AdditionalActions\):? /, ""),
    }));
    this.report(["iam", "additionalActions"], undefined, plain);
  }

  /** Reports each entry of `iam.sensitiveReadsExcept` that no permission policy allows. Call it after the plans. */
  async checkExceptions(): Promise<void> {
    const { sensitiveReads, sensitiveReadsExcept } = this.config.iam;
    if (sensitiveReads !== "deny" || sensitiveReadsExcept.length === 0) return;
    const plans = await Promise.all(this.plans.values());
    // The problems of an empty plan are already reported.
    if (plans.some(({ policies }) => policies.length === 0)) return;
    const catalogue = await loadCatalogue(servicesOf(sensitiveReadsExcept));
    for (const [index, pattern] of sensitiveReadsExcept.entries()) {
      const actions = catalogue.matching(pattern);
      const opened = plans.some((plan) => allowedActions(documentsOf(plan), actions).length > 0);
      if (opened || actions.length === 0) continue;
      this.problems.say(
        ["iam", "sensitiveReadsExcept", index],
        `"${pattern}" has no effect, because no permission policy of this stack allows it`,
        "an action that the permission policies allow",
        "Allow it in iam.additionalActions or in the policy file too, or remove it here.",
      );
    }
  }

  /**
   * Returns the permissions of a role. A plan with problems is empty.
   *
   * @param own the policy file of a target account
   * @param index the index of that account
   */
  of(partition: string, own?: string, index = 0): Promise<PermissionPlan> {
    const file = own ?? this.config.iam.policyFile;
    const shared = ["iam", file === undefined ? "policyName" : "policyFile"];
    const path = own === undefined ? shared : ["targetAccounts", index, "policyFile"];
    const key = `${partition} ${file ?? ""}`;
    const plan = this.plans.get(key) ?? this.plan(path, file, partition);
    this.plans.set(key, plan);
    return plan;
  }

  private async plan(path: Path, file: string | undefined, partition: string): Promise<PermissionPlan> {
    const none: PermissionPlan = { placement: "inline", policies: [] };
    const { iam, holmes } = this.config;
    let replacement: PolicyDocument | undefined;
    if (file !== undefined) {
      const document = this.read(path, file);
      if (document === undefined) return none;
      const findings = await checkPolicy(document, iam);
      this.report(path, file, findings);
      if (findings.some(({ kind }) => kind === "shape")) return none;
      replacement = parsePolicy(document).policy;
      if (replacement.Statement.every(({ Effect }) => Effect === "Deny")) {
        this.problems.say(path, `${file}: no statement with Effect Allow`, "a policy that allows actions");
      }
      if (iam.policyChecks === "warn" && !iam.allowWritePermissions)
        await this.rejectWritesOnEverything(path, file, replacement);
    }
    try {
      const plan = permissionPolicies({ ...iam, partition, replacement });
      // Unlike this program's server, the hosted server does not reject writes.
      const writes = holmes.hosted ? writesAllowed(documentsOf(plan), await loadCatalogue()) : [];
      if (writes.length > 0)
        this.warnings.push(
          `${pathText(path)}: HOLMES CAN WRITE: the policies allow writes, such as ${writes[0]}, and the hosted AWS MCP server does not reject them. Only IAM prevents writes there.`,
        );
      return plan;
    } catch (error) {
      if (!(error instanceof SizeError)) throw error;
      this.problems.say(path, `${error.size} characters`, `at most ${error.limit}, the IAM limit`, error.message);
      return none;
    }
  }

  /** `policyChecks: warn` is for exceptions. Writes on every resource require `iam.allowWritePermissions`. */
  private async rejectWritesOnEverything(path: Path, file: string, policy: PolicyDocument): Promise<void> {
    const wide = policy.Statement.filter(
      ({ Effect, Action, NotAction, Resource, NotResource, Condition }) =>
        Effect === "Deny" ||
        (Condition === undefined &&
          (NotResource !== undefined || listOf(Resource).some((resource) => everyResource.test(resource))) &&
          // Single write actions are findings that `policyChecks: warn` accepts; whole services are not.
          (NotAction !== undefined || listOf(Action).some((action) => /(^|:)[*?]+$/.test(action)))),
    );
    const [write] = writesAllowed([{ ...policy, Statement: wide }], await loadCatalogue());
    if (write === undefined) return;
    this.problems.say(
      path,
      `${file}: writes on every resource, such as ${write}`,
      "read-only actions, or specific resources",
      "If Holmes must be able to write, set iam.allowWritePermissions: true.",
    );
  }

  private read(path: Path, file: string): unknown {
    try {
      return JSON.parse(readFileSync(file, "utf8"));
    } catch (error) {
      const why = (error as Error).message.split("\n")[0];
      this.problems.add(path, file, "a JSON file with an IAM policy, relative to the project directory", why);
      return undefined;
    }
  }

  private report(path: Path, file: string | undefined, findings: readonly Finding[]): void {
    for (const { kind, message, fix } of findings) {
      const found = file === undefined ? message : `${file}: ${message}`;
      if (this.config.iam.policyChecks === "error" || kind === "shape") {
        const expected = kind === "shape" ? "a permission policy" : "existing read-only AWS actions that take effect";
        this.problems.say(path, found, expected, fix);
      } else this.warnings.push(`${pathText(path)}: ${found}`);
    }
  }
}

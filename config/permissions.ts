/** Permission policies of the accounts: the program's own, or a file of the stack or of the account. */
import { readFileSync } from "node:fs";
import { loadCatalogue } from "../policies/catalogue.js";
import { checkAdditionalActions, checkPolicy, type Finding } from "../policies/checks.js";
import { writesAllowed } from "../policies/hosted.js";
import { PolicyShapeError, parsePolicy } from "../policies/parse.js";
import { type PermissionPlan, PolicySizeError, permissionPolicies } from "../policies/permissions.js";
import { listOf, type PolicyDocument } from "../policies/types.js";
import { type Path, type Problems, pathText } from "./problems.js";
import type { Config, TargetAccountConfig } from "./schema.js";

const expected: Record<Finding["kind"], string> = {
  shape: "a permission policy",
  notAction: "actions by name",
  everything: "actions that only read",
  notReadOnly: "actions that only read",
  unknownAction: "actions that AWS has",
  sensitive: "actions that iam.sensitiveReads leaves open",
};

/** Reads and checks every policy file once, however many accounts share it. */
export class PolicySource {
  private readonly plans = new Map<string, Promise<PermissionPlan>>();

  constructor(
    private readonly config: Config,
    private readonly problems: Problems,
    private readonly warnings: string[],
  ) {}

  /** Holds `iam.additionalActions` to what the default policy is held to. */
  async checkAdditionalActions(): Promise<void> {
    const { additionalActions, sensitiveReads, sensitiveReadsExcept } = this.config.iam;
    if (additionalActions.length === 0) return;
    const findings = await checkAdditionalActions(additionalActions, { sensitiveReads, sensitiveReadsExcept });
    // They are a list, not yet a statement, to whoever wrote them.
    const plain = findings.map((finding) => ({
      ...finding,
      message: finding.message.replace(/^Statement\[0\] \(AdditionalActions\):? /, ""),
    }));
    this.report(["iam", "additionalActions"], undefined, plain);
  }

  /** The plan of the account at a place in the list; one that has problems is empty. */
  of(account: Pick<TargetAccountConfig, "policyFile">, index: number, partition: string): Promise<PermissionPlan> {
    const file = account.policyFile ?? this.config.iam.policyFile;
    const path: Path =
      account.policyFile === undefined
        ? ["iam", file === undefined ? "policyName" : "policyFile"]
        : ["targetAccounts", index, "policyFile"];
    const key = `${partition} ${file ?? ""}`;
    const plan = this.plans.get(key) ?? this.plan(path, file, partition);
    this.plans.set(key, plan);
    return plan;
  }

  /** The plan of accounts without a file of their own. */
  ofStack(partition: string): Promise<PermissionPlan> {
    return this.of({}, 0, partition);
  }

  private async plan(path: Path, file: string | undefined, partition: string): Promise<PermissionPlan> {
    const none: PermissionPlan = { placement: "inline", policies: [] };
    const { iam, holmes } = this.config;
    let replacement: PolicyDocument | undefined;
    if (file !== undefined) {
      replacement = this.read(path, file);
      if (replacement === undefined) return none;
      const findings = await checkPolicy(replacement, iam);
      this.report(path, file, findings);
      const formed = findings.every(({ kind }) => kind !== "shape");
      if (formed && iam.policyChecks === "warn" && !iam.allowWritePermissions)
        await this.refuseWritesOnEverything(path, file, parsePolicy(replacement));
    }
    try {
      const plan = permissionPolicies({
        policyName: iam.policyName,
        partition,
        groups: { disabled: iam.disabledPolicyGroups },
        additionalActions: iam.additionalActions,
        sensitiveReads: iam.sensitiveReads,
        sensitiveReadsExcept: iam.sensitiveReadsExcept,
        allowedRegions: iam.allowedRegions,
        logContents: iam.logContents,
        dataPerimeter: iam.dataPerimeter,
        hosted: holmes.hosted,
        ...(replacement === undefined ? {} : { replacement }),
      });
      if (holmes.hosted) await this.warnOfWrites(path, plan);
      return plan;
    } catch (error) {
      // The faults of form are reported already.
      if (error instanceof PolicyShapeError) return none;
      if (!(error instanceof PolicySizeError)) throw error;
      this.problems.say(path, `${error.size} characters`, `at most ${error.limit}, IAM's limit`, error.message);
      return none;
    }
  }

  /** Our own server refuses writes as well; the hosted one does not, so there the policies are the only guard. */
  private async warnOfWrites(path: Path, { policies }: PermissionPlan): Promise<void> {
    const writes = writesAllowed(
      policies.map(({ document }) => document),
      await loadCatalogue(),
    );
    if (writes.length === 0) return;
    const named = writes.slice(0, 5).join(", ") + (writes.length > 5 ? ", …" : "");
    this.warnings.push(
      `${pathText(path)}: HOLMES CAN WRITE: the policies allow ${writes.length} writing actions (${named}), and the hosted AWS MCP server carries them out. IAM is the only guard there.`,
    );
  }

  /** Findings as warnings are for exceptions; writes on every resource need a key that says what it does. */
  private async refuseWritesOnEverything(path: Path, file: string, policy: PolicyDocument): Promise<void> {
    const wide = policy.Statement.filter(
      ({ Effect, Action, NotAction, Resource, Condition }) =>
        Effect === "Deny" ||
        (Condition === undefined &&
          listOf(Resource).includes("*") &&
          // Single write actions are findings that `policyChecks: warn` accepts; whole services are not.
          (NotAction !== undefined || listOf(Action).some((action) => /^\*$|:\*$/.test(action)))),
    );
    const writes = writesAllowed([{ ...policy, Statement: wide }], await loadCatalogue());
    if (writes.length === 0) return;
    const named = writes.slice(0, 5).join(", ") + (writes.length > 5 ? ", …" : "");
    this.problems.say(
      path,
      `${file}: ${writes.length === 1 ? "1 write action" : `${writes.length} write actions`} on every resource (${named})`,
      "actions that only read, or resources by name",
      "Set iam.allowWritePermissions to true if this stack must be able to write.",
    );
  }

  private read(path: Path, file: string): PolicyDocument | undefined {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as PolicyDocument;
    } catch (error) {
      const why = (error as Error).message.split("\n")[0];
      this.problems.add(path, file, "a file with an IAM policy as JSON, relative to the project's folder", why);
      return undefined;
    }
  }

  private report(path: Path, file: string | undefined, findings: readonly Finding[]): void {
    for (const { kind, message, fix } of findings) {
      const found = file === undefined ? message : `${file}: ${message}`;
      if (this.config.iam.policyChecks === "error" || kind === "shape") {
        this.problems.say(path, found, expected[kind], fix);
      } else this.warnings.push(`${pathText(path)}: ${found}`);
    }
  }
}

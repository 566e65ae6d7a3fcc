/** Completes a state after an interrupted update: what `npm run doctor -- --state FILE --repair` prints. */
import { UserError } from "../common/errors.js";
import type { Report } from "./doctor.js";
import type { StackState } from "./state.js";

export interface Repair {
  /** The export for `pulumi stack import`. */
  readonly state: unknown;
  /** Creations that doctor cannot check: if AWS has the resource, the next `up` names it. */
  readonly unchecked: readonly string[];
}

/**
 * @param report of all accounts, read with the same state
 * @throws UserError when the account of a pending creation could not be read: its resource would be lost
 */
export function repair(report: Report, state: StackState): Repair {
  const read = new Set(report.accounts.filter(({ read: done }) => done).map(({ accountId }) => accountId));
  const findings = report.accounts.flatMap(({ findings }) => findings);
  const checked = state.pendingCreates.filter(({ arn }) => arn !== undefined);
  const unread = checked.filter(({ arn }) => !read.has(arn!.split(":")[4]!));
  const failed = findings.filter(({ code, level }) => code === "unread" && level === "problem");
  if (unread.length > 0 || failed.length > 0) {
    const names = [...unread.map(({ resource }) => resource.urn), ...failed.map(({ message }) => message)];
    throw new UserError(
      `--repair: the account of an interrupted creation could not be read. Expected access to it. Fix what doctor reports, then repeat:\n${names.join("\n")}`,
    );
  }
  return {
    state: state.repaired(new Set(findings.flatMap(({ interruptedArn }) => interruptedArn ?? []))),
    unchecked: state.pendingCreates
      .filter(({ arn, resource }) => arn === undefined && resource.type.startsWith("aws:"))
      .map(({ resource }) => resource.urn),
  };
}

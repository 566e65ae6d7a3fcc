/** Completes a state after an interrupted update: what `npm run doctor -- --state FILE --repair` prints. */
import { UserError } from "../common/errors.js";
import type { Report } from "./doctor.js";
import type { StackState } from "./state.js";

/**
 * @param report of all accounts, read with the same state
 * @returns the export for `pulumi stack import`, and the creations that doctor cannot check: if AWS has the resource,
 *   the next `up` names it
 * @throws UserError when the account of a pending creation could not be read: its resource would be lost
 */
export function repair({ accounts }: Report, state: StackState): { state: unknown; unchecked: readonly string[] } {
  const read = accounts.filter((account) => account.read).map(({ accountId }) => accountId);
  const findings = accounts.flatMap((account) => account.findings);
  const failed = [
    ...state.pendingCreates
      .filter(({ arn }) => arn !== undefined && !read.includes(arn.split(":")[4]!))
      .map(({ resource }) => resource.urn),
    ...findings.filter(({ code, level }) => code === "unread" && level === "problem").map(({ message }) => message),
  ];
  if (failed.length > 0) {
    throw new UserError(
      `--repair: the account of an interrupted creation could not be read. Expected access to it. Fix what doctor reports, then repeat:\n${failed.join("\n")}`,
    );
  }
  return {
    state: state.repaired(findings.filter(({ code }) => code === "interrupted").map(({ subject }) => subject)),
    unchecked: state.pendingCreates
      .filter(({ arn, resource }) => arn === undefined && resource.type.startsWith("aws:"))
      .map(({ resource }) => resource.urn),
  };
}

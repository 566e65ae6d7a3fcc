import type { PolicyDocument } from "./types.js";

/**
 * Limits in characters without white space, and in policies for each role.
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */

/** Trust policy of a role, before any quota increase (quota L-C07B4B0D). */
export const TRUST_POLICY_LIMIT = 2048;
/** Trust policy of a role after the maximum quota increase. */
export const TRUST_POLICY_LIMIT_MAX = 4096;
/** One version of a customer managed policy; not adjustable. */
export const MANAGED_POLICY_LIMIT = 6144;
/** All inline policies of one role together; not adjustable. */
export const INLINE_POLICIES_LIMIT = 10240;
/** Managed policies attached to one role, before any quota increase (quota L-0DA4ABF3). */
export const MANAGED_POLICIES_PER_ROLE = 10;

/**
 * Size of a policy document as AWS counts it: the characters of its JSON that are not white space. White space in
 * strings is not counted either.
 */
export function policySize(document: PolicyDocument): number {
  return [...JSON.stringify(document).replace(/\s/g, "")].length;
}

/** A document exceeds a limit: of IAM, in characters without white space, or of CloudFormation, in bytes. */
export class SizeError extends Error {
  override readonly name = "SizeError";

  /** @param subject name of the cluster or policy, or `the template of the StackSet` */
  constructor(
    readonly subject: string,
    readonly size: number,
    readonly limit: number,
    message: string,
  ) {
    super(message);
  }
}

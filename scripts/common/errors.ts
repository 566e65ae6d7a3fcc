/**
 * An error that the user can fix, such as a missing Python, a busy port or a failed installation. The message states
 * the problem, its location and the fix. Commands print it without a stack trace and exit with code 1.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}

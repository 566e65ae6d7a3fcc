/**
 * Something the person at the keyboard can settle: a missing Python, a busy port, a failed install. The message says
 * what, where, and what to do; commands print it alone, without a stack, and exit with code 1.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}

/**
 * An error that the user can fix, such as a missing Python, a busy port or a failed installation. The message states
 * the problem, its location and the fix. Commands print it without a stack trace and exit with code 1.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}

const causes: Readonly<Record<string, string>> = {
  ENOENT: "file not found.",
  EISDIR: "this is a folder. Expected a file.",
};

/** The message of a failed read or write of a file: `PATH: file not found.`, a similar sentence, or the system's own. */
export function fileProblem(path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new UserError(`${path}: ${causes[code ?? ""] ?? message}`);
}

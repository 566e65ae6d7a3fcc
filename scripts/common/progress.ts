/** Receives one progress message of a long operation, without a line break. */
export type Progress = (line: string) => void;

/** Writes to standard error, so that standard output contains only the command's result. */
export const toStderr: Progress = (line) => {
  process.stderr.write(`${line}\n`);
};

/** Formats the time since a `Date.now()` value in whole seconds: `7 s`, `1 min 12 s`. */
export function since(start: number): string {
  const seconds = Math.round((Date.now() - start) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

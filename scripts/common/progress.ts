/** Takes one line of news about long work, without a line end. */
export type Progress = (line: string) => void;

/** Standard error, so that a command's standard output stays its result. */
export const toStderr: Progress = (line) => {
  process.stderr.write(`${line}\n`);
};

/** Whole seconds since a `Date.now()` value, as people read them: `7 s`, `1 min 12 s`. */
export function since(start: number): string {
  const seconds = Math.round((Date.now() - start) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** IAM wildcards as the source of a regular expression: `*` matches zero or more characters, `?` exactly one. */
export const wildcards = (pattern: string) =>
  pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");

/** Returns whether any of the patterns (`ec2:Describe*`, `*`) matches an action. Case-insensitive, as in IAM. */
export function actionMatcher(patterns: readonly string[]): (action: string) => boolean {
  const any = new RegExp(`^(${patterns.map(wildcards).join("|")})$`, "is");
  return (action) => any.test(action);
}

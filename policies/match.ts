/** Wildcards of IAM: `*` is any characters (none too), `?` is one; everything else is itself. */
function wildcard(pattern: string, flags: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, flags);
}

const actionPatterns = new Map<string, RegExp>();

/** Whether an action pattern covers an action (`ec2:Describe*`, `*`). Case does not matter, as in IAM. */
export function matchesAction(pattern: string, action: string): boolean {
  const compiled = actionPatterns.get(pattern) ?? wildcard(pattern, "is");
  actionPatterns.set(pattern, compiled);
  return compiled.test(action);
}

/** Whether a text with wildcards covers another one, as in resources and StringLike. Case matters. */
export function matchesText(pattern: string, text: string): boolean {
  return wildcard(pattern, "s").test(text);
}

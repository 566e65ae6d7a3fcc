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

/**
 * Whether one of many patterns covers an action. Sorts the patterns by service once, so that a proof over every action
 * compares each with its own service's patterns only.
 */
export function actionMatcher(patterns: readonly string[]): (action: string) => boolean {
  const byService = new Map<string, string[]>();
  for (const pattern of patterns) {
    const service = /^[^:*?]+(?=:)/.exec(pattern)?.[0].toLowerCase() ?? "";
    byService.set(service, [...(byService.get(service) ?? []), pattern]);
  }
  const anywhere = byService.get("") ?? [];
  return (action) => {
    const own = byService.get(action.slice(0, action.indexOf(":")).toLowerCase()) ?? [];
    return [...own, ...anywhere].some((pattern) => matchesAction(pattern, action));
  };
}

/** Whether a text with wildcards covers another one, as in resources and StringLike. Case matters. */
export function matchesText(pattern: string, text: string): boolean {
  return wildcard(pattern, "s").test(text);
}

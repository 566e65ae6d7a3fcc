/** Converts IAM wildcards to a regular expression: `*` matches zero or more characters, `?` exactly one. */
function wildcard(pattern: string, flags: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, flags);
}

const actionPatterns = new Map<string, RegExp>();

/** Whether an action pattern (`ec2:Describe*`, `*`) matches an action. Case-insensitive, as in IAM. */
export function matchesAction(pattern: string, action: string): boolean {
  const compiled = actionPatterns.get(pattern) ?? wildcard(pattern, "is");
  actionPatterns.set(pattern, compiled);
  return compiled.test(action);
}

/**
 * Whether any of many patterns matches an action. Groups the patterns by service once, so that each action is compared
 * only with patterns of its service.
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

/** Whether a text with wildcards matches another text, as in resources and StringLike. Case-sensitive. */
export function matchesText(pattern: string, text: string): boolean {
  return wildcard(pattern, "s").test(text);
}

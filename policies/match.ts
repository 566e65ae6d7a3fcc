/** Wildcards of IAM: `*` is any characters (none too), `?` is one; everything else is itself. */
function wildcard(pattern: string, flags: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, flags);
}

interface ActionPattern {
  /** `ec2:` when the service is spelled out: most comparisons end there, which proofs over every action need. */
  prefix: string;
  expression: RegExp;
}

const actionPatterns = new Map<string, ActionPattern>();

function actionPattern(pattern: string): ActionPattern {
  const prefix = /^[^:*?]+:/.exec(pattern)?.[0].toLowerCase() ?? "";
  return { prefix, expression: wildcard(pattern, "is") };
}

/** Whether an action pattern covers an action (`ec2:Describe*`, `*`). Case does not matter, as in IAM. */
export function matchesAction(pattern: string, action: string): boolean {
  const compiled = actionPatterns.get(pattern) ?? actionPattern(pattern);
  actionPatterns.set(pattern, compiled);
  const { prefix, expression } = compiled;
  return action.slice(0, prefix.length).toLowerCase() === prefix && expression.test(action);
}

/** Whether a text with wildcards covers another one, as in resources and StringLike. Case matters. */
export function matchesText(pattern: string, text: string): boolean {
  return wildcard(pattern, "s").test(text);
}

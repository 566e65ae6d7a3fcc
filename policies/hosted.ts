import { type Catalogue, isReadOnly } from "./catalogue.js";
import { isReviewed } from "./reviewed.js";
import { allowedActions } from "./simulate.js";
import type { PolicyDocument } from "./types.js";

/**
 * Write actions that policies allow, except denied and reviewed actions, in catalogue order. The hosted AWS MCP server
 * can write, and only these policies prevent it. Access is read-only if the list is empty.
 */
export function writesAllowed(documents: PolicyDocument[], catalogue: Catalogue): string[] {
  return allowedActions(documents, catalogue.actions)
    .filter((action) => !isReadOnly(action) && !isReviewed(action.action))
    .map(({ action }) => action);
}

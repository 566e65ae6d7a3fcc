import { type Catalogue, isReadOnly } from "./catalogue.js";
import { isReviewed } from "./reviewed.js";
import { allowedActions } from "./simulate.js";
import type { PolicyDocument } from "./types.js";

/**
 * Write actions that policies allow, without denied and reviewed ones, in the catalogue's order. The hosted AWS MCP
 * server can write, and only these policies prevent it: it is read-only if the list is empty.
 */
export function writesAllowed(documents: PolicyDocument[], catalogue: Catalogue): string[] {
  return allowedActions(documents, catalogue.actions)
    .filter((action) => !isReadOnly(action) && !isReviewed(action.action))
    .map(({ action }) => action);
}

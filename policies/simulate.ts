/** Which actions the policies of a role allow. */
import { type Catalogue, isReadOnly } from "./catalogue.js";
import { actionMatcher } from "./match.js";
import { isReviewed } from "./reviewed.js";
import { listOf, type PolicyDocument, type Statement } from "./types.js";

/**
 * The actions that policies allow on at least one resource under some condition: matched by an Allow, and not by an
 * unconditional Deny on all resources.
 */
export function allowedActions<T extends { action: string }>(documents: PolicyDocument[], actions: T[]): T[] {
  const statements = documents.flatMap(({ Statement }) => Statement);
  const allows = statements.filter(({ Effect }) => Effect === "Allow").map(actionsCovered);
  const denies = statements
    .filter(({ Effect, Resource, Condition }) => Effect === "Deny" && listOf(Resource).includes("*") && !Condition)
    .map(actionsCovered);
  return actions.filter(
    ({ action }) => allows.some((covers) => covers(action)) && !denies.some((covers) => covers(action)),
  );
}

/** Whether the actions of a statement include an action. */
export function actionsCovered({ Action, NotAction }: Statement): (action: string) => boolean {
  const matches = actionMatcher(listOf(NotAction ?? Action));
  return NotAction === undefined ? matches : (action) => !matches(action);
}

/**
 * Write actions that policies allow, except denied and reviewed actions, in catalogue order. The hosted AWS MCP server
 * can write, and only these policies prevent it. Access is read-only if the list is empty.
 */
export function writesAllowed(documents: PolicyDocument[], catalogue: Catalogue): string[] {
  return allowedActions(documents, catalogue.actions)
    .filter((action) => !isReadOnly(action) && !isReviewed(action.action))
    .map(({ action }) => action);
}

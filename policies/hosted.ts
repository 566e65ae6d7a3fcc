import { type Catalogue, isReadOnly } from "./catalogue.js";
import { isReviewed } from "./reviewed.js";
import { allowedActions } from "./simulate.js";
import type { PolicyDocument } from "./types.js";

/**
 * What Holmes needs to talk to the hosted AWS MCP server and to call its reading tools; never CallReadWriteTool.
 * Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmcpserver.html
 */
export const hostedActions: readonly string[] = ["aws-mcp:CallReadOnlyTool", "aws-mcp:InvokeMcp"];

/**
 * The writes that policies allow (denied and reviewed ones left out), in the catalogue's order. The hosted server can write as
 * well, so with it these policies are the only guard: an empty list is what makes it read-only.
 */
export function writesAllowed(documents: PolicyDocument[], catalogue: Catalogue): string[] {
  return allowedActions(documents, catalogue.actions)
    .filter((action) => !isReadOnly(action) && !isReviewed(action.action))
    .map(({ action }) => action);
}

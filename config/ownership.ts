/** The tag that names the owner of an AWS resource. */
import { project } from "./settings.js";

export const OWNERSHIP_TAG = "holmes-aws-mcp/stack";

/** Value of the tag: `<project>/<stack>`. */
export const ownershipTag = (stack: string) => `${project}/${stack}`;

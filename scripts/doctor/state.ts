/** The stack's resources as its state has them: certainty about what is ours. */
import { UserError } from "../common/errors.js";

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly outputs?: { readonly arn?: unknown };
  /** Set on the old half of a replacement that is still to be deleted. */
  readonly delete?: boolean;
}

export class StackState {
  /** URN by ARN, of what IAM knows by one. */
  private readonly urns: ReadonlyMap<string, string>;

  private constructor(resources: readonly StateResource[]) {
    this.urns = new Map(
      resources
        .filter((resource) => resource.type.startsWith("aws:iam/") && resource.delete !== true)
        .flatMap(({ urn, id, outputs }) =>
          [id, outputs?.arn].flatMap((arn): [string, string][] =>
            typeof arn === "string" && arn.startsWith("arn:") ? [[arn, urn]] : [],
          ),
        ),
    );
  }

  /**
   * @param content output of `pulumi stack export`
   * @param source where it came from, for messages
   * @throws UserError when it is not one, or another stack's
   */
  static parse(content: string, stack: string, source: string): StackState {
    let parsed: unknown;
    try {
      parsed = JSON.parse(content);
    } catch (error) {
      throw new UserError(`--state ${source}: not JSON: ${(error as Error).message}. ${hint(stack)}`);
    }
    const deployment = (parsed as { deployment?: { resources?: unknown } } | null)?.deployment;
    if (typeof deployment !== "object" || deployment === null) {
      throw new UserError(`--state ${source}: not a stack export: it has no "deployment". ${hint(stack)}`);
    }
    // A stack that was never updated has no list.
    const resources = (deployment.resources ?? []) as StateResource[];
    const other = resources[0]?.urn.split("::")[0]?.replace("urn:pulumi:", "");
    if (other !== undefined && other !== stack) {
      throw new UserError(`--state ${source}: the state of stack ${other}, not of ${stack}. ${hint(stack)}`);
    }
    return new StackState(resources);
  }

  /** URN of the resource with this ARN; undefined when the stack has none. */
  urnOf(arn: string): string | undefined {
    return this.urns.get(arn);
  }
}

const hint = (stack: string) => `Make it with: pulumi stack export --stack ${stack} --file state.json`;

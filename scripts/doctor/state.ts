/** The stack's state: which resources belong to the stack, and which creations were interrupted. */
import { partitionOf } from "../../config/limits.js";
import { UserError } from "../common/errors.js";
import { iamArn } from "../common/iam.js";

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly provider?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Set on the old half of a replacement that is still to be deleted. */
  readonly delete?: boolean;
}

/** Output of `pulumi stack export`. */
interface Exported {
  readonly deployment: {
    /** A stack that was never updated has no list. */
    readonly resources?: readonly StateResource[];
    readonly pending_operations?: ReadonlyArray<{ readonly type: string; readonly resource: StateResource }>;
  };
}

/** A creation that was interrupted: AWS may have the resource, the state does not. */
export interface PendingCreate {
  readonly resource: StateResource;
  /** Undefined for types whose existence doctor cannot read. */
  readonly arn: string | undefined;
}

export class StackState {
  private readonly resources: readonly StateResource[];
  /** Creations that the state does not have as resources. */
  readonly pendingCreates: readonly PendingCreate[];
  /** Whether an update was interrupted, in an operation of any kind. */
  readonly isInterrupted: boolean;

  private constructor(private readonly exported: Exported) {
    const { resources = [], pending_operations: operations = [] } = exported.deployment;
    this.resources = resources;
    this.isInterrupted = operations.length > 0;
    this.pendingCreates = operations
      .filter(({ type, resource }) => type === "creating" && !resources.some(({ urn }) => urn === resource.urn))
      .map(({ resource }) => ({ resource, arn: this.arnOf(resource) }));
  }

  /**
   * @param content output of `pulumi stack export`
   * @param source file name, for messages
   * @throws UserError when it is not a stack export, or belongs to another stack
   */
  static parse(content: string, stack: string, source: string): StackState {
    const fail = (what: string): never => {
      const hint = `Create it with: pulumi stack export --stack ${stack} --file state.json`;
      throw new UserError(`--state ${source}: ${what}. ${hint}`);
    };
    let exported: Exported | null;
    try {
      exported = JSON.parse(content);
    } catch (error) {
      return fail(`not JSON: ${(error as Error).message}`);
    }
    if (!exported?.deployment) return fail('not a stack export: it has no "deployment"');
    const other = exported.deployment.resources?.[0]?.urn.split("::")[0]?.replace("urn:pulumi:", "");
    if (other !== undefined && other !== stack) fail(`the state of stack ${other}, not of ${stack}`);
    return new StackState(exported);
  }

  /** URN of the resource with this ARN; undefined when the stack has none. */
  urnOf(arn: string): string | undefined {
    return this.resources.find(({ id, outputs, delete: old }) => !old && (id === arn || outputs?.arn === arn))?.urn;
  }

  isPending(arn: string): boolean {
    return this.pendingCreates.some((pending) => pending.arn === arn);
  }

  /**
   * The export with the interrupted creations completed, for `pulumi stack import`, which drops the pending operations.
   *
   * @param existing ARNs of pending creations that exist in AWS
   */
  repaired(existing: readonly string[]): unknown {
    const completed = this.pendingCreates
      .filter(({ arn = "" }) => existing.includes(arn))
      .map(({ resource, arn }) => {
        const id = resource.type === "aws:iam/role:Role" ? resource.inputs?.name : arn;
        return { ...resource, id, outputs: { ...resource.inputs, arn, id } };
      });
    const { pending_operations: _, ...deployment } = this.exported.deployment;
    return { ...this.exported, deployment: { ...deployment, resources: [...this.resources, ...completed] } };
  }

  /**
   * ARN that follows from the inputs and from the account of the resource's provider. Undefined for policies on a role:
   * they are written with an idempotent call, so it can be repeated.
   */
  private arnOf({ type, inputs = {}, provider }: StateResource): string | undefined {
    const owner = this.resources.find(({ urn, id }) => `${urn}::${id}` === provider)?.inputs;
    if (owner === undefined || !type.startsWith("aws:iam/")) return undefined;
    const ids = owner.allowedAccountIds;
    const [account] = (typeof ids === "string" ? JSON.parse(ids) : ids) as [string];
    return iamArn(type, inputs, partitionOf(String(owner.region)), account);
  }
}

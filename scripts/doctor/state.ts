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

interface Deployment {
  readonly resources?: readonly StateResource[];
  readonly pending_operations?: ReadonlyArray<{ readonly type: string; readonly resource: StateResource }>;
}

/** A creation that was interrupted: AWS may have the resource, the state does not. */
export interface PendingCreate {
  readonly resource: StateResource;
  /** Undefined for types whose existence doctor cannot read. */
  readonly arn: string | undefined;
  /** The resource's ID in Pulumi. */
  readonly id: string | undefined;
}

export class StackState {
  /** URN by ARN, of IAM resources. */
  private readonly urns: ReadonlyMap<string, string>;
  /** Creations that the state does not have as resources. */
  readonly pendingCreates: readonly PendingCreate[];
  /** Number of pending operations of any kind. */
  readonly pendingOperations: number;

  private constructor(
    private readonly exported: { readonly deployment: Deployment },
    resources: readonly StateResource[],
  ) {
    this.urns = new Map(
      resources
        .filter((resource) => resource.type.startsWith("aws:iam/") && resource.delete !== true)
        .flatMap(({ urn, id, outputs }) =>
          [id, outputs?.arn].flatMap((arn): [string, string][] =>
            typeof arn === "string" && arn.startsWith("arn:") ? [[arn, urn]] : [],
          ),
        ),
    );
    const operations = exported.deployment.pending_operations ?? [];
    this.pendingOperations = operations.length;
    const known = new Set(resources.map(({ urn }) => urn));
    this.pendingCreates = operations
      .filter(({ type, resource }) => type === "creating" && !known.has(resource.urn))
      .map(({ resource }) => ({ resource, ...identityOf(resource, resources) }));
  }

  /**
   * @param content output of `pulumi stack export`
   * @param source file name, for messages
   * @throws UserError when it is not a stack export, or belongs to another stack
   */
  static parse(content: string, stack: string, source: string): StackState {
    let parsed: unknown;
    try {
      parsed = JSON.parse(content);
    } catch (error) {
      throw new UserError(`--state ${source}: not JSON: ${(error as Error).message}. ${hint(stack)}`);
    }
    const exported = parsed as { deployment?: Deployment } | null;
    if (typeof exported?.deployment !== "object" || exported.deployment === null) {
      throw new UserError(`--state ${source}: not a stack export: it has no "deployment". ${hint(stack)}`);
    }
    // A stack that was never updated has no list.
    const resources = exported.deployment.resources ?? [];
    const other = resources[0]?.urn.split("::")[0]?.replace("urn:pulumi:", "");
    if (other !== undefined && other !== stack) {
      throw new UserError(`--state ${source}: the state of stack ${other}, not of ${stack}. ${hint(stack)}`);
    }
    return new StackState(exported as { deployment: Deployment }, resources);
  }

  /** URN of the resource with this ARN; undefined when the stack has none. */
  urnOf(arn: string): string | undefined {
    return this.urns.get(arn);
  }

  isPending(arn: string): boolean {
    return this.pendingCreates.some((pending) => pending.arn === arn);
  }

  /**
   * The export with the interrupted creations completed, for `pulumi stack import`, which drops the pending operations.
   *
   * @param existing ARNs of pending creations that exist in AWS
   */
  repaired(existing: ReadonlySet<string>): unknown {
    const { deployment } = this.exported;
    const completed = this.pendingCreates.flatMap(({ resource, arn, id }) =>
      arn !== undefined && existing.has(arn) ? [{ ...resource, id, outputs: { ...resource.inputs, arn, id } }] : [],
    );
    const { pending_operations: _, ...rest } = deployment;
    return { ...this.exported, deployment: { ...rest, resources: [...(deployment.resources ?? []), ...completed] } };
  }
}

/** ARN and id follow from the inputs and from the account of the resource's provider. */
function identityOf(
  { type, inputs = {}, provider = "" }: StateResource,
  resources: readonly StateResource[],
): Pick<PendingCreate, "arn" | "id"> {
  const owner = resources.find(({ urn, id }) => `${urn}::${id}` === provider)?.inputs;
  if (owner === undefined || !type.startsWith("aws:iam/")) return { arn: undefined, id: undefined };
  const allowed = owner.allowedAccountIds;
  const [account] = typeof allowed === "string" ? (JSON.parse(allowed) as string[]) : (allowed as string[]);
  // Policies on a role have no ARN. They are written with an idempotent call, so it can be repeated.
  const arn = iamArn(type, inputs, partitionOf(String(owner.region)), String(account));
  return { arn, id: type === "aws:iam/role:Role" ? String(inputs.name) : arn };
}

const hint = (stack: string) => `Create it with: pulumi stack export --stack ${stack} --file state.json`;

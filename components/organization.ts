import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

export interface OrganizationArgs {
  /** Name of the StackSet: letters, digits and hyphens. */
  readonly stackSetName: string;
  /** CloudFormation template, as JSON. It needs CAPABILITY_NAMED_IAM. */
  readonly templateBody: string;
  /** Ids of the organizational units that the StackSet deploys to. */
  readonly organizationalUnits: readonly string[];
  /** The only region that the StackSet deploys to, because IAM is global. */
  readonly region: string;
  /** Whether the StackSet deploys to accounts that join the units. */
  readonly autoDeployment: boolean;
  /** `SELF` in the management account, `DELEGATED_ADMIN` in a delegated administrator account. */
  readonly callAs: string;
  /** Tags of the StackSet and the resources in its stacks. */
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * A StackSet that creates the roles in every account of the organizational units. Pass the management account's
 * provider in `opts`.
 */
export class Organization extends pulumi.ComponentResource {
  constructor(name: string, args: OrganizationArgs, opts: pulumi.ComponentResourceOptions) {
    // The StackSet's state contains the template.
    const { templateBody, ...inputs } = args;
    super("holmes-aws-mcp:index:Organization", name, inputs, opts);
    const { stackSetName, organizationalUnits, region, autoDeployment, callAs, tags } = args;
    // Deploy to accounts in parallel. A failed account does not stop the others.
    const operationPreferences = { maxConcurrentPercentage: 25, failureTolerancePercentage: 25 };
    const stackSet = new aws.cloudformation.StackSet(
      `${name}/stackset`,
      {
        name: stackSetName,
        description: "Read-only roles for HolmesGPT's AWS MCP server",
        permissionModel: "SERVICE_MANAGED",
        autoDeployment: { enabled: autoDeployment, ...(autoDeployment ? { retainStacksOnAccountRemoval: false } : {}) },
        capabilities: ["CAPABILITY_NAMED_IAM"],
        callAs,
        templateBody,
        operationPreferences,
        tags,
      },
      { parent: this },
    );
    for (const unit of organizationalUnits) {
      new aws.cloudformation.StackSetInstance(
        `${name}/${unit}`,
        {
          stackSetName: stackSet.name,
          deploymentTargets: { organizationalUnitIds: [unit] },
          stackSetInstanceRegion: region,
          callAs,
          operationPreferences,
        },
        { parent: this },
      );
    }
    this.registerOutputs();
  }
}

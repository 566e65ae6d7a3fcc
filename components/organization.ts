import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

export interface OrganizationArgs {
  /** Name of the StackSet: letters, digits and hyphens. */
  readonly stackSetName: string;
  /** CloudFormation template, as JSON. It needs CAPABILITY_NAMED_IAM. */
  readonly templateBody: string;
  /** Ids of the organizational units that the StackSet deploys to. */
  readonly organizationalUnits: readonly string[];
  /** The one region that the StackSet deploys to. IAM is global. */
  readonly region: string;
  /** Whether accounts that join the units get a stack. */
  readonly autoDeployment: boolean;
  /** `SELF` in the management account, `DELEGATED_ADMIN` in a delegated administrator account. */
  readonly callAs: string;
  /** Tags of the StackSet and of the resources in its stacks. */
  readonly tags: Readonly<Record<string, string>>;
}

/** The accounts of organizational units, through a StackSet. Pass the management account's provider in `opts`. */
export class Organization extends pulumi.ComponentResource {
  constructor(name: string, args: OrganizationArgs, opts: pulumi.ComponentResourceOptions) {
    // The template is in the StackSet's state.
    const { templateBody, ...inputs } = args;
    super("holmes-aws-mcp:index:Organization", name, inputs, opts);
    const { stackSetName, organizationalUnits, region, autoDeployment, callAs, tags } = args;
    // Accounts in parallel. A failing account does not stop the others.
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

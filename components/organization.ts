import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { OrganizationSettings, Settings } from "../config/settings.js";
import { type TrustedCluster, trustClusters } from "../documents/profiles.js";
import { organizationTemplate } from "../policies/organization.js";

export interface OrganizationArgs {
  readonly settings: Settings;
  readonly organization: OrganizationSettings;
  /** All clusters of the stack, in config order. */
  readonly clusters: readonly TrustedCluster[];
}

/**
 * A StackSet that creates the roles in every account of the organizational units. Pass the management account's
 * provider in `opts`.
 */
export class Organization extends pulumi.ComponentResource {
  constructor(
    name: string,
    { settings, organization, clusters }: OrganizationArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    const { organizationalUnits, region, autoDeployment, callAs } = organization;
    const { iam, subjects } = settings;
    const { tags } = iam;
    // Letters, digits and hyphens.
    const stackSetName = iam.roleName.replace(/[^A-Za-z0-9-]/g, "-");
    // The StackSet's state contains the template.
    const inputs = { stackSetName, organizationalUnits, region, autoDeployment, callAs, tags };
    super("holmes-aws-mcp:index:Organization", name, inputs, opts);
    // Deploy to accounts in parallel. A failed account does not stop the others.
    const operationPreferences = { maxConcurrentPercentage: 25, failureTolerancePercentage: 25 };
    const stackSet = new aws.cloudformation.StackSet(
      `${name}/stackset`,
      {
        name: stackSetName,
        description: "Read-only roles for HolmesGPT's AWS MCP server",
        permissionModel: "SERVICE_MANAGED",
        autoDeployment: { enabled: autoDeployment, retainStacksOnAccountRemoval: autoDeployment ? false : undefined },
        capabilities: ["CAPABILITY_NAMED_IAM"],
        callAs,
        templateBody: JSON.stringify(
          organizationTemplate({ ...iam, ...organization, subjects, clusters: trustClusters(clusters) }),
        ),
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
          // The only region, because IAM is global.
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

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { issuerPath, type OrganizationSettings, type Settings } from "../config/settings.js";
import type { TrustedCluster } from "../documents/profiles.js";
import { organizationTemplate, templateBody } from "../policies/organization.js";
import { organizationProvider } from "./providers.js";

/** The accounts of organizational units: a StackSet that makes what TargetAccount makes, from the same documents. */
export class Organization extends pulumi.ComponentResource {
  constructor(settings: Settings, organization: OrganizationSettings, clusters: readonly TrustedCluster[]) {
    super("holmes-aws-mcp:index:Organization", "organization", {});
    const options = { parent: this, provider: organizationProvider(organization) };
    const { iam, subjects } = settings;
    const { autoDeployment, callAs, organizationalUnits, region } = organization;
    const template = organizationTemplate({
      clusters: clusters.map(({ name, issuerUrl, previousIssuers, roleNumber }) => ({
        name,
        issuers: [issuerUrl, ...previousIssuers].map(issuerPath),
        ...(roleNumber === undefined ? {} : { roleNumber }),
      })),
      subjects: [...subjects],
      partition: organization.partition,
      permissions: organization.permissions,
      existingOidcProviders: organization.existingOidcProviders,
      ...iam,
    });
    // Accounts side by side, and a sick one does not stop the others.
    const operationPreferences = { maxConcurrentPercentage: 25, failureTolerancePercentage: 25 };
    const stackSet = new aws.cloudformation.StackSet(
      "organization/stackset",
      {
        name: iam.roleName.replace(/[^A-Za-z0-9-]/g, "-"),
        description: "Read-only roles for HolmesGPT's AWS MCP server",
        permissionModel: "SERVICE_MANAGED",
        autoDeployment: { enabled: autoDeployment, ...(autoDeployment ? { retainStacksOnAccountRemoval: false } : {}) },
        capabilities: ["CAPABILITY_NAMED_IAM"],
        callAs,
        templateBody: templateBody(template),
        operationPreferences,
        tags: iam.tags,
      },
      options,
    );
    for (const unit of organizationalUnits) {
      new aws.cloudformation.StackSetInstance(
        `organization/${unit}`,
        {
          stackSetName: stackSet.name,
          deploymentTargets: { organizationalUnitIds: [unit] },
          stackSetInstanceRegion: region,
          callAs,
          operationPreferences,
        },
        options,
      );
    }
    this.registerOutputs();
  }
}

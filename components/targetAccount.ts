import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PermissionPlan } from "../policies/permissions.js";
import { AUDIENCE } from "../policies/trust.js";
import type { PolicyDocument } from "../policies/types.js";

/** A role of the account. */
export interface RoleArgs {
  /** 1 for the first role of the account. The resource name contains the number, so a role keeps it. */
  readonly number: number;
  readonly name: string;
  readonly trustPolicy: PolicyDocument;
  /** Whether an existing role of this name is imported. */
  readonly adopt: boolean;
  /** Whether the inline policies of the existing role are imported as well. */
  readonly adoptPolicies: boolean;
}

/** An OIDC provider of the account. */
export interface OidcProviderArgs {
  /** Issuer, `https://…`. */
  readonly url: string;
  /** ARN of an existing provider to import. Default: create the provider. */
  readonly adopt?: string | undefined;
}

export interface TargetAccountArgs {
  /** Providers to create or import, without those that are managed outside this stack. */
  readonly oidcProviders: readonly OidcProviderArgs[];
  readonly roles: readonly RoleArgs[];
  /** Permission policies of every role. */
  readonly permissions: PermissionPlan;
  /** IAM path of roles and managed policies: `/`, `/holmes/`. */
  readonly path: string;
  /** Description of the roles. */
  readonly description?: string | undefined;
  /** MaxSessionDuration of the roles, in seconds. */
  readonly sessionDuration: number;
  /** ARN of the permissions boundary of the roles. Default: none. */
  readonly permissionsBoundary?: string | undefined;
  /** Whether each update removes policies that were added to the roles outside this stack. */
  readonly exclusivePolicies: boolean;
  /** Whether OIDC providers remain in AWS after they are removed from the stack. */
  readonly retainOidcProviders: boolean;
  /** Tags of every resource. */
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * An account that Holmes can read: an OIDC provider for each issuer, and the read-only roles that trust the providers.
 * Pass the account's `aws.Provider` in `opts.provider`.
 */
export class TargetAccount extends pulumi.ComponentResource {
  constructor(name: string, args: TargetAccountArgs, opts: pulumi.ComponentResourceOptions) {
    // The children's state contains the policy documents and exclusive lists.
    const { permissions, roles, exclusivePolicies, ...inputs } = args;
    super("holmes-aws-mcp:index:TargetAccount", name, { ...inputs, roles: roles.map((role) => role.name) }, opts);
    const { path, description, sessionDuration, permissionsBoundary, tags } = args;
    const options = { parent: this };
    const oidcProviders = args.oidcProviders.map(
      ({ url, adopt }) =>
        new aws.iam.OpenIdConnectProvider(
          // By issuer: a re-created cluster gets a new provider, and the old one can remain during a migration.
          `${name}/oidc/${url.replace("https://", "").replace(/^oidc\.eks\.(.*?)\.amazonaws\.com(\.cn)?\/id\//, "$1/")}`,
          { url, clientIdLists: [AUDIENCE], tags },
          // Other roles in the account can trust the provider, so `pulumi destroy` can retain it.
          { ...options, retainOnDelete: args.retainOidcProviders, import: adopt },
        ),
    );
    const policies = permissions.policies.map((policy) => ({ ...policy, json: JSON.stringify(policy.document) }));
    const managedPolicies = (permissions.placement === "managed" ? policies : []).map((policy) => ({
      name: policy.name,
      arn: new aws.iam.Policy(
        `${name}/policy/${policy.name}`,
        { name: policy.name, path, policy: policy.json, tags },
        options,
      ).arn,
    }));
    for (const { number, name: roleName, trustPolicy, adopt, adoptPolicies } of roles) {
      const child = number === 1 ? `${name}/role` : `${name}/role-${number}`;
      const role = new aws.iam.Role(
        child,
        {
          name: roleName,
          path,
          description: description || undefined,
          assumeRolePolicy: JSON.stringify(trustPolicy),
          maxSessionDuration: sessionDuration,
          permissionsBoundary,
          // Otherwise `pulumi destroy` fails when a policy was attached outside this stack.
          forceDetachPolicies: true,
          tags,
        },
        { ...options, dependsOn: oidcProviders, import: adopt ? roleName : undefined },
      );
      const inline = (permissions.placement === "inline" ? policies : []).map(
        (policy) =>
          new aws.iam.RolePolicy(
            `${child}/${policy.name}`,
            { name: policy.name, role: role.name, policy: policy.json },
            { ...options, import: adoptPolicies ? `${roleName}:${policy.name}` : undefined },
          ),
      );
      const attachments = managedPolicies.map(
        ({ name: policy, arn: policyArn }) =>
          new aws.iam.RolePolicyAttachment(`${child}/${policy}`, { role: role.name, policyArn }, options),
      );
      if (!exclusivePolicies) continue;
      // Using the outputs of policies and attachments makes both lists depend on them.
      const policyNames = inline.map((policy) => policy.name);
      new aws.iam.RolePoliciesExclusive(`${child}/exclusive-policies`, { roleName: role.name, policyNames }, options);
      const policyArns = attachments.map(({ policyArn }) => policyArn);
      new aws.iam.RolePolicyAttachmentsExclusive(
        `${child}/exclusive-attachments`,
        { roleName: role.name, policyArns },
        options,
      );
    }
    this.registerOutputs();
  }
}

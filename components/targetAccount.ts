import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PermissionPlan } from "../policies/permissions.js";
import { minify } from "../policies/size.js";
import { AUDIENCE } from "../policies/trust.js";
import type { PolicyDocument } from "../policies/types.js";

/** A role of the account. */
export interface RoleArgs {
  /** 1 for the first role of the account. Part of the resource's name, so a role keeps its number. */
  readonly number: number;
  readonly name: string;
  readonly trustPolicy: PolicyDocument;
  /** Whether an existing role of this name is imported. */
  readonly adopt: boolean;
  /** Name of an inline policy of the existing role that is imported as well. */
  readonly adoptPolicy?: string | undefined;
}

/** An OIDC provider of the account. */
export interface OidcProviderArgs {
  /** Issuer, `https://…`. */
  readonly url: string;
  /** ARN of an existing provider to import. Default: it is created. */
  readonly adopt?: string | undefined;
}

export interface TargetAccountArgs {
  /** Providers to create or import. One that is managed outside this stack is left out. */
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
  /** ARN of the managed policy that bounds the roles. Default: none. */
  readonly permissionsBoundary?: string | undefined;
  /** Removes policies of the roles that were added outside this stack, at each update. */
  readonly exclusivePolicies: boolean;
  /** Keeps the OIDC providers in AWS when they leave the stack. */
  readonly retainOidcProviders: boolean;
  /** Tags of every resource. */
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * An account that Holmes can read: an OIDC provider for each issuer, and the read-only roles that trust them. Pass the
 * account's own `aws.Provider` in `opts.provider`.
 */
export class TargetAccount extends pulumi.ComponentResource {
  constructor(name: string, args: TargetAccountArgs, opts: pulumi.ComponentResourceOptions) {
    // The documents and exclusive lists are in the children's state.
    const { permissions, roles, exclusivePolicies, ...inputs } = args;
    super("holmes-aws-mcp:index:TargetAccount", name, { ...inputs, roles: roles.map((role) => role.name) }, opts);
    const oidcProviders = args.oidcProviders.map(
      ({ url, adopt }) =>
        new aws.iam.OpenIdConnectProvider(
          // By issuer: a re-created cluster gets a new provider, and the old one can stay for a while.
          `${name}/oidc/${url.replace("https://", "").replace(/^oidc\.eks\.(.*?)\.amazonaws\.com(\.cn)?\/id\//, "$1/")}`,
          { url, clientIdLists: [AUDIENCE], tags: args.tags },
          // Other roles of the account can trust a provider, so it can be kept at destroy.
          { parent: this, retainOnDelete: args.retainOidcProviders, import: adopt },
        ),
    );
    const managedPolicies = permissions.placement === "managed" ? this.managedPolicies(name, args) : [];
    for (const role of roles) this.role(name, role, args, oidcProviders, managedPolicies);
    this.registerOutputs();
  }

  private managedPolicies(name: string, { permissions, path, tags }: TargetAccountArgs) {
    return permissions.policies.map((policy) => ({
      name: policy.name,
      arn: new aws.iam.Policy(
        `${name}/policy/${policy.name}`,
        { name: policy.name, path, policy: minify(policy.document), tags },
        { parent: this },
      ).arn,
    }));
  }

  private role(
    name: string,
    { number, trustPolicy, adopt, adoptPolicy, ...own }: RoleArgs,
    args: TargetAccountArgs,
    oidcProviders: readonly pulumi.Resource[],
    managedPolicies: readonly { readonly name: string; readonly arn: pulumi.Output<string> }[],
  ): void {
    const { permissions, path, description, sessionDuration, permissionsBoundary, tags } = args;
    const child = number === 1 ? `${name}/role` : `${name}/role-${number}`;
    const role = new aws.iam.Role(
      child,
      {
        name: own.name,
        path,
        description: description || undefined,
        assumeRolePolicy: minify(trustPolicy),
        maxSessionDuration: sessionDuration,
        permissionsBoundary,
        // Otherwise a policy that was attached outside this stack makes destroy fail half-way.
        forceDetachPolicies: true,
        tags,
      },
      { parent: this, dependsOn: [...oidcProviders], import: adopt ? own.name : undefined },
    );
    const inline = (permissions.placement === "inline" ? permissions.policies : []).map(
      (policy) =>
        new aws.iam.RolePolicy(
          `${child}/${policy.name}`,
          { name: policy.name, role: role.name, policy: minify(policy.document) },
          { parent: this, import: policy.name === adoptPolicy ? `${own.name}:${policy.name}` : undefined },
        ),
    );
    const attachments = managedPolicies.map(
      (policy) =>
        new aws.iam.RolePolicyAttachment(
          `${child}/${policy.name}`,
          { role: role.name, policyArn: policy.arn },
          { parent: this },
        ),
    );
    if (!args.exclusivePolicies) return;
    // The outputs of policies and attachments make both lists wait for them.
    new aws.iam.RolePoliciesExclusive(
      `${child}/exclusive-policies`,
      { roleName: role.name, policyNames: inline.map(({ name }) => name) },
      { parent: this },
    );
    new aws.iam.RolePolicyAttachmentsExclusive(
      `${child}/exclusive-attachments`,
      { roleName: role.name, policyArns: attachments.map(({ policyArn }) => policyArn) },
      { parent: this },
    );
  }
}

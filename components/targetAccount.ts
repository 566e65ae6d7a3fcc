import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { issuerPath, type Settings, type TargetAccountSettings } from "../config/settings.js";
import { type TrustedCluster, trustRoles } from "../documents/profiles.js";
import { AUDIENCE, oidcProviderArn } from "../policies/trust.js";

export interface TargetAccountArgs {
  readonly settings: Settings;
  readonly account: TargetAccountSettings;
  /** All clusters of the stack, in config order. */
  readonly clusters: readonly TrustedCluster[];
}

/**
 * An account that Holmes can read: an OIDC provider for each issuer, and the read-only roles that trust the providers.
 * Pass the account's `aws.Provider` in `opts.provider`.
 */
export class TargetAccount extends pulumi.ComponentResource {
  constructor(name: string, args: TargetAccountArgs, opts: pulumi.ComponentResourceOptions) {
    const { settings, account } = args;
    const { description, permissionsBoundaryArn: permissionsBoundary, permissions, adopt } = account;
    const { path, sessionDuration, retainOidcProviders, exclusivePolicies, tags } = settings.iam;
    const roles = trustRoles(settings, account, args.clusters);
    const oidcProviders = oidcProvidersOf(args);
    // The children's state contains the policy documents and exclusive lists.
    const inputs = {
      oidcProviders,
      path,
      description,
      sessionDuration,
      permissionsBoundary,
      retainOidcProviders,
      tags,
    };
    super("holmes-aws-mcp:index:TargetAccount", name, { ...inputs, roles: roles.map((role) => role.name) }, opts);
    const options = { parent: this };
    const providers = oidcProviders.map(
      ({ url, adopt: arn }) =>
        new aws.iam.OpenIdConnectProvider(
          // By issuer: a re-created cluster gets a new provider, and the old one can remain during a migration.
          `${name}/oidc/${issuerPath(url).replace(/^oidc\.eks\.(.*?)\.amazonaws\.com(\.cn)?\/id\//, "$1/")}`,
          { url, clientIdLists: [AUDIENCE], tags },
          // Other roles in the account can trust the provider, so `pulumi destroy` can retain it.
          { ...options, retainOnDelete: retainOidcProviders, import: arn },
        ),
    );
    const policies = permissions.policies.map((policy) => ({ ...policy, json: JSON.stringify(policy.document) }));
    const managed = (permissions.placement === "managed" ? policies : []).map((policy) => ({
      name: policy.name,
      arn: new aws.iam.Policy(
        `${name}/policy/${policy.name}`,
        { name: policy.name, path, policy: policy.json, tags },
        options,
      ).arn,
    }));
    for (const { number, name: roleName, document } of roles) {
      // The legacy script created the first role only.
      const adopted = number === 1 && adopt.role;
      const child = number === 1 ? `${name}/role` : `${name}/role-${number}`;
      const role = new aws.iam.Role(
        child,
        {
          name: roleName,
          path,
          description: description || undefined,
          assumeRolePolicy: JSON.stringify(document),
          maxSessionDuration: sessionDuration,
          permissionsBoundary,
          // Otherwise `pulumi destroy` fails when a policy was attached outside this stack.
          forceDetachPolicies: true,
          tags,
        },
        { ...options, dependsOn: providers, import: adopted ? roleName : undefined },
      );
      const inline = (permissions.placement === "inline" ? policies : []).map(
        (policy) =>
          new aws.iam.RolePolicy(
            `${child}/${policy.name}`,
            { name: policy.name, role: role.name, policy: policy.json },
            { ...options, import: adopted && adopt.policy ? `${roleName}:${policy.name}` : undefined },
          ),
      );
      const attachments = managed.map(({ name: policy, arn: policyArn }) => {
        return new aws.iam.RolePolicyAttachment(`${child}/${policy}`, { role: role.name, policyArn }, options);
      });
      if (!exclusivePolicies) continue;
      // Using the outputs of policies and attachments makes both lists depend on them.
      const names = { roleName: role.name, policyNames: inline.map((policy) => policy.name) };
      new aws.iam.RolePoliciesExclusive(`${child}/exclusive-policies`, names, options);
      const arns = { roleName: role.name, policyArns: attachments.map(({ policyArn }) => policyArn) };
      new aws.iam.RolePolicyAttachmentsExclusive(`${child}/exclusive-attachments`, arns, options);
    }
    this.registerOutputs();
  }
}

/** Providers to create, or to import by ARN, without those that are managed outside this stack. */
const oidcProvidersOf = ({ account, clusters }: TargetAccountArgs) =>
  clusters
    .filter(({ name }) => account.clusters.includes(name) && !account.existingOidcProviders.includes(name))
    .flatMap(({ name, issuerUrl, previousIssuers }) =>
      [issuerUrl, ...previousIssuers].map((url) => ({
        url,
        adopt: account.adopt.oidcProviders.includes(name)
          ? oidcProviderArn(account.partition, account.accountId, issuerPath(url))
          : undefined,
      })),
    );

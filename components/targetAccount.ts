import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { issuerPath, type Settings, type TargetAccountSettings } from "../config/settings.js";
import { roleArn, type TrustedCluster, trustRoles } from "../documents/profiles.js";
import { minify } from "../policies/size.js";
import { AUDIENCE, oidcProviderArn, roleNameFor, type TrustRole } from "../policies/trust.js";

export interface TargetAccountArgs {
  readonly settings: Settings;
  readonly account: TargetAccountSettings;
  readonly clusters: readonly TrustedCluster[];
  /** Provider of this account and no other. */
  readonly provider: aws.Provider;
}

/** An account that Holmes may read: an OIDC provider per issuer, and the read-only role that trusts them. */
export class TargetAccount extends pulumi.ComponentResource {
  /** ARN of the role that trusts a cluster, by the cluster's name; known once its policies are attached. */
  readonly roleArns: pulumi.Output<Record<string, string>>;

  constructor(args: TargetAccountArgs) {
    super("holmes-aws-mcp:index:TargetAccount", args.account.profile, {});
    const oidcProviders = this.oidcProviders(args);
    const roles = trustRoles(args.settings, args.account, args.clusters).map((role) => ({
      clusters: role.clusters,
      arn: this.role(args, role, oidcProviders),
    }));
    this.roleArns = pulumi
      .all(
        roles.map(({ clusters, arn }) =>
          arn.apply((value) => clusters.map((cluster): [string, string] => [cluster, value])),
        ),
      )
      .apply((pairs) => Object.fromEntries(pairs.flat()));
    this.registerOutputs({ roleArns: this.roleArns });
  }

  /** Made or taken over; one that belongs to somebody else is left alone, its ARN follows from the issuer. */
  private oidcProviders({ settings, account, clusters, provider }: TargetAccountArgs): aws.iam.OpenIdConnectProvider[] {
    return clusters
      .filter(({ name }) => !account.existingOidcProviders.includes(name))
      .flatMap(({ name, issuerUrl, previousIssuers }) =>
        [issuerUrl, ...previousIssuers].map((url) => {
          const issuer = issuerPath(url);
          return new aws.iam.OpenIdConnectProvider(
            // By issuer, so that a re-created cluster gets a new one and its old one can stay for a while.
            `${account.profile}/oidc/${issuer.replace(/^oidc\.eks\.(.*?)\.amazonaws\.com(\.cn)?\/id\//, "$1/")}`,
            { url, clientIdLists: [AUDIENCE], tags: settings.iam.tags },
            {
              parent: this,
              provider,
              retainOnDelete: settings.iam.retainOidcProviders,
              ...(account.adopt.oidcProviders.includes(name)
                ? { import: oidcProviderArn(account.partition, account.accountId, issuer) }
                : {}),
            },
          );
        }),
      );
  }

  /** The role with its policies; gives its ARN once all of them are attached. */
  private role(
    { settings, account, provider }: TargetAccountArgs,
    { number, document }: TrustRole,
    oidcProviders: aws.iam.OpenIdConnectProvider[],
  ): pulumi.Output<string> {
    const { iam } = settings;
    const { permissions, adopt, profile } = account;
    const name = roleNameFor(iam.roleName, number);
    const key = number === 1 ? "" : `-${number}`;
    // What the old script made is the first role.
    const adopted = number === 1 && adopt.role;
    const options = { parent: this, provider };
    const role = new aws.iam.Role(
      `${profile}/role${key}`,
      {
        name,
        path: iam.path,
        ...(account.description === "" ? {} : { description: account.description }),
        assumeRolePolicy: minify(document),
        maxSessionDuration: iam.sessionDuration,
        ...(account.permissionsBoundaryArn === undefined
          ? {}
          : { permissionsBoundary: account.permissionsBoundaryArn }),
        // Otherwise a policy that somebody attached by hand would make destroy fail half-way.
        forceDetachPolicies: true,
        tags: iam.tags,
      },
      { ...options, dependsOn: oidcProviders, ...(adopted ? { import: name } : {}) },
    );
    const attached: pulumi.Resource[] =
      permissions.placement === "inline"
        ? permissions.policies.map(
            (policy) =>
              new aws.iam.RolePolicy(
                `${profile}/role${key}/${policy.name}`,
                { name: policy.name, role: role.name, policy: minify(policy.document) },
                {
                  ...options,
                  ...(adopted && adopt.policy && policy.name === iam.policyName
                    ? { import: `${name}:${policy.name}` }
                    : {}),
                },
              ),
          )
        : permissions.policies.map(
            (policy) =>
              new aws.iam.RolePolicyAttachment(
                `${profile}/role${key}/${policy.name}`,
                {
                  role: role.name,
                  policyArn: this.managedPolicy({ settings, account, provider }, policy.name, minify(policy.document)),
                },
                options,
              ),
          );
    const arn = roleArn(settings, account, number);
    return pulumi.all([role.arn, ...attached.map(({ urn }) => urn)]).apply(() => arn);
  }

  private readonly managedPolicies = new Map<string, aws.iam.Policy>();

  /** A managed policy of the account, made once and attached to each of its roles. */
  private managedPolicy(
    { settings, account, provider }: Pick<TargetAccountArgs, "settings" | "account" | "provider">,
    name: string,
    policy: string,
  ): pulumi.Output<string> {
    const made =
      this.managedPolicies.get(name) ??
      new aws.iam.Policy(
        `${account.profile}/policy/${name}`,
        { name, path: settings.iam.path, policy, tags: settings.iam.tags },
        { parent: this, provider },
      );
    this.managedPolicies.set(name, made);
    return made.arn;
  }
}

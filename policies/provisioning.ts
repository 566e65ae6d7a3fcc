/**
 * Least-privilege policies for the user or pipeline that runs `pulumi up`: only the API calls that the program's
 * resources and look-ups make, limited to their resource names.
 */
import { actionList } from "./actionList.js";
import { oidcProviderArn, type TrustPolicyArgs } from "./trust.js";
import { documentOf, listOf, type PolicyDocument, type Statement } from "./types.js";

export interface ProvisioningArgs extends Pick<TrustPolicyArgs, "partition" | "accountId"> {
  /** `iam.roleName`. Further roles (`-2`, …) are included. */
  readonly roleName: string;
  /** `iam.policyName`. Further policies are included. */
  readonly policyName: string;
  /** `iam.path`. Default: `/`. */
  readonly path?: string;
  /** Issuers as host and path without `https://`. Default: every EKS issuer of the partition. */
  readonly issuers?: readonly string[];
  /** ARN of `iam.permissionsBoundary`. Roles can then only be created and changed with this boundary. */
  readonly permissionsBoundary?: string;
}

/** Statement that allows actions, in the form of actionList. */
const allow = (Sid: string, actions: string, Resource: Statement["Resource"]): Statement => ({
  Sid,
  Effect: "Allow",
  Action: actionList(actions),
  Resource,
});

/** For a target account: OIDC providers, roles and permission policies, and the reads of `npm run doctor`. */
export function provisioningPolicy(args: ProvisioningArgs): PolicyDocument {
  const { partition, accountId, roleName, policyName, path = "/", permissionsBoundary } = args;
  const arns = (kind: string, name: string) =>
    [name, `${name}-*`].map((one) => `arn:${partition}:iam::${accountId}:${kind}${path}${one}`);
  const roles = arns("role", roleName);
  const issuers = args.issuers ?? [`oidc.eks.*.amazonaws.com${partition === "aws-cn" ? ".cn" : ""}/id/*`];
  const bounded = "iam AttachRolePolicy CreateRole PutRolePermissionsBoundary PutRolePolicy";
  return documentOf([
    allow(
      "ManageOidcProviders",
      `iam AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider
      iam GetOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider
      iam UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint`,
      issuers.map((issuer) => oidcProviderArn(partition, accountId, issuer)),
    ),
    permissionsBoundary === undefined
      ? allow("MakeRoles", `${bounded} DeleteRolePermissionsBoundary`, roles)
      : {
          ...allow("MakeBoundedRoles", bounded, roles),
          Condition: { StringEquals: { "iam:PermissionsBoundary": permissionsBoundary } },
        },
    allow(
      "ManageRoles",
      `iam DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies
      iam ListInstanceProfilesForRole ListRolePolicies TagRole UntagRole UpdateAssumeRolePolicy UpdateRole
      iam UpdateRoleDescription`,
      roles,
    ),
    allow(
      "ManagePolicies",
      `iam CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion
      iam ListPolicyVersions TagPolicy UntagPolicy`,
      arns("policy", policyName),
    ),
    // Account-level actions. IAM does not support resource-level permissions for them.
    allow("ReadAccount", "iam GetAccountSummary ListOpenIDConnectProviders; sts GetCallerIdentity", "*"),
  ]);
}

/** What `pulumi preview --refresh` and `npm run doctor` call: the reads of a provisioning policy. */
export function readingHalf({ Statement }: PolicyDocument): PolicyDocument {
  return documentOf(
    Statement.flatMap((one) => {
      const Action = listOf(one.Action).filter((action) => /:(Get|List|Describe)/.test(action));
      return Action.length === 0 ? [] : [{ ...one, Action }];
    }),
  );
}

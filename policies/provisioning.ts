/**
 * Least-privilege policies for the user or pipeline that runs `pulumi up`: only the API calls that the program's
 * resources and look-ups make, limited to their resource names.
 */
import { actionList } from "./actionList.js";
import { oidcProviderArn } from "./trust.js";
import { listOf, type PolicyDocument, type Statement } from "./types.js";

export interface ProvisioningArgs {
  partition: string;
  accountId: string;
  /** `iam.roleName`. Further roles (`-2`, …) are included. */
  roleName: string;
  /** `iam.policyName`. Further policies are included. */
  policyName: string;
  /** `iam.path`. Default: `/`. */
  path?: string;
  /** Issuers as host and path without `https://`. Default: every EKS issuer of the partition. */
  issuers?: string[];
  /** ARN of `iam.permissionsBoundary`. Roles can then only be created and changed with this boundary. */
  permissionsBoundary?: string;
}

export interface EcrProvisioningArgs {
  partition: string;
  accountId: string;
  region: string;
  /** `image.build.repository` without the registry's host. */
  repository: string;
}

export interface EksReadingArgs {
  partition: string;
  accountId: string;
  /** Clusters of this account that are looked up in EKS. */
  clusters: { name: string; region: string }[];
}

const statement = (Sid: string, Action: readonly string[], Resource: string | string[]): Statement => ({
  Sid,
  Effect: "Allow",
  Action,
  Resource,
});

const documentOf = (Statement: Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

/** For a target account: OIDC providers, roles and permission policies, and the reads of `npm run doctor`. */
export function provisioningPolicy(args: ProvisioningArgs): PolicyDocument {
  const { partition, accountId, roleName, policyName, path = "/" } = args;
  const arn = (kind: string, name: string) => `arn:${partition}:iam::${accountId}:${kind}${path}${name}`;
  const roles = [arn("role", roleName), arn("role", `${roleName}-*`)];
  const policies = [arn("policy", policyName), arn("policy", `${policyName}-*`)];
  const issuers = args.issuers ?? [`oidc.eks.*.amazonaws.com${partition === "aws-cn" ? ".cn" : ""}/id/*`];

  const bounded = actionList("iam AttachRolePolicy CreateRole PutRolePermissionsBoundary PutRolePolicy");
  const managing = actionList(`
    iam DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies
    iam ListInstanceProfilesForRole ListRolePolicies TagRole UntagRole UpdateAssumeRolePolicy UpdateRole
    iam UpdateRoleDescription
  `);
  const boundary: Statement[] =
    args.permissionsBoundary === undefined
      ? [statement("MakeRoles", [...bounded, "iam:DeleteRolePermissionsBoundary"], roles)]
      : [
          {
            ...statement("MakeBoundedRoles", bounded, roles),
            Condition: { StringEquals: { "iam:PermissionsBoundary": args.permissionsBoundary } },
          },
        ];
  return documentOf([
    statement(
      "ManageOidcProviders",
      actionList(`
        iam AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider
        iam GetOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider
        iam UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint
      `),
      issuers.map((issuer) => oidcProviderArn(partition, accountId, issuer)),
    ),
    ...boundary,
    statement("ManageRoles", managing, roles),
    statement(
      "ManagePolicies",
      actionList(`
        iam CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion
        iam ListPolicyVersions TagPolicy UntagPolicy
      `),
      policies,
    ),
    // Account-level actions. IAM does not support resource-level permissions for them.
    statement("ReadAccount", ["iam:GetAccountSummary", "iam:ListOpenIDConnectProviders", "sts:GetCallerIdentity"], "*"),
  ]);
}

/** What `pulumi preview --refresh` and `npm run doctor` call: the reads of a provisioning policy. */
export function readingHalf({ Statement }: PolicyDocument): PolicyDocument {
  const reads = (actions: readonly string[]) => actions.filter((action) => /:(Get|List|Describe)/.test(action));
  return documentOf(
    Statement.flatMap((one) => {
      const Action = reads(listOf(one.Action));
      return Action.length === 0 ? [] : [{ ...one, Action }];
    }),
  );
}

/** For the account of the ECR repository: the repository with its policies, and pushing the image. */
export function ecrProvisioningPolicy(args: EcrProvisioningArgs): PolicyDocument {
  const { partition, accountId, region, repository } = args;
  return documentOf([
    statement(
      "ManageRepository",
      actionList(`
        ecr CreateRepository DeleteLifecyclePolicy DeleteRepository DeleteRepositoryPolicy DescribeImages
        ecr DescribeRepositories GetLifecyclePolicy GetRepositoryPolicy ListTagsForResource
        ecr PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy TagResource
        ecr UntagResource BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer
        ecr InitiateLayerUpload PutImage UploadLayerPart
      `),
      `arn:${partition}:ecr:${region}:${accountId}:repository/${repository}`,
    ),
    statement("SignInToRegistry", ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"], "*"),
  ]);
}

/**
 * For the account of clusters whose issuer, endpoint and certificate authority are looked up. Permissions in the
 * cluster depend on its access entries, not on IAM.
 */
export function eksReadingPolicy({ partition, accountId, clusters }: EksReadingArgs): PolicyDocument {
  return documentOf([
    statement(
      "ReadClusters",
      ["eks:DescribeCluster"],
      clusters.map(({ name, region }) => `arn:${partition}:eks:${region}:${accountId}:cluster/${name}`),
    ),
    statement("ReadIdentity", ["sts:GetCallerIdentity"], "*"),
  ]);
}

/**
 * Least-privilege policies for the user or pipeline that runs `pulumi up`: only the API calls that the program's
 * resources and look-ups make, limited to their resource names.
 */
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

const statement = (Sid: string, Action: string[], Resource: string | string[]): Statement => ({
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

  const bounded = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];
  const managing = [
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
  ];
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
      [
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:CreateOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        "iam:GetOpenIDConnectProvider",
        "iam:RemoveClientIDFromOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        "iam:UntagOpenIDConnectProvider",
        "iam:UpdateOpenIDConnectProviderThumbprint",
      ],
      issuers.map((issuer) => oidcProviderArn(partition, accountId, issuer)),
    ),
    ...boundary,
    statement("ManageRoles", managing, roles),
    statement(
      "ManagePolicies",
      [
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
        "iam:UntagPolicy",
      ],
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
export function ecrProvisioningPolicy({
  partition,
  accountId,
  region,
  repository,
}: EcrProvisioningArgs): PolicyDocument {
  return documentOf([
    statement(
      "ManageRepository",
      [
        "ecr:CreateRepository",
        "ecr:DeleteLifecyclePolicy",
        "ecr:DeleteRepository",
        "ecr:DeleteRepositoryPolicy",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy",
        "ecr:GetRepositoryPolicy",
        "ecr:ListTagsForResource",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
        "ecr:UntagResource",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ],
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

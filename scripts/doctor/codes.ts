/** The kinds of findings. `npm run docs` writes the table of docs/doctor.md from this one. */

interface Code {
  readonly finding: string;
  /** What resolves it; `none` where no action is required. */
  readonly resolution: string;
  /** Whether the account differs from the stack: a problem with `--expect-no-changes`. */
  readonly change?: true;
}

/** A difference that the next update with `--refresh` resolves. */
const refreshed = (finding: string) => ({ finding, resolution: "`pulumi up --refresh`", change: true }) as const;

const table = {
  credentials: {
    finding: "Result of the authentication, or the error that AWS returned",
    resolution:
      "`aws sso login …`, credentials for the profile, the trust policy of the assumed role; until then the command below the table, with `verify.skipProfiles`",
  },
  "wrong-account": {
    finding: "The account of the profile differs from `accountId`",
    resolution: 'Another profile, or `accountId: "…"`',
  },
  cluster: { finding: "EKS returned the cluster and its issuer", resolution: "none" },
  "cluster-absent": {
    finding: "EKS has no such cluster in that region and account",
    resolution: "Name, region or profile of the cluster; or `oidcIssuerUrl` and `context`, which avoid the look-up",
  },
  "cluster-unread": {
    finding: "EKS rejected the look-up",
    resolution: "`eks:DescribeCluster` for the provisioning role; or `oidcIssuerUrl` and `context`",
  },
  "network-policy": {
    finding: "The add-on `vpc-cni` enforces NetworkPolicies, or EKS did not return its settings",
    resolution: "none, or `eks:DescribeAddon`",
  },
  "network-policy-off": {
    finding: "The add-on `vpc-cni` does not enforce NetworkPolicies: every pod can reach the server",
    resolution: "`aws eks update-addon … enableNetworkPolicy`, unless another CNI enforces them",
  },
  "issuer-differs": {
    finding: "EKS returned another issuer than the config has: the cluster was re-created",
    resolution: "`oidcIssuerUrl: …`, with the old one in [`previousIssuers`](accounts.md#a-re-created-cluster)",
  },
  "issuer-unknown": {
    finding: "The issuer of a cluster is unknown, so its OIDC providers were not compared",
    resolution: "The look-up, or `oidcIssuerUrl: …`",
  },
  interrupted: {
    finding: "(`--state`) An interrupted update created the resource; the state has only a pending operation",
    resolution: "The two commands below the table, see [After an interrupted update](#after-an-interrupted-update)",
  },
  "provider-absent": refreshed("The stack creates the OIDC provider"),
  "provider-ours": { finding: "The OIDC provider belongs to this stack", resolution: "none" },
  "provider-differs": refreshed("Audiences or tags of the stack's OIDC provider differ"),
  "provider-existing": { finding: "It exists, and `existingOidcProviders` lists it", resolution: "none" },
  "provider-adoptable": { finding: "`adopt` imports it", resolution: "none" },
  "provider-of-script": {
    finding: "Created by the legacy script, or by this stack and lost from its state",
    resolution: "`adopt: true`, or `adopt: {oidcProviders: […], role: true, policy: true}` where a part is missing",
  },
  "provider-of-others": { finding: "Managed outside this stack", resolution: "`existingOidcProviders: […]`" },
  "provider-unclear": {
    finding: "The owner is unknown",
    resolution: "`existingOidcProviders: […]`, or `adopt` when the legacy script created it",
  },
  "provider-audience": {
    finding: "Its audiences lack `sts.amazonaws.com`, so STS rejects the server's tokens",
    resolution:
      "`aws iam add-client-id-to-open-id-connect-provider …` by its owner; `pulumi up --refresh` for the stack's own",
  },
  "provider-existing-absent": {
    finding: "`existingOidcProviders` names a cluster whose provider does not exist",
    resolution: "The line without it; or the command that creates it, for its owner",
  },
  "provider-existing-ours": {
    finding: "(`--state`) This stack created what `existingOidcProviders` lists: the next `up` deletes it",
    resolution: "The line without it, or `pulumi state delete …`",
  },
  "provider-adopt-absent": {
    finding: "`adopt` names a provider that does not exist: `up` would fail",
    resolution: "The `adopt` line that fits",
  },
  "provider-gone": refreshed("(`--state`) In the state, but deleted from the account"),
  "role-absent": refreshed("The stack creates the role"),
  "role-ours": { finding: "The role belongs to this stack", resolution: "none" },
  "role-differs": refreshed(
    "Trust policy, description, session duration, permissions boundary, tags or permissions of the stack's role differ",
  ),
  "role-adoptable": { finding: "`adopt` imports it", resolution: "none" },
  "role-of-script": {
    finding: "Created by the legacy script, or by this stack and lost from its state",
    resolution: "`adopt: …`",
  },
  "role-of-others": {
    finding: "Managed outside this stack, or by another stack of this program",
    resolution: "`roleName: …`",
  },
  "role-case": {
    finding: "It exists in another spelling: IAM names are case-insensitive",
    resolution: "`roleName: …`",
  },
  "role-path": { finding: "It exists at another path, so it cannot be imported", resolution: "`path: …`" },
  "role-adopt-absent": {
    finding: "`adopt` names a role that does not exist: `up` would fail",
    resolution: "The `adopt` line that fits",
  },
  "role-gone": refreshed("(`--state`) In the state, but deleted from the account"),
  "role-trust-removed": {
    finding: "The legacy script's role trusts issuers that the stack does not have; `up` removes them",
    resolution: "Their clusters in the config, if they are in use",
  },
  "policy-absent": refreshed("The stack creates the managed policy"),
  "policy-ours": { finding: "The managed policy belongs to this stack", resolution: "none" },
  "policy-differs": refreshed("Document or tags of the stack's managed policy differ"),
  "policy-taken": { finding: "A managed policy of another owner has its name", resolution: "`policyName: …`" },
  "policy-adopt-absent": {
    finding: "`adopt` names an inline policy that the role does not have",
    resolution: "The `adopt` line that fits",
  },
  "policy-of-others": {
    finding: "Policies on the role that the stack does not create; the server has their permissions too",
    resolution: "`aws iam detach-role-policy …` or `aws iam delete-role-policy …`",
    change: true,
  },
  "boundary-found": { finding: "The permissions boundary exists", resolution: "none" },
  "boundary-absent": {
    finding: "The permissions boundary does not exist: AWS would reject the role",
    resolution: "Create it, or set another `permissionsBoundary`",
  },
  "trust-quota": {
    finding: "The account's quota for trust policies against `iam.trustPolicyLimit`",
    resolution: "`aws service-quotas request-service-quota-increase …`, or `trustPolicyLimit: …`",
  },
  "provider-quota": {
    finding: "OIDC providers of the account against 100",
    resolution: "Delete those of clusters that no longer exist",
  },
  unread: {
    finding: "AWS rejected a read",
    resolution: "The permission; a problem only where `pulumi up` needs it too",
  },
} as const satisfies Record<string, Code>;

/** Stable name of a kind of finding. */
export type FindingCode = keyof typeof table;

export const findingCodes: Readonly<Record<FindingCode, Code>> = table;

/** Every provider of the program. Default providers are disabled, so that no resource reaches the wrong account. */
import * as aws from "@pulumi/aws";
import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/** Access to one AWS account. */
export interface AwsAccess {
  /** Profile of the AWS config file. Not used with `assumeRole`. */
  readonly profile: string;
  /** 12-digit account id. The provider rejects credentials of any other account. */
  readonly accountId: string;
  readonly region: string;
  /** Role to assume instead of using the profile's credentials. */
  readonly assumeRole?: {
    readonly roleArn: string;
    readonly externalId?: pulumi.Input<string | undefined>;
    /** Profile that assumes the role. Default: the SDK's default credentials. */
    readonly sourceProfile?: string;
  };
}

/** Provider of one AWS account and region. */
export function awsProvider(
  name: string,
  { profile, accountId, region, assumeRole }: AwsAccess,
  opts?: pulumi.ResourceOptions,
): aws.Provider {
  const { roleArn, externalId, sourceProfile } = assumeRole ?? {};
  return new aws.Provider(
    name,
    {
      profile: assumeRole ? sourceProfile : profile,
      assumeRoles: assumeRole && [{ roleArn, sessionName: "holmes-aws-mcp", externalId }],
      region: region as aws.Region,
      allowedAccountIds: [accountId],
    },
    opts,
  );
}

/** Provider of one Kubernetes cluster. Default: the current context of the kubeconfig that kubectl uses. */
export function kubernetesProvider(
  cluster: string,
  access: Pick<k8s.ProviderArgs, "kubeconfig" | "context">,
  opts: pulumi.ResourceOptions,
): k8s.Provider {
  return new k8s.Provider(
    `${cluster}/kubernetes`,
    {
      ...access,
      enableServerSideApply: true,
      // Otherwise a change replaces the ConfigMap or Secret and the Deployment that mounts it, so each new account
      // would cause downtime. The hashes in the pod template roll the pods.
      enableConfigMapMutable: true,
      enableSecretMutable: true,
      // A re-created cluster keeps its identity. Replacing the provider would delete objects through the old provider,
      // whose context can then refer to the new cluster. `pulumi up --refresh` creates missing objects.
      clusterIdentifier: cluster,
    },
    // A changed identifier replaces the provider and every object. A renamed cluster keeps its first identifier.
    { ...opts, ignoreChanges: ["clusterIdentifier"] },
  );
}

/** Provider of the local Docker engine. */
export const dockerProvider = (opts: pulumi.ResourceOptions) => new docker.Provider("image/docker", {}, opts);

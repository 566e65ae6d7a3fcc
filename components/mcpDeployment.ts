import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { deploymentSpec, serviceSpec } from "../documents/deployment.js";
import { imageCheckJobSpec } from "../documents/jobs.js";
import { endpoint, envSecret, labels, selectors } from "../documents/names.js";
import { networkPolicySpec } from "../documents/networkPolicy.js";
import {
  configData,
  hashOf,
  namespaceLabels,
  serviceAccountAnnotations,
  type Workload,
} from "../documents/workload.js";
import { BearerTokens } from "./bearerTokens.js";
import { renamed } from "./renamed.js";
import { Verification, type VerificationArgs } from "./verification.js";

export interface McpDeploymentArgs {
  /** The server, its accounts and its pods. */
  readonly workload: Workload;
  /** Previous name of a renamed cluster. Its objects are kept. */
  readonly previousName?: string | undefined;
  /** Whether the namespace is created. Otherwise it must exist. */
  readonly createNamespace: boolean;
  /** Whether the service account is created. Otherwise it must exist. */
  readonly createServiceAccount: boolean;
  /** Verification of the server at the end of an update. Default: none. */
  readonly verification?: Omit<VerificationArgs, "workload" | "previousName" | "config"> | undefined;
}

/** The MCP server in one cluster. Pass the cluster's `kubernetes.Provider` in `opts.provider`. */
export class McpDeployment extends pulumi.ComponentResource {
  /** Address for Holmes, inside the cluster. */
  readonly endpoint: string;

  constructor(cluster: string, args: McpDeploymentArgs, opts: pulumi.ComponentResourceOptions) {
    const { workload, previousName, createNamespace, createServiceAccount, verification } = args;
    const { serviceName: name, namespace, authentication, networkPolicy, secretEnv } = workload;
    super(
      "holmes-aws-mcp:index:McpDeployment",
      `${cluster}/mcp`,
      // Without the image here, objects can be created before it is built. The ConfigMap contains the accounts, and
      // the environment can contain secrets.
      { namespace, serviceAccount: workload.serviceAccount, createNamespace, createServiceAccount },
      { ...opts, ...renamed(previousName, "/mcp") },
    );
    const child = (kind: string) => `${cluster}/${kind}`;
    const metadata = { name, namespace, labels: labels(name) };
    const options = (kind: string) => ({ parent: this, ...renamed(previousName, `/${kind}`) });

    const namespaces = when(
      createNamespace,
      () =>
        new k8s.core.v1.Namespace(
          child("namespace"),
          { metadata: { name: namespace, labels: namespaceLabels(workload) } },
          options("namespace"),
        ),
    );
    const inside = (kind: string) => ({ ...options(kind), dependsOn: namespaces });
    const serviceAccounts = when(
      createServiceAccount,
      () =>
        new k8s.core.v1.ServiceAccount(
          child("service-account"),
          {
            metadata: {
              ...metadata,
              name: workload.serviceAccount,
              annotations: serviceAccountAnnotations(workload),
            },
            automountServiceAccountToken: false,
          },
          inside("service-account"),
        ),
    );
    const config = new k8s.core.v1.ConfigMap(
      child("config"),
      { metadata, data: configData(workload) },
      inside("config"),
    );
    const networkPolicies = when(
      networkPolicy,
      (policy) =>
        new k8s.networking.v1.NetworkPolicy(
          child("network-policy"),
          { metadata, spec: networkPolicySpec(policy, workload) },
          inside("network-policy"),
        ),
    );
    const secrets = when(
      secretEnv,
      (values) =>
        new k8s.core.v1.Secret(
          child("env"),
          { metadata: { ...metadata, name: envSecret(name) }, stringData: pulumi.secret(values) },
          inside("env"),
        ),
    );
    const bearerTokens = when(
      authentication,
      (tokens) =>
        new BearerTokens(
          cluster,
          {
            serviceName: name,
            namespace,
            holmesNamespace: workload.holmes.namespace,
            ...tokens,
            previousName,
          },
          { parent: this, dependsOn: namespaces },
        ),
    );
    const service = new k8s.core.v1.Service(
      child("service"),
      { metadata, spec: serviceSpec(workload) },
      inside("service"),
    );
    const checks = when(
      workload.prebuilt && !workload.legacyImage,
      () =>
        new k8s.batch.v1.Job(
          child("image-check"),
          {
            metadata: {
              ...metadata,
              name: pulumi.interpolate`${name}-image-${pulumi.output(workload.image).apply((image) => hashOf(image))}`,
              // A failed Job cannot be started again: the next update replaces it.
              annotations: { "pulumi.com/replaceUnready": "true" },
            },
            spec: imageCheckJobSpec(workload),
          },
          // A failed Job that is replaced has the same name as its replacement.
          {
            ...options("image-check"),
            dependsOn: [...namespaces, ...serviceAccounts],
            deleteBeforeReplace: true,
          },
        ),
    );
    const deployment = new k8s.apps.v1.Deployment(
      child("deployment"),
      { metadata, spec: deploymentSpec(workload, config.metadata.name) },
      {
        ...options("deployment"),
        // The NetworkPolicy and the Secrets exist before the first pod starts. An image that fails its check is not deployed.
        dependsOn: [...serviceAccounts, ...networkPolicies, ...secrets, ...bearerTokens, service, ...checks],
      },
    );
    if (workload.replicas > 1) {
      new k8s.policy.v1.PodDisruptionBudget(
        child("disruption-budget"),
        { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: selectors(name).server } } },
        inside("disruption-budget"),
      );
    }
    if (verification !== undefined) {
      new Verification(
        cluster,
        {
          workload,
          previousName,
          config: config.metadata.name,
          ...verification,
          after: [deployment, ...verification.after],
        },
        options("verification"),
      );
    }
    this.endpoint = endpoint(workload, namespace);
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

/** A list with one resource if the option is set, otherwise an empty list. */
const when = <T, R>(option: T, create: (value: NonNullable<T>) => R): R[] => (option ? [create(option)] : []);

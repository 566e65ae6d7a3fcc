import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { endpoint, envSecret, labels, selectors } from "../config/names.js";
import { deploymentSpec, serviceSpec } from "../documents/deployment.js";
import { imageCheckJobSpec } from "../documents/jobs.js";
import { networkPolicySpec } from "../documents/networkPolicy.js";
import { configData, hashOf, namespaceLabels, type Workload } from "../documents/workload.js";
import { BearerTokens } from "./bearerTokens.js";
import { childrenOf, renamed } from "./renamed.js";
import { Verification } from "./verification.js";

export interface McpDeploymentArgs {
  /** The server, its accounts and its pods. */
  readonly workload: Workload;
  /** Resources of the accounts. The server is verified after them. */
  readonly accounts: readonly pulumi.Resource[];
}

/** The MCP server in one cluster. Pass the cluster's `kubernetes.Provider` in `opts.provider`. */
export class McpDeployment extends pulumi.ComponentResource {
  constructor(cluster: string, { workload, accounts }: McpDeploymentArgs, opts: pulumi.ComponentResourceOptions) {
    const { serviceName: name, namespace, serviceAccount, createNamespace, createServiceAccount } = workload;
    const { previousName, env, image, legacyImage, verify } = workload;
    super(
      "holmes-aws-mcp:index:McpDeployment",
      `${cluster}/mcp`,
      // Without the image here, objects can be created before it is built. The ConfigMap contains the accounts, and
      // the environment can contain secrets.
      { namespace, serviceAccount, createNamespace, createServiceAccount },
      { ...opts, ...renamed(previousName, "/mcp") },
    );
    const child = childrenOf(this, cluster, previousName);
    const metadata = { name, namespace, labels: labels(name) };

    const namespaces = createNamespace
      ? [child("namespace", k8s.core.v1.Namespace, { metadata: { name: namespace, labels: namespaceLabels(name) } })]
      : [];
    const inside = { dependsOn: namespaces };
    // For operators: the server assumes the role of each profile.
    const annotations = { "eks.amazonaws.com/role-arn": workload.defaultProfile.roleArn };
    const account = {
      metadata: { ...metadata, name: serviceAccount, annotations },
      automountServiceAccountToken: false,
    };
    const serviceAccounts = createServiceAccount
      ? [child("service-account", k8s.core.v1.ServiceAccount, account, inside)]
      : [];
    const config = child("config", k8s.core.v1.ConfigMap, { metadata, data: configData(workload) }, inside);
    const service = child("service", k8s.core.v1.Service, { metadata, spec: serviceSpec(workload) }, inside);

    // The NetworkPolicy and the Secrets exist before the first pod starts. An image that fails its check is not deployed.
    const before: pulumi.Resource[] = [...serviceAccounts, service];
    if (workload.networkPolicy.enabled) {
      const policy = { metadata, spec: networkPolicySpec(workload) };
      before.push(child("network-policy", k8s.networking.v1.NetworkPolicy, policy, inside));
    }
    if (workload.secretEnv) {
      const secret = { metadata: { ...metadata, name: envSecret(name) }, stringData: pulumi.secret(env) };
      before.push(child("env", k8s.core.v1.Secret, secret, inside));
    }
    if (workload.authentication.type === "bearer") {
      const { tokenVersion, tokens } = workload.authentication;
      const holmesNamespace = workload.holmes.namespace;
      const args = { serviceName: name, namespace, holmesNamespace, tokenVersion, tokens, previousName };
      before.push(new BearerTokens(cluster, args, { parent: this, ...inside }));
    }
    if (workload.prebuilt && !legacyImage) {
      const hash = pulumi.output(image).apply((reference) => hashOf(reference));
      const check = {
        metadata: {
          ...metadata,
          name: pulumi.interpolate`${name}-image-${hash}`,
          // A failed Job cannot be started again: the next update replaces it.
          annotations: { "pulumi.com/replaceUnready": "true" },
        },
        spec: imageCheckJobSpec(workload),
      };
      // A failed Job that is replaced has the same name as its replacement.
      const options = { dependsOn: [...namespaces, ...serviceAccounts], deleteBeforeReplace: true };
      before.push(child("image-check", k8s.batch.v1.Job, check, options));
    }
    const server = { metadata, spec: deploymentSpec(workload, config.metadata.name) };
    const deployment = child("deployment", k8s.apps.v1.Deployment, server, { dependsOn: before });
    if (workload.replicas > 1) {
      const budget = { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: selectors(name).server } } };
      child("disruption-budget", k8s.policy.v1.PodDisruptionBudget, budget, inside);
    }
    // The legacy image does not provide Python at the path that the script requires.
    if (verify.enabled && !legacyImage) {
      const args = { workload, config: config.metadata.name, after: [deployment, ...accounts] };
      new Verification(cluster, args, { parent: this, ...renamed(previousName, "/verification") });
    }
    this.registerOutputs({ endpoint: endpoint(workload, namespace) });
  }
}

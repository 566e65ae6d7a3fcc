import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labels, tokenSecrets, tokensFile } from "../documents/names.js";
import type { Workload } from "../documents/workload.js";
import { childrenOf, renamed } from "./renamed.js";

/**
 * Bearer tokens of one cluster's server, and the Secrets that pass them to the server and to Holmes. The namespaces of
 * both must exist.
 */
export class BearerTokens extends pulumi.ComponentResource {
  constructor(cluster: string, workload: Workload, opts: pulumi.ComponentResourceOptions) {
    const { serviceName, namespace, holmes, previousName } = workload;
    const { tokenVersion, tokens } = workload.authentication;
    super(
      "holmes-aws-mcp:index:BearerTokens",
      `${cluster}/tokens`,
      { namespace, holmesNamespace: holmes.namespace, tokenVersion },
      { ...opts, ...renamed(previousName, "/tokens") },
    );
    const child = childrenOf(this, workload);
    // The previous token stays valid until the next rotation, so that no call fails while Holmes switches.
    const versions = [tokenVersion, tokenVersion - 1].filter((version) => version >= 1);
    const accepted: pulumi.Output<string>[] =
      tokens?.map((token) => pulumi.secret(token)) ??
      versions.map(
        (version) => child(`tokens/${version}`, random.RandomPassword, { length: 48, special: false }).result,
      );
    const secret = (kind: "server" | "holmes", where: string, stringData: Record<string, pulumi.Input<string>>) => {
      const metadata = { name: tokenSecrets(serviceName)[kind], namespace: where, labels: labels(serviceName) };
      child(`tokens/${kind}`, k8s.core.v1.Secret, { metadata, stringData });
    };
    secret("server", namespace, { [tokensFile]: pulumi.all(accepted).apply((all) => `${all.join("\n")}\n`) });
    secret("holmes", holmes.namespace, { token: accepted[0]! });
    this.registerOutputs();
  }
}

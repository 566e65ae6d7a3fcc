import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labels, tokenSecrets, tokensFile } from "../documents/names.js";
import type { BearerAuthentication } from "../documents/workload.js";
import { renamed } from "./renamed.js";

export interface BearerTokensArgs extends BearerAuthentication {
  /** Name of the server's Deployment and Service. */
  readonly serviceName: string;
  /** Namespace of the server. It must exist. */
  readonly namespace: string;
  /** Namespace of Holmes. It must exist. */
  readonly holmesNamespace: string;
  /** Previous name of a renamed cluster. */
  readonly previousName?: string | undefined;
}

/** Bearer tokens of one cluster's server, and the Secrets that pass them to the server and to Holmes. */
export class BearerTokens extends pulumi.ComponentResource {
  constructor(cluster: string, args: BearerTokensArgs, opts: pulumi.ComponentResourceOptions) {
    const { serviceName, namespace, holmesNamespace, tokenVersion, previousName } = args;
    super(
      "holmes-aws-mcp:index:BearerTokens",
      `${cluster}/tokens`,
      { namespace, holmesNamespace, tokenVersion },
      { ...opts, ...renamed(previousName, "/tokens") },
    );
    const options = (kind: string) => ({ parent: this, ...renamed(previousName, `/tokens/${kind}`) });
    // The previous token stays valid until the next rotation, so that no call fails while Holmes switches.
    const versions = [tokenVersion, tokenVersion - 1].filter((version) => version >= 1);
    const accepted: pulumi.Output<string>[] =
      args.tokens?.map((token) => pulumi.secret(token)) ??
      versions.map(
        (version) =>
          new random.RandomPassword(
            `${cluster}/tokens/${version}`,
            { length: 48, special: false },
            options(String(version)),
          ).result,
      );
    const metadata = (name: string, where: string) => ({ name, namespace: where, labels: labels(serviceName) });
    new k8s.core.v1.Secret(
      `${cluster}/tokens/server`,
      {
        metadata: metadata(tokenSecrets(serviceName).server, namespace),
        stringData: { [tokensFile]: pulumi.all(accepted).apply((tokens) => `${tokens.join("\n")}\n`) },
      },
      options("server"),
    );
    new k8s.core.v1.Secret(
      `${cluster}/tokens/holmes`,
      { metadata: metadata(tokenSecrets(serviceName).holmes, holmesNamespace), stringData: { token: accepted[0]! } },
      options("holmes"),
    );
    this.registerOutputs();
  }
}

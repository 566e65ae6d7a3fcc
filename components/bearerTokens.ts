import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labels, tokenSecrets, tokensFile } from "../config/names.js";
import { childrenOf, renamed } from "./renamed.js";

export interface BearerTokensArgs {
  /** Name of the server's Deployment and Service. */
  readonly serviceName: string;
  /** Namespace of the server. It must exist. */
  readonly namespace: string;
  /** Namespace of Holmes. It must exist. */
  readonly holmesNamespace: string;
  /** Version of the generated token. A higher version rotates it. */
  readonly tokenVersion: number;
  /** Tokens to use instead of generated ones. Holmes uses the first, the server accepts all. */
  readonly tokens?: readonly string[] | undefined;
  /** Previous name of a renamed cluster. */
  readonly previousName?: string | undefined;
}

/** Bearer tokens of one cluster's server, and the Secrets that pass them to the server and to Holmes. */
export class BearerTokens extends pulumi.ComponentResource {
  constructor(cluster: string, args: BearerTokensArgs, opts: pulumi.ComponentResourceOptions) {
    const { serviceName, namespace, holmesNamespace, tokenVersion, tokens, previousName } = args;
    super(
      "holmes-aws-mcp:index:BearerTokens",
      `${cluster}/tokens`,
      { namespace, holmesNamespace, tokenVersion },
      { ...opts, ...renamed(previousName, "/tokens") },
    );
    const child = childrenOf(this, cluster, previousName);
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
    secret("holmes", holmesNamespace, { token: accepted[0]! });
    this.registerOutputs();
  }
}

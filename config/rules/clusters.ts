import { existsSync, statSync } from "node:fs";
import { issuerUrl, limits, rules } from "../limits.js";
import { type Path, type Problems, pathText } from "../problems.js";
import { kubeconfigPath } from "../settings.js";
import { type ConfigReading, entries, type Rule, unique, valuesOf } from "./rule.js";

type Cluster = ConfigReading["clusters"][number];

function issuerOf({ oidcIssuerId, oidcIssuerUrl, region }: Cluster): string | undefined {
  return oidcIssuerUrl ?? (oidcIssuerId && region ? issuerUrl(region, oidcIssuerId) : undefined);
}

/** An issuer of EKS, including dual-stack issuers. */
const eksIssuer = /^https:\/\/oidc[.-]eks\./;

function checkIssuer(cluster: Cluster, path: Path, problems: Problems): void {
  const { oidcIssuerId: id, oidcIssuerUrl: url, region, profile, previousIssuers } = cluster;
  if (id && url && url.split("/").at(-1) !== id) {
    const expected = `a URL that ends in ${id} (oidcIssuerId)`;
    problems.add([...path, "oidcIssuerUrl"], url, expected, "Set only one of the two keys.");
  }
  if (id === undefined && url === undefined && profile === undefined) {
    problems.add(
      [...path, "oidcIssuerId"],
      undefined,
      "oidcIssuerId, oidcIssuerUrl, or profile (to look up the issuer in EKS)",
      "Run: aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text",
    );
  }
  if (!region) return;
  const start = issuerUrl(region, "");
  const dualStack = new RegExp(`^https://oidc-eks\\.${region}\\.[^/]+/id/`);
  const previous = entries([...path, "previousIssuers"], previousIssuers);
  for (const [place, issuer] of [[[...path, "oidcIssuerUrl"], url] as const, ...previous]) {
    if (!issuer || !eksIssuer.test(issuer)) continue;
    const { pattern, expected, fix } = rules.oidcIssuerId;
    const rest = issuer.replace(start, "").replace(dualStack, "");
    if (pattern.test(rest)) continue;
    const byRegion = `Correct the issuer, or the region of the cluster (${region}).`;
    problems.add(place, issuer, `${start} and ${expected}`, rest === issuer ? byRegion : fix?.(rest));
  }
}

/** Parts of a kubeconfig that are credentials. */
const credential = /^\s*"?(token|password|client-key-data|id-token|refresh-token)"?:\s*\S/m;

/** Clusters that the server is deployed to, with their paths. */
const deployedTo = ({ clusters, mcp }: ConfigReading) =>
  entries(["clusters"], clusters).filter(([, { deploy }]) => mcp.enabled !== false && deploy !== false);

export const clusterRules: readonly Rule[] = [
  {
    says: "Names (case-insensitive) must be unique.",
    check: ({ clusters }, problems) =>
      unique(problems, valuesOf(["clusters"], clusters, "name"), "a unique cluster name"),
  },
  {
    says: "Issuers, including `previousIssuers`, must be unique.",
    check: ({ clusters }, problems) =>
      unique(
        problems,
        entries(["clusters"], clusters).flatMap(([path, cluster]) => {
          const key = cluster.oidcIssuerUrl === undefined ? "oidcIssuerId" : "oidcIssuerUrl";
          const current = [[...path, key], issuerOf(cluster)] as const;
          return [current, ...entries([...path, "previousIssuers"], cluster.previousIssuers)];
        }),
        "a unique issuer",
      ),
  },
  {
    says: `A stack can have at most ${limits.oidcProvidersPerAccount} issuers, the IAM quota of OIDC providers per account. The quota is not adjustable.`,
    check: ({ clusters }, problems) => {
      const issuers = clusters.flatMap(({ previousIssuers }) => [true, ...previousIssuers]).length;
      if (issuers <= limits.oidcProvidersPerAccount) return;
      problems.say(
        ["clusters"],
        `${issuers} issuers`,
        `at most ${limits.oidcProvidersPerAccount}, the IAM quota of OIDC providers per account`,
        "Split the clusters across stacks with different target accounts.",
      );
    },
  },
  {
    says: "Each cluster requires `oidcIssuerId`, `oidcIssuerUrl` or `profile`. The ID and the URL must match. An EKS issuer must have the URL format of EKS and the region of the cluster.",
    check: ({ clusters }, problems) => {
      for (const [path, cluster] of entries(["clusters"], clusters)) checkIssuer(cluster, path, problems);
    },
  },
  {
    says: "A cluster that the server is deployed to requires `kubeconfig`, `context` or `profile`. With a self-hosted issuer, it requires `kubeconfig` or `context`.",
    check: (config, problems) => {
      for (const [path, { kubeconfig, context, oidcIssuerUrl, profile }] of deployedTo(config)) {
        if (kubeconfig !== undefined || context !== undefined) continue;
        if (profile !== undefined && (!oidcIssuerUrl || eksIssuer.test(oidcIssuerUrl))) continue;
        problems.add(
          [...path, "kubeconfig"],
          undefined,
          "kubeconfig, context, or, if EKS is the issuer, profile (to generate a kubeconfig)",
          "Set one of these keys, or set deploy: false if the server must not run in the cluster.",
        );
      }
    },
  },
  {
    says: "A kubeconfig that contains a token, password or private key must be a Pulumi secret.",
    check: ({ clusters }, problems, isSecret) => {
      for (const [path, kubeconfig] of valuesOf(["clusters"], clusters, "kubeconfig")) {
        if (!credential.test(kubeconfig ?? "") || isSecret("clusters")) continue;
        const fix = `Run: pulumi config set --path --secret 'holmes-aws-mcp:${pathText(path)}' < FILE`;
        const expected = "a Pulumi secret, a path, or an exec credential";
        problems.say(path, "a credential in plain text", expected, fix);
      }
    },
  },
  {
    says: "A single-line `kubeconfig` must be the path of an existing file, relative to the project directory or to `~/`.",
    check: (config, problems) => {
      for (const [path, { kubeconfig }] of deployedTo(config)) {
        if (!kubeconfig || kubeconfig.includes("\n")) continue;
        // Pipes are valid: bash creates one for <(…). existsSync is false for text that cannot be a path.
        const file = kubeconfigPath(kubeconfig);
        if (existsSync(file) && !statSync(file).isDirectory()) continue;
        const expected = "the path of a kubeconfig file, or its content as a multi-line string";
        problems.say([...path, "kubeconfig"], "no file at this path", expected);
      }
    },
  },
  {
    says: `A stack can have at most ${limits.clusterAccountPairs.toLocaleString("en-US")} pairs of a cluster and a managed account. Each pair is an OIDC provider in the Pulumi state.`,
    check: ({ clusters, targetAccounts }, problems) => {
      const pairs = targetAccounts.filter(({ manage }) => manage !== false).length * clusters.length;
      if (pairs <= limits.clusterAccountPairs) return;
      problems.say(
        ["targetAccounts"],
        `${pairs} pairs of a cluster and a managed account`,
        `at most ${limits.clusterAccountPairs}`,
        "Split the accounts across stacks, or use a StackSet (organization, see docs/accounts.md).",
      );
    },
  },
];

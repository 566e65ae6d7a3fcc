import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { dnsSuffixOf, issuerUrl, limits, rules } from "../limits.js";
import type { Path, Problems } from "../problems.js";
import type { Reading } from "../reading.js";
import type { Config } from "../schema.js";
import { type Rule, unique } from "./rule.js";

type Cluster = Reading<Config>["clusters"][number];

function issuerOf({ oidcIssuerId, oidcIssuerUrl, region }: Cluster): string | undefined {
  return oidcIssuerUrl ?? (oidcIssuerId && region ? issuerUrl(region, oidcIssuerId) : undefined);
}

/** Region, DNS suffix and path of an EKS issuer, including dual-stack issuers. Undefined for any other issuer. */
function eksIssuer(url: string | null | undefined) {
  const [, plain, dual, suffix, path] =
    url?.match(/^https:\/\/oidc(?:\.eks\.([^./]+)|-eks\.([^./]+))\.([^/]+)(.*)$/) ?? [];
  const region = plain ?? dual;
  if (region === undefined || suffix === undefined || path === undefined) return undefined;
  return { region, suffix, path, expectedSuffix: dual === undefined ? dnsSuffixOf(region) : suffix };
}

function checkIssuer(cluster: Cluster, path: Path, problems: Problems): void {
  const { oidcIssuerId: id, oidcIssuerUrl: url, region, profile, previousIssuers } = cluster;
  if (id && url && url.split("/").at(-1) !== id) {
    const expected = `the URL that ends in ${id}, as oidcIssuerId says`;
    problems.add([...path, "oidcIssuerUrl"], url, expected, "Give one of the two.");
  }
  if (id === undefined && url === undefined && profile === undefined) {
    problems.add(
      [...path, "oidcIssuerId"],
      undefined,
      "oidcIssuerId or oidcIssuerUrl, or profile to look the issuer up from EKS",
      "aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text",
    );
  }
  const issuers = [
    [[...path, "oidcIssuerUrl"], url] as const,
    ...previousIssuers.map((previous, at) => [[...path, "previousIssuers", at], previous] as const),
  ];
  for (const [place, issuer] of issuers) {
    const eks = eksIssuer(issuer);
    if (eks === undefined) continue;
    const id = eks.path.match(/^\/id\/([^/]*)$/)?.[1];
    if (id === undefined) {
      problems.add(place, issuer, "the path /id/ and the issuer id after an EKS host");
    } else if (!rules.oidcIssuerId.pattern.test(id)) {
      problems.add(place, issuer, `after /id/ ${rules.oidcIssuerId.expected}`, rules.oidcIssuerId.fix?.(id));
    }
    if (region !== null && eks.region !== region) {
      problems.add(place, issuer, `an issuer in ${region}, the cluster's region`);
    } else if (eks.suffix !== eks.expectedSuffix) {
      problems.add(place, issuer, `an issuer under ${eks.expectedSuffix}, as EKS has it in ${eks.region}`);
    }
  }
}

/** Checks that the program can access a cluster that it deploys to. */
function checkReach({ kubeconfig, context, oidcIssuerUrl, profile }: Cluster, path: Path, problems: Problems): void {
  if (kubeconfig !== undefined || context !== undefined) return;
  const selfHosted = Boolean(oidcIssuerUrl) && eksIssuer(oidcIssuerUrl) === undefined;
  if (profile !== undefined && !selfHosted) return;
  problems.add(
    [...path, "kubeconfig"],
    undefined,
    selfHosted
      ? "kubeconfig or context, because the issuer is not one of EKS"
      : "kubeconfig, context, or profile to make a kubeconfig from EKS",
    "Set one, or deploy: false when the server does not run there.",
  );
}

/** Parts of a kubeconfig that are credentials. */
const credential = /^\s*"?(token|password|client-key-data|id-token|refresh-token)"?:\s*\S/m;

/** A single-line text is a path (documents/kubeconfig.ts). */
function checkKubeconfigFile(kubeconfig: string | null | undefined, path: Path, problems: Problems): void {
  if (!kubeconfig || kubeconfig.includes("\n")) return;
  const full = kubeconfig.startsWith("~/") ? join(homedir(), kubeconfig.slice(2)) : kubeconfig;
  const stats = full.includes("\0") ? undefined : statSync(full, { throwIfNoEntry: false });
  // Pipes are valid: bash creates one for <(…).
  if (stats !== undefined && !stats.isDirectory()) return;
  problems.say(
    path,
    stats === undefined ? "a path where there is no file" : "a folder",
    "the path of a kubeconfig file, or its content as a text of several lines",
  );
}

/** Clusters that the server is deployed to, with their paths. */
const deployedTo = ({ clusters, mcp }: Reading<Config>) =>
  [...clusters.entries()]
    .filter(([, { deploy }]) => mcp.enabled !== false && deploy !== false)
    .map(([index, cluster]) => ({ cluster, path: ["clusters", index] }));

export const clusterRules: readonly Rule[] = [
  {
    says: "Names must be unique, regardless of case.",
    check: ({ clusters }, problems) =>
      unique(
        problems,
        clusters.map(({ name }, index) => [["clusters", index, "name"], name]),
        "a name that no other cluster has",
      ),
  },
  {
    says: "Issuers must be unique, `previousIssuers` included.",
    check: ({ clusters }, problems) =>
      unique(
        problems,
        clusters.flatMap((cluster, index) => {
          const key = cluster.oidcIssuerUrl === undefined ? "oidcIssuerId" : "oidcIssuerUrl";
          return [
            [["clusters", index, key], issuerOf(cluster)] as const,
            ...cluster.previousIssuers.map((url, at) => [["clusters", index, "previousIssuers", at], url] as const),
          ];
        }),
        "an issuer that no other entry has",
      ),
  },
  {
    says: "At most 100 issuers in a stack: IAM's quota of OIDC providers for an account, not adjustable.",
    check: ({ clusters }, problems) => {
      const issuers = clusters.flatMap(({ previousIssuers }) => [true, ...previousIssuers]).length;
      if (issuers <= limits.oidcProvidersPerAccount) return;
      problems.say(
        ["clusters"],
        `${issuers} issuers`,
        `at most ${limits.oidcProvidersPerAccount}, IAM's quota of OIDC providers for an account`,
        "Split the clusters over stacks whose target accounts differ.",
      );
    },
  },
  {
    says: "Each cluster needs `oidcIssuerId`, `oidcIssuerUrl` or `profile`. An id and a URL must agree, and an issuer of EKS must have the form and the region that EKS gives it.",
    check: ({ clusters }, problems) => {
      for (const [index, cluster] of clusters.entries()) checkIssuer(cluster, ["clusters", index], problems);
    },
  },
  {
    says: "Where the server is deployed: `kubeconfig`, `context` or `profile`; for a self-hosted issuer one of the first two.",
    check: (config, problems) => {
      for (const { cluster, path } of deployedTo(config)) checkReach(cluster, path, problems);
    },
  },
  {
    says: "A kubeconfig with a token, password or key in it must be a Pulumi secret.",
    check: ({ clusters }, problems, isSecret) => {
      for (const [index, { kubeconfig }] of clusters.entries()) {
        if (!credential.test(kubeconfig ?? "") || isSecret("clusters")) continue;
        problems.say(
          ["clusters", index, "kubeconfig"],
          "a credential in plain text",
          "a Pulumi secret, a path, or an exec credential",
          `pulumi config set --path --secret 'holmes-aws-mcp:clusters[${index}].kubeconfig' < FILE`,
        );
      }
    },
  },
  {
    says: "A `kubeconfig` of one line is the path of a file that exists, relative to the project's folder or to `~/`.",
    check: (config, problems) => {
      for (const { cluster, path } of deployedTo(config))
        checkKubeconfigFile(cluster.kubeconfig, [...path, "kubeconfig"], problems);
    },
  },
  {
    says: "At most 10,000 pairs of a cluster and a managed account: each is an OIDC provider in the state.",
    check: ({ clusters, targetAccounts }, problems) => {
      const pairs = targetAccounts.filter(({ manage }) => manage !== false).length * clusters.length;
      if (pairs <= limits.clusterAccountPairs) return;
      problems.say(
        ["targetAccounts"],
        `${pairs} pairs of a cluster and a managed account`,
        `at most ${limits.clusterAccountPairs}`,
        "Split the accounts over stacks, or leave them to a StackSet (organization, docs/accounts.md).",
      );
    },
  },
];

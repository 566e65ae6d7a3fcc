import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { doc, flag, integer, object, set, text } from "../fields.js";
import { dnsSuffixOf, issuerUrl, limits, rules } from "../limits.js";
import type { Path, Problems } from "../problems.js";
import { type Row, type Rule, rows, serverEnabled, textOf, texts, unique } from "../rules.js";

export const clusterSchema = object({
  name: doc(text(rules.clusterName), "Name of the cluster in this stack.", "prod-us-east-1"),
  eksName: doc(
    text(rules.clusterName).optional(),
    "Name of the cluster in EKS, where it is another: two regions may have clusters of one name. Default: `name`.",
    "prod",
  ),
  previousName: doc(
    text(rules.clusterName).optional(),
    "The name that this cluster had in the stack before it was renamed, so that its resources are kept.",
    "production",
  ),
  region: doc(text(rules.region), "Region of the cluster.", "us-east-1"),
  accountId: doc(text(rules.accountId), "Account of the cluster, in quotes.", "111111111111"),
  oidcIssuerId: doc(
    text(rules.oidcIssuerId).optional(),
    "Last part of the issuer URL. This or `oidcIssuerUrl`; both must agree; neither: looked up from EKS with `profile`.",
    "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  oidcIssuerUrl: doc(
    text(rules.oidcIssuerUrl).optional(),
    "The whole issuer URL; the way to name a self-hosted issuer.",
    "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9",
  ),
  previousIssuers: doc(
    set(text(rules.oidcIssuerUrl), "issuer URLs").default([]),
    "Issuer URLs that are trusted as well, while a re-created cluster takes over. Empty it afterwards.",
    ["https://oidc.eks.us-east-1.amazonaws.com/id/9F8E7D6C5B4A39281706F5E4D3C2B1A0"],
  ),
  profile: doc(
    text(rules.profile).optional(),
    "AWS profile of the cluster's account, for look-ups from EKS and for the kubeconfig made from them.",
    "clusters",
  ),
  kubeconfig: doc(
    z
      .string({ error: "the path of a kubeconfig file, or its content as a text" })
      .regex(/\S/, { error: "the path of a kubeconfig file, or its content as a text" })
      .optional(),
    "Path of a kubeconfig file, or its content (set that as a secret when a credential is in it). Neither this nor `context`: made from EKS with an exec credential.",
    "~/.kube/prod",
  ),
  context: doc(
    text({
      pattern: /^[^\p{Cc}\s]([^\p{Cc}]*[^\p{Cc}\s])?$/u,
      expected: "a text of one line without spaces at its ends",
    }).optional(),
    "Context of the kubeconfig; alone, of the kubeconfig that kubectl would use.",
    "prod-us-east-1",
  ),
  deploy: doc(
    flag().default(true),
    "Whether the MCP server is deployed to this cluster; false: it is only trusted.",
    false,
  ),
  roleNumber: doc(
    integer(1, 20).optional(),
    "Pins the cluster to a numbered role where the clusters need several (docs/limits.md). Default: filled in the order of the list.",
    2,
  ),
});

function issuerOf(cluster: Row): string | undefined {
  const id = textOf(cluster.oidcIssuerId);
  const region = textOf(cluster.region);
  return (
    textOf(cluster.oidcIssuerUrl) ?? (id !== undefined && region !== undefined ? issuerUrl(region, id) : undefined)
  );
}

/** Region, DNS suffix and path of an EKS issuer, including dual-stack issuers. Undefined for any other issuer. */
function eksIssuer(url: string | undefined) {
  const [, plain, dual, suffix, path] =
    url?.match(/^https:\/\/oidc(?:\.eks\.([^./]+)|-eks\.([^./]+))\.([^/]+)(.*)$/) ?? [];
  const region = plain ?? dual;
  if (region === undefined || suffix === undefined || path === undefined) return undefined;
  return { region, suffix, path, expectedSuffix: dual === undefined ? dnsSuffixOf(region) : suffix };
}

const isEks = (url: string) => eksIssuer(url) !== undefined;

function checkIssuer(cluster: Row, path: Path, problems: Problems): void {
  const id = textOf(cluster.oidcIssuerId);
  const url = textOf(cluster.oidcIssuerUrl);
  const region = textOf(cluster.region);
  if (id !== undefined && url !== undefined && url.split("/").at(-1) !== id) {
    problems.add(
      [...path, "oidcIssuerUrl"],
      url,
      `the URL that ends in ${id}, as oidcIssuerId says`,
      "Give one of the two.",
    );
  }
  if (cluster.oidcIssuerId === undefined && cluster.oidcIssuerUrl === undefined && cluster.profile === undefined) {
    problems.add(
      [...path, "oidcIssuerId"],
      undefined,
      "oidcIssuerId or oidcIssuerUrl, or profile to look the issuer up from EKS",
      "aws eks describe-cluster --name NAME --query cluster.identity.oidc.issuer --output text",
    );
  }
  const issuers: Array<readonly [Path, string | undefined]> = [
    [[...path, "oidcIssuerUrl"], url],
    ...texts(cluster.previousIssuers).map((previous, at) => [[...path, "previousIssuers", at], previous] as const),
  ];
  for (const [place, issuer] of issuers) {
    const eks = eksIssuer(issuer);
    if (eks === undefined || !rules.oidcIssuerUrl.pattern.test(issuer ?? "")) continue;
    const id = eks.path.match(/^\/id\/([^/]*)$/)?.[1];
    if (id === undefined) {
      problems.add(place, issuer, "the path /id/ and the issuer id after an EKS host");
    } else if (!rules.oidcIssuerId.pattern.test(id)) {
      problems.add(place, issuer, `after /id/ ${rules.oidcIssuerId.expected}`, rules.oidcIssuerId.fix?.(id));
    }
    if (region !== undefined && eks.region !== region) {
      problems.add(place, issuer, `an issuer in ${region}, the cluster's region`);
    } else if (eks.suffix !== eks.expectedSuffix) {
      problems.add(place, issuer, `an issuer under ${eks.expectedSuffix}, as EKS has it in ${eks.region}`);
    }
  }
}

/** Checks that the program can access a cluster that it deploys to. */
function checkReach(cluster: Row, path: Path, problems: Problems): void {
  if (cluster.kubeconfig !== undefined || cluster.context !== undefined) return;
  const url = textOf(cluster.oidcIssuerUrl);
  const selfHosted = url !== undefined && !isEks(url);
  if (cluster.profile !== undefined && !selfHosted) return;
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
function checkKubeconfigFile(kubeconfig: string | undefined, path: Path, problems: Problems): void {
  if (kubeconfig === undefined || kubeconfig.includes("\n") || kubeconfig.trim() === "") return;
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

export const clusterRules: readonly Rule[] = [
  {
    says: "Names must be unique, regardless of case.",
    check: (config, problems, _isSecret) => {
      const clusters = rows(config.clusters);
      unique(
        problems,
        clusters.map((cluster, index) => [["clusters", index, "name"], textOf(cluster.name)]),
        "a name that no other cluster has",
      );
    },
  },
  {
    says: "Issuers must be unique, `previousIssuers` included.",
    check: (config, problems, _isSecret) => {
      const clusters = rows(config.clusters);
      unique(
        problems,
        clusters.flatMap((cluster, index) => {
          const key = cluster.oidcIssuerUrl === undefined ? "oidcIssuerId" : "oidcIssuerUrl";
          return [
            [["clusters", index, key], issuerOf(cluster)] as const,
            ...texts(cluster.previousIssuers).map(
              (url, at) => [["clusters", index, "previousIssuers", at], url] as const,
            ),
          ];
        }),
        "an issuer that no other entry has",
      );
    },
  },
  {
    says: "At most 100 issuers in a stack: IAM's quota of OIDC providers for an account, not adjustable.",
    check: (config, problems, _isSecret) => {
      const clusters = rows(config.clusters);
      const issuers = clusters.reduce((sum, cluster) => sum + 1 + texts(cluster.previousIssuers).length, 0);
      if (issuers > limits.oidcProvidersPerAccount) {
        problems.say(
          ["clusters"],
          `${issuers} issuers`,
          `at most ${limits.oidcProvidersPerAccount}, IAM's quota of OIDC providers for an account`,
          "Split the clusters over stacks whose target accounts differ.",
        );
      }
    },
  },
  {
    says: "Each cluster needs `oidcIssuerId`, `oidcIssuerUrl` or `profile`. An id and a URL must agree, and an issuer of EKS must have the form and the region that EKS gives it.",
    check: (config, problems, _isSecret) => {
      for (const [index, cluster] of rows(config.clusters).entries())
        checkIssuer(cluster, ["clusters", index], problems);
    },
  },
  {
    says: "Where the server is deployed: `kubeconfig`, `context` or `profile`; for a self-hosted issuer one of the first two.",
    check: (config, problems, _isSecret) => {
      if (!serverEnabled(config)) return;
      for (const [index, cluster] of rows(config.clusters).entries()) {
        if (cluster.deploy !== false) checkReach(cluster, ["clusters", index], problems);
      }
    },
  },
  {
    says: "A kubeconfig with a token, password or key in it must be a Pulumi secret.",
    check: (config, problems, isSecret) => {
      for (const [index, cluster] of rows(config.clusters).entries()) {
        if (!credential.test(textOf(cluster.kubeconfig) ?? "") || isSecret("clusters")) continue;
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
    check: (config, problems, _isSecret) => {
      if (!serverEnabled(config)) return;
      for (const [index, { deploy, kubeconfig }] of rows(config.clusters).entries()) {
        if (deploy !== false) checkKubeconfigFile(textOf(kubeconfig), ["clusters", index, "kubeconfig"], problems);
      }
    },
  },
  {
    says: "At most 10,000 pairs of a cluster and a managed account: each is an OIDC provider in the state.",
    check: (config, problems, _isSecret) => {
      const managed = rows(config.targetAccounts).filter(({ manage }) => manage !== false).length;
      const pairs = managed * rows(config.clusters).length;
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

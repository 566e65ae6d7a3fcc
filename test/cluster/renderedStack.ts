// What the plan renders for the clusters of a stack, and the stack's IAM half put into an emulated AWS.
import { CreateOpenIDConnectProviderCommand } from "@aws-sdk/client-iam";
import { parseAllDocuments } from "yaml";
import type { Evaluation } from "../../scripts/common/evaluate.js";
import { EmulatedAws } from "../../scripts/emulation/emulatedAws.js";
import { planFiles } from "../../scripts/plan/files.js";

/** Any object of the Kubernetes API, as far as tests look into all of them. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    managedFields?: { manager: string; subresource?: string }[];
    [field: string]: unknown;
  };
  [field: string]: any;
}

/** `manifests.yaml` of one cluster, as the plan writes it. */
export function manifests(evaluation: Evaluation, cluster: string): string {
  const path = `clusters/${cluster}/manifests.yaml`;
  const text = planFiles(evaluation).get(path);
  if (text === undefined) throw new Error(`the plan of stack ${evaluation.stack} has no ${path}`);
  return text;
}

export function objects(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS());
}

/**
 * Makes a stack's OIDC providers and roles in moto, each in the account that its own provider is bound to. Providers
 * that the config lists as existing are created as well, as their owner would.
 */
export async function provision(evaluation: Evaluation, url: string): Promise<void> {
  const { settings, clusters } = evaluation;
  const aws = new EmulatedAws(url);
  for (const { accountId, existingOidcProviders } of settings.targetAccounts) {
    for (const { issuerUrl: Url } of clusters.filter(({ name }) => existingOidcProviders.includes(name))) {
      const ClientIDList = ["sts.amazonaws.com"];
      await aws.in(accountId, "aws").send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList }));
    }
  }
  await aws.create(evaluation, settings.targetAccounts);
}

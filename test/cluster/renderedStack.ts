// What the plan renders for the clusters of a stack, and the stack's IAM half put into an emulated AWS.
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from "@aws-sdk/client-iam";
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
export async function provision({ resources, settings, clusters }: Evaluation, url: string): Promise<void> {
  const aws = new EmulatedAws(url);
  const accountOf = (provider: string | undefined): string => {
    const allowed = resources.find(({ type, name }) => type === "pulumi:providers:aws" && name === provider)?.inputs
      .allowedAccountIds;
    const [id] = typeof allowed === "string" ? JSON.parse(allowed) : (allowed as string[]);
    return id;
  };
  try {
    for (const { accountId, existingOidcProviders } of settings.targetAccounts) {
      for (const { issuerUrl } of clusters.filter(({ name }) => existingOidcProviders.includes(name))) {
        await aws
          .in(accountId, "aws")
          .send(new CreateOpenIDConnectProviderCommand({ Url: issuerUrl, ClientIDList: ["sts.amazonaws.com"] }));
      }
    }
    for (const { type, provider, open } of resources) {
      if (type === "aws:iam/openIdConnectProvider:OpenIdConnectProvider") {
        const iam = aws.in(accountOf(provider), "aws");
        const ClientIDList = open.clientIdLists as string[];
        await iam.send(new CreateOpenIDConnectProviderCommand({ Url: String(open.url), ClientIDList }));
      } else if (type === "aws:iam/role:Role") {
        const iam = aws.in(accountOf(provider), "aws");
        await iam.send(
          new CreateRoleCommand({
            RoleName: String(open.name),
            Path: String(open.path ?? "/"),
            MaxSessionDuration: Number(open.maxSessionDuration),
            AssumeRolePolicyDocument: String(open.assumeRolePolicy),
          }),
        );
      }
    }
  } finally {
  }
}

/** A stack on this machine: an emulated AWS with the stack's roles, and the real MCP server of each cluster. */
import { join } from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { paths } from "../../config/names.js";
import { trustRoles } from "../../config/profiles.js";
import { AUDIENCE } from "../../policies/trust.js";
import type { Evaluation } from "../common/evaluate.js";
import type { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import { EmulatedAws } from "./emulatedAws.js";
import { ensureGateway } from "./gateway.js";
import { startLocalPod } from "./localPod.js";
import type { McpEndpoint } from "./mcpClient.js";
import { startMoto } from "./moto.js";
import { ensurePython } from "./python.js";
import { startServiceReferenceProxy } from "./serviceReference.js";
import { startStsFront } from "./stsFront.js";
import { ClusterIssuer } from "./tokens.js";

export type LocalStack = Awaited<ReturnType<typeof startLocalStack>>;

/**
 * @param processes stops everything
 * @param evaluation the stack
 * @param accounts that get their OIDC providers and roles. Default: all.
 * @throws UserError when a prerequisite is missing on this machine
 */
export async function startLocalStack(
  processes: Processes,
  evaluation: Evaluation,
  accounts = evaluation.settings.targetAccounts,
) {
  const { mcp } = evaluation.settings;
  toStderr(`\nPreparing moto (the emulated AWS)${mcp.enabled ? ", the MCP server and the gateway" : ""}`);
  // Together, so that a failed install is reported before anything starts.
  const [python, gateway] = mcp.enabled ? await Promise.all([ensurePython(), ensureGateway()]) : [];
  const temporary = processes.temporaryFolder();

  toStderr("Starting the emulated AWS");
  const moto = await startMoto(processes);
  const issuers = new Map(evaluation.clusters.map(({ name, issuerUrl }) => [name, new ClusterIssuer(issuerUrl)]));
  const keys = new Map([...issuers.values()].map((issuer) => [issuer.issuerUrl, issuer.jwks()]));
  const sts = await startStsFront(moto.url, keys);
  processes.onStop(() => sts.close());
  const aws = new EmulatedAws(sts.url);

  toStderr("Creating the AWS resources of the stack in the emulated AWS");
  await createExisting(aws, evaluation);
  await aws.create(evaluation, accounts);
  const reference = mcp.enabled ? await startServiceReferenceProxy(join(temporary, "service-reference")) : undefined;
  if (reference !== undefined) processes.onStop(() => reference.close());

  return {
    /** Token issuers of the clusters, by the clusters' names. */
    issuers,
    /** URL of the emulated AWS, for clients of any account. */
    awsUrl: sts.url,
    /**
     * Starts the MCP server as the Deployment in a cluster specifies. Not with `mcp.enabled: false`.
     *
     * @param serverAwsUrl URL of a proxy between the server and the emulated AWS. Default: none.
     */
    startServer: async (cluster: string, serverAwsUrl = sts.url) => {
      toStderr(`Starting the MCP server as the Deployment in ${cluster} specifies`);
      const pod = await startLocalPod(processes, {
        workload: evaluation.resources.find(({ name }) => name === `${cluster}/deployment`)!,
        resources: evaluation.resources,
        folder: join(temporary, cluster),
        image: {
          [paths.server]: python!.launcher,
          [paths.python]: [python!.serverPython],
          [paths.gateway]: [process.execPath, gateway!],
        },
        environment: {
          AWS_ENDPOINT_URL: serverAwsUrl,
          AWS_ENDPOINT_URL_STS: sts.url,
          ...reference!.environment,
        },
        token: (subject) => issuers.get(cluster)!.token(subject),
      });
      const url = `http://127.0.0.1:${pod.port}${mcp.transport === "sse" ? "/sse" : "/mcp"}`;
      const endpoint: McpEndpoint = { transport: mcp.transport, url, token: pod.bearerToken };
      return { pod, endpoint };
    },
  };
}

/** Creates the resources that a stack expects to exist: OIDC providers and roles that are managed outside it. */
async function createExisting(aws: EmulatedAws, { settings, clusters }: Evaluation): Promise<void> {
  for (const account of settings.targetAccounts) {
    const iam = aws.in(account.accountId, account.partition);
    for (const { name, issuerUrl, previousIssuers } of clusters) {
      const there = account.existingOidcProviders.includes(name) || !account.manage;
      for (const Url of there ? [issuerUrl, ...previousIssuers] : []) {
        await iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: [AUDIENCE] }));
      }
    }
    if (account.manage) continue;
    for (const { name: RoleName, document } of trustRoles(settings, account, clusters)) {
      const AssumeRolePolicyDocument = JSON.stringify(document);
      await iam.send(new CreateRoleCommand({ RoleName, Path: settings.iam.path, AssumeRolePolicyDocument }));
      for (const policy of account.permissions.policies) {
        const PolicyDocument = JSON.stringify(policy.document);
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: policy.name, PolicyDocument }));
      }
    }
  }
}

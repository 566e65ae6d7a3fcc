/** The complete path from an MCP client to AWS on this machine: emulated AWS with the stack's roles, real server. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { trustRoles } from "../../documents/profiles.js";
import { minify } from "../../policies/size.js";
import { AUDIENCE, roleNameFor } from "../../policies/trust.js";
import { UserError } from "../common/errors.js";
import { type Evaluation, evaluate, type Load } from "../common/evaluate.js";
import type { Processes } from "../common/processes.js";
import { toStderr } from "../common/progress.js";
import type { StackConfig } from "../common/stackFile.js";
import { EmulatedAws } from "./emulatedAws.js";
import { ensureGateway } from "./gateway.js";
import { imageCommands, type LocalPod, startLocalPod } from "./localPod.js";
import type { McpEndpoint } from "./mcpClient.js";
import { startMoto } from "./moto.js";
import { ensurePython } from "./python.js";
import { startServiceReferenceProxy } from "./serviceReference.js";
import { startStsFront } from "./stsFront.js";
import { ClusterIssuer } from "./tokens.js";

export interface Chain {
  readonly evaluation: Evaluation;
  /** The first cluster that the server is deployed to. */
  readonly cluster: Evaluation["clusters"][number];
  readonly issuer: ClusterIssuer;
  readonly pod: LocalPod;
  readonly endpoint: McpEndpoint;
  /** URL of the emulated AWS, for clients of any account. */
  readonly awsUrl: string;
}

/**
 * @param plan the stack, evaluated without AWS
 * @param front starts a proxy between the server and the emulated AWS at this address. Default: none.
 * @param load as for `evaluate`
 * @throws UserError when a prerequisite is missing on this machine, or the stack deploys no server
 */
export async function startChain(
  processes: Processes,
  stack: string,
  config: StackConfig,
  plan: Evaluation,
  front: (awsUrl: string) => Promise<string> = async (awsUrl) => awsUrl,
  load?: Load,
): Promise<Chain> {
  toStderr("\nThe parts: moto as AWS, the MCP server and the gateway with the image's own packages");
  const [{ launcherBin, serverPython }, gateway] = await Promise.all([ensurePython(toStderr), ensureGateway(toStderr)]);
  const temporary = await mkdtemp(join(tmpdir(), "holmes-aws-mcp-"));
  processes.onStop(() => rm(temporary, { recursive: true, force: true }));

  toStderr("Starting the emulated AWS");
  const moto = await startMoto(processes);
  const issuers = plan.clusters.map(({ issuerUrl }) => new ClusterIssuer(issuerUrl));
  const keys = new Map(
    await Promise.all(issuers.map(async (issuer) => [issuer.issuerUrl, await issuer.jwks()] as const)),
  );
  const sts = await startStsFront({
    motoUrl: moto.url,
    keys,
    trustPolicyLimit: plan.settings.iam.trustPolicyLimit,
  });
  processes.onStop(() => sts.close());
  const aws = new EmulatedAws(sts.url);
  processes.onStop(() => aws.close());

  toStderr("Evaluating index.ts and creating its IAM resources in the emulated AWS");
  await createExisting(aws, plan);
  const evaluation = await evaluate(stack, config, aws.register(plan.settings), load);
  const cluster = evaluation.clusters.find(({ deploy }) => deploy);
  if (cluster === undefined) {
    throw new UserError(`stack ${stack} deploys no MCP server, so only its plan can be shown (npm run plan)`);
  }
  const issuer = issuers[evaluation.clusters.indexOf(cluster)]!;
  const reference = await startServiceReferenceProxy(join(temporary, "service-reference"));
  processes.onStop(() => reference.close());

  toStderr(`Starting the MCP server of ${cluster.name}'s Deployment`);
  const pod = await startLocalPod(processes, {
    workload: evaluation.resources.find(({ name }) => name === `${cluster.name}/deployment`)!,
    resources: evaluation.resources,
    folder: join(temporary, "pod"),
    image: imageCommands([launcherBin], serverPython, gateway),
    environment: {
      AWS_ENDPOINT_URL: await front(sts.url),
      AWS_ENDPOINT_URL_STS: sts.url,
      HTTPS_PROXY: reference.proxyUrl,
      NO_PROXY: "127.0.0.1",
      REQUESTS_CA_BUNDLE: reference.caBundle,
    },
    token: (subject) => issuer.token(subject),
  });
  const { transport } = evaluation.settings.mcp;
  const url = `http://127.0.0.1:${pod.port}${transport === "sse" ? "/sse" : "/mcp"}`;
  return { evaluation, cluster, issuer, pod, endpoint: { transport, url, token: pod.bearerToken }, awsUrl: sts.url };
}

/** Creates the resources that a stack expects to exist: OIDC providers and roles that are managed outside it. */
export async function createExisting(aws: EmulatedAws, { settings, clusters }: Evaluation): Promise<void> {
  for (const account of settings.targetAccounts) {
    const { iam } = await aws.in(account.accountId, account.partition);
    for (const { name, issuerUrl, previousIssuers } of clusters) {
      const there = account.existingOidcProviders.includes(name) || !account.manage;
      for (const Url of there ? [issuerUrl, ...previousIssuers] : []) {
        await iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: [AUDIENCE] }));
      }
    }
    if (account.manage) continue;
    for (const { number, document } of trustRoles(settings, account, clusters)) {
      const RoleName = roleNameFor(settings.iam.roleName, number);
      await iam.send(
        new CreateRoleCommand({ RoleName, Path: settings.iam.path, AssumeRolePolicyDocument: minify(document) }),
      );
      for (const { name, document: policy } of account.permissions.policies) {
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: name, PolicyDocument: minify(policy) }));
      }
    }
  }
}

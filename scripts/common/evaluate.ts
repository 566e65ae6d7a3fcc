/** Evaluates the real index.ts without an engine. Pulumi's mocks record every registration. */
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb.js";
import { dnsSuffixOf, issuerUrl, partitionOf } from "../../config/limits.js";
import { loadSettings } from "../../config/load.js";
import type { TrustedCluster } from "../../config/profiles.js";
import { type ClusterSettings, project, type Settings } from "../../config/settings.js";
import { iamArn } from "./iam.js";
import { mapValues } from "./mapValues.js";
import type { StackConfig } from "./stackFile.js";

/** One registered resource. */
export interface Registered {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** URN of the parent. Undefined for resources without a parent. */
  readonly parent: string | undefined;
  /** Name of the explicit provider. Undefined for components and providers, empty for a default provider. */
  readonly provider: string | undefined;
  readonly custom: boolean;
  /** Inputs as registered. Each text of a secret is `[secret]`. */
  readonly inputs: Record<string, unknown>;
  /** Inputs with secrets in plain text, for callers that create the resource. */
  readonly open: Record<string, unknown>;
  readonly dependencies: readonly string[];
  /** Import id of an existing resource. */
  readonly importId: string | undefined;
  readonly retainOnDelete: boolean;
}

export interface Evaluation {
  readonly stack: string;
  readonly settings: Settings;
  /** The clusters with their issuers. Values that only EKS knows are derived from the names of the clusters. */
  readonly clusters: readonly (ClusterSettings & TrustedCluster)[];
  /** By URN, so that the policies and roles of an account come before their attachments. */
  readonly resources: readonly Registered[];
  readonly outputs: Record<string, unknown>;
  readonly warnings: readonly string[];
}

let evaluations = 0;

/** Evaluates the program again and returns its exports. A new query makes the loader load it as a different module. */
const program = (): Promise<object> => import(/* @vite-ignore */ `../../index.ts?evaluation=${evaluations++}`);

/** @throws errors of the program: `pulumi.RunError` for an invalid config */
export async function evaluate(stack: string, config: StackConfig): Promise<Evaluation> {
  const resources: Registered[] = [];
  const warnings: string[] = [];
  const places = new Map<string, Place>();
  pulumi.runtime.setAllConfig(config.values, config.secretKeys);
  await pulumi.runtime.setMocks(
    {
      call: ({ token, inputs, provider }) => answerCall(token, inputs, placeOf(places, nameOf(provider))),
      newResource: async ({ type, name, inputs }) => {
        // The record of this request (below) already exists.
        const resource = resources.findLast((one) => one.type === type && one.name === name)!;
        if (type === "pulumi:providers:aws") {
          const { allowedAccountIds, region } = resource.open;
          places.set(name, { account: JSON.parse(String(allowedAccountIds))[0], region: String(region) });
        }
        const state = { ...inputs, ...computed(resource, places) };
        return { id: resource.importId ?? String(state.id ?? name), state };
      },
    },
    project,
    stack,
    false,
  );
  // The public type of the mock monitor does not contain the request.
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    newUrn(parent: string | undefined, type: string, name: string): string;
    registerResource(request: RegisterResourceRequest, callback: unknown): Promise<void>;
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = async (request, callback) => {
    const inputs = request.getObject()?.toJavaScript();
    const type = request.getType();
    const name = request.getName();
    const custom = request.getCustom();
    const parent = request.getParent() || undefined;
    resources.push({
      urn: monitor.newUrn(parent, type, name),
      type,
      name,
      parent: parent?.endsWith(`::pulumi:pulumi:Stack::${project}-${stack}`) ? undefined : parent,
      provider: custom && !type.startsWith("pulumi:") ? (nameOf(request.getProvider()) ?? "") : undefined,
      custom,
      inputs: withSecrets(inputs, redacted) as Record<string, unknown>,
      open: opened(inputs) as Record<string, unknown>,
      dependencies: [...request.getDependenciesList()].sort(),
      importId: request.getImportid() || undefined,
      retainOnDelete: request.getRetainondelete() ?? false,
    });
    await register(request, callback);
  };

  const { warn } = pulumi.log;
  Object.assign(pulumi.log, { warn: async (message: string) => void warnings.push(message) });
  let exported: Record<string, unknown>;
  let settings: Settings;
  try {
    settings = await loadSettings();
    exported = { ...(await program()) };
    await pulumi.runtime.disconnect();
  } finally {
    Object.assign(pulumi.log, { warn });
  }
  const outputs = await new Promise<Evaluation["outputs"]>((resolve) => pulumi.output(exported).apply(resolve));
  const clusters = settings.clusters.map((cluster) => ({
    ...cluster,
    issuerUrl: cluster.issuerUrl ?? issuerUrl(cluster.region, derivedId(cluster.name)),
  }));
  return {
    stack,
    settings,
    clusters,
    resources: resources.filter(({ type }) => type !== "pulumi:pulumi:Stack").sort((a, b) => (a.urn < b.urn ? -1 : 1)),
    outputs,
    warnings,
  };
}

/** `urn:pulumi:dev::p::pulumi:providers:aws::dev/aws::id` gives `dev/aws`. */
const nameOf = (reference: string | undefined) => reference?.split("::").at(-2);

/** Replaces each secret in a value of the wire format. */
function withSecrets(value: unknown, replace: (secret: unknown) => unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return replace(pulumi.runtime.unwrapRpcSecret(value));
  return mapValues(value, (inner) => withSecrets(inner, replace));
}

const opened = (value: unknown): unknown => withSecrets(value, opened);

/** Replaces texts and keeps the structure, so that the API server accepts a manifest with a secret. */
const redacted = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? mapValues(value, redacted) : "[secret]";

/** Digest of an image that is not built here, derived from its name. */
const digest = (name: string) => `sha256:${createHash("sha256").update(name).digest("hex")}`;

/** Account and region of a provider. */
interface Place {
  readonly account: string;
  readonly region: string;
}

function placeOf(places: ReadonlyMap<string, Place>, provider: string | undefined): Place {
  const place = places.get(provider ?? "");
  if (place === undefined) throw new Error(`no explicit AWS provider is called ${JSON.stringify(provider)}`);
  return place;
}

const ecrHost = ({ account, region }: Place) => `${account}.dkr.ecr.${region}.${dnsSuffixOf(region)}`;

/** Outputs that the provider would compute and the program uses. */
function computed(
  { type, name, open, provider }: Registered,
  places: ReadonlyMap<string, Place>,
): Record<string, unknown> {
  if (type === "docker:index/image:Image") {
    const image = String(open.imageName);
    return { repoDigest: `${image.slice(0, image.lastIndexOf(":"))}@${digest(image)}` };
  }
  // The plan does not show the generated token.
  if (type === "random:index/randomPassword:RandomPassword") return { result: digest(name).slice(-48) };
  if (!type.startsWith("aws:")) return {};
  const place = placeOf(places, provider);
  const partition = partitionOf(place.region);
  if (type === "aws:ecr/repository:Repository") {
    return {
      arn: `arn:${partition}:ecr:${place.region}:${place.account}:repository/${open.name}`,
      repositoryUrl: `${ecrHost(place)}/${open.name}`,
    };
  }
  const arn = iamArn(type, open, partition, place.account);
  return { ...(type === "aws:iam/role:Role" ? { id: open.name } : {}), ...(arn === undefined ? {} : { arn }) };
}

function answerCall(token: string, inputs: Record<string, unknown>, place: Place): Record<string, unknown> {
  switch (token) {
    case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
      return { userName: "AWS", password: "[secret]", proxyEndpoint: `https://${ecrHost(place)}` };
    case "aws:ecr/getRepository:getRepository":
      return { repositoryUrl: `${ecrHost(place)}/${inputs.name}` };
    case "aws:eks/getCluster:getCluster": {
      const suffix = dnsSuffixOf(place.region);
      return {
        endpoint: `https://${derivedId(String(inputs.name))}.gr7.${place.region}.eks.${suffix}`,
        identities: [{ oidcs: [{ issuer: issuerUrl(place.region, derivedId(String(inputs.name))) }] }],
        certificateAuthorities: [{ data: "" }],
      };
    }
    default:
      throw new Error(`the program called ${token}, which the plan does not support`);
  }
}

/** An ID in the form of an EKS issuer ID, derived from the name of a cluster that only EKS describes. */
const derivedId = (name: string) => createHash("sha256").update(name).digest("hex").slice(0, 32).toUpperCase();

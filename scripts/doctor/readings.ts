/** The resources of an account, read only with Get and List calls. */
import { once } from "node:events";
import { DescribeAddonCommand, DescribeClusterCommand, EKSClient } from "@aws-sdk/client-eks";
import {
  GetAccountSummaryCommand,
  GetOpenIDConnectProviderCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListOpenIDConnectProvidersCommand,
  paginateListAttachedRolePolicies,
  paginateListRolePolicies,
  paginateListRoles,
  type Tag,
} from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand, type GetCallerIdentityResponse, STSClient } from "@aws-sdk/client-sts";
import type { ClusterSettings } from "../../config/settings.js";
import { documentOf, listOf, type PolicyDocument } from "../../policies/types.js";
import { ifExists } from "../common/iam.js";
import { type Access, credentialsOf } from "./accountAccess.js";

/** Why a call, or loading its credentials, failed. */
export interface Failure {
  /** Such as `sts:GetCallerIdentity`. */
  readonly call: string;
  /** AWS's or the SDK's own: `AccessDenied`, `ExpiredToken`, `CredentialsProviderError`, `TimeoutError`, … */
  readonly code: string;
  readonly message: string;
}

/** One reading: its value, or why it failed. The other readings continue. */
export type Reading<T> =
  | { readonly value: T; readonly failure?: undefined }
  | { readonly value?: undefined; readonly failure: Failure };

export type Tags = Readonly<Record<string, string>>;

export interface OidcProviderFacts {
  readonly arn: string;
  readonly audiences: readonly string[];
  readonly tags: Tags;
}

export interface RoleFacts {
  readonly name: string;
  readonly arn: string;
  readonly path: string;
  readonly description: string;
  /** In seconds. */
  readonly sessionDuration: number;
  readonly boundaryArn: string | undefined;
  readonly trust: PolicyDocument;
  readonly tags: Tags;
  /** Inline policies by name. */
  readonly inline: ReadonlyMap<string, PolicyDocument>;
  readonly attached: readonly { readonly name: string; readonly arn: string }[];
}

export interface ManagedPolicyFacts {
  readonly arn: string;
  readonly tags: Tags;
  readonly document: PolicyDocument;
}

export interface AccountFacts {
  readonly oidcProviderCount: Reading<number>;
  /** By ARN; undefined where the account has none. */
  readonly oidcProviders: ReadonlyMap<string, Reading<OidcProviderFacts | undefined>>;
  /** Every role of the account: shows which roles use an OIDC provider. */
  readonly allRoles: Reading<ReadonlyArray<Pick<RoleFacts, "name" | "trust">>>;
  /** By name; undefined if the account has no such role. */
  readonly roles: ReadonlyMap<string, Reading<RoleFacts | undefined>>;
  /** Managed policies by ARN. */
  readonly policies: ReadonlyMap<string, Reading<ManagedPolicyFacts | undefined>>;
  /** The permissions boundary; undefined when none is configured. */
  readonly boundary: Reading<object | undefined> | undefined;
  /** In characters. */
  readonly trustPolicyQuota: Reading<number>;
}

/** What to look for in a target account. */
export interface Wanted {
  /** ARNs. */
  readonly oidcProviders: readonly string[];
  /** Names. */
  readonly roles: readonly string[];
  /** ARNs. */
  readonly managedPolicies: readonly string[];
  readonly boundaryArn: string | undefined;
}

/** Bounds of one call: milliseconds for connecting, for one response and for all tries, and number of tries. */
export const timeouts = { connect: 5_000, answer: 10_000, call: 30_000, tries: 4 };
export type Timeouts = typeof timeouts;

/** Connections to IAM per account: IAM throttles more concurrent calls. */
const connections = 5;

interface CallOptions {
  readonly abortSignal: AbortSignal;
}

function clientConfig(access: Access, { tries, connect, answer }: Timeouts) {
  return {
    region: access.region,
    credentials: credentialsOf(access),
    maxAttempts: tries,
    requestHandler: {
      connectionTimeout: connect,
      requestTimeout: answer,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: connections },
      httpsAgent: { maxSockets: connections },
    },
  };
}

export class AccountReader {
  private readonly config: ReturnType<typeof clientConfig>;
  private readonly iam: IAMClient;
  private readonly sts: STSClient;

  constructor(
    access: Access,
    private readonly bounds: Timeouts = timeouts,
  ) {
    this.config = clientConfig(access, bounds);
    this.iam = new IAMClient(this.config);
    this.sts = new STSClient(this.config);
  }

  close(): void {
    this.iam.destroy();
    this.sts.destroy();
  }

  /** Account and ARN behind the credentials. */
  caller(): Promise<Reading<GetCallerIdentityResponse>> {
    return this.read("sts:GetCallerIdentity", (options) => this.sts.send(new GetCallerIdentityCommand({}), options));
  }

  /** Issuer of a cluster, `https://…`; undefined when the region has no such cluster. */
  issuer({ eksName, region }: ClusterSettings): Promise<Reading<string | undefined>> {
    return this.eks("eks:DescribeCluster", region, async (eks, options) => {
      const { cluster } = await eks.send(new DescribeClusterCommand({ name: eksName }), options);
      return cluster?.identity?.oidc?.issuer;
    });
  }

  /** Configuration of the add-on vpc-cni, a JSON text; undefined when EKS does not manage the add-on. */
  vpcCni({ eksName, region }: ClusterSettings): Promise<Reading<string | undefined>> {
    return this.eks("eks:DescribeAddon", region, async (eks, options) => {
      const command = new DescribeAddonCommand({ clusterName: eksName, addonName: "vpc-cni" });
      const { addon } = await eks.send(command, options);
      return addon?.configurationValues ?? "{}";
    });
  }

  private eks<T>(call: string, region: string, reading: (eks: EKSClient, options: CallOptions) => Promise<T>) {
    const eks = new EKSClient({ ...this.config, region });
    return this.find(call, (options) => reading(eks, options)).finally(() => eks.destroy());
  }

  async facts({ boundaryArn: PolicyArn, ...wanted }: Wanted): Promise<AccountFacts> {
    const { iam } = this;
    const [oidcProviderCount, oidcProviders, allRoles, roles, policies, boundary, trustPolicyQuota] = await Promise.all(
      [
        this.read("iam:ListOpenIDConnectProviders", async (options) => {
          const { OpenIDConnectProviderList } = await iam.send(new ListOpenIDConnectProvidersCommand({}), options);
          return OpenIDConnectProviderList?.length ?? 0;
        }),
        readEach(wanted.oidcProviders, (arn) => this.oidcProvider(arn)),
        this.allRoles(),
        readEach(wanted.roles, (name) => this.role(name)),
        readEach(wanted.managedPolicies, (arn) => this.policy(arn)),
        PolicyArn === undefined
          ? undefined
          : this.find("iam:GetPolicy", (options) => iam.send(new GetPolicyCommand({ PolicyArn }), options)),
        this.read("iam:GetAccountSummary", async (options) => {
          const { SummaryMap } = await iam.send(new GetAccountSummaryCommand({}), options);
          return SummaryMap!.AssumeRolePolicySizeQuota!;
        }),
      ],
    );
    return { oidcProviderCount, oidcProviders, allRoles, roles, policies, boundary, trustPolicyQuota };
  }

  private oidcProvider(arn: string): Promise<Reading<OidcProviderFacts | undefined>> {
    return this.find("iam:GetOpenIDConnectProvider", async (options) => {
      const command = new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn });
      const { ClientIDList: audiences = [], Tags } = await this.iam.send(command, options);
      return { arn, audiences, tags: tagsOf(Tags) };
    });
  }

  private allRoles(): Promise<AccountFacts["allRoles"]> {
    return this.read("iam:ListRoles", async (options) => {
      const pages = paginateListRoles({ client: this.iam, pageSize: 1000 }, {}, options);
      const roles = await allItems(pages, ({ Roles }) => Roles);
      return roles.map((role) => ({ name: role.RoleName!, trust: decoded(role.AssumeRolePolicyDocument) }));
    });
  }

  private role(RoleName: string): Promise<Reading<RoleFacts | undefined>> {
    const { iam } = this;
    return this.find("iam:GetRole", async (options) => {
      const { Role: role } = await iam.send(new GetRoleCommand({ RoleName }), options);
      const names = await allItems(
        paginateListRolePolicies({ client: iam }, { RoleName }, options),
        ({ PolicyNames }) => PolicyNames,
      );
      const inline = new Map<string, PolicyDocument>();
      for (const PolicyName of names) {
        const policy = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }), options);
        inline.set(PolicyName, decoded(policy.PolicyDocument));
      }
      const attached = await allItems(
        paginateListAttachedRolePolicies({ client: iam }, { RoleName }, options),
        ({ AttachedPolicies }) => AttachedPolicies,
      );
      return {
        name: role!.RoleName!,
        arn: role!.Arn!,
        path: role!.Path!,
        description: role!.Description ?? "",
        sessionDuration: role!.MaxSessionDuration ?? 3600,
        boundaryArn: role!.PermissionsBoundary?.PermissionsBoundaryArn,
        trust: decoded(role!.AssumeRolePolicyDocument),
        tags: tagsOf(role!.Tags),
        inline,
        attached: attached.map(({ PolicyName, PolicyArn }) => ({ name: PolicyName!, arn: PolicyArn! })),
      };
    });
  }

  private policy(PolicyArn: string): Promise<Reading<ManagedPolicyFacts | undefined>> {
    return this.find("iam:GetPolicy", async (options) => {
      const { Policy: policy } = await this.iam.send(new GetPolicyCommand({ PolicyArn }), options);
      const command = new GetPolicyVersionCommand({ PolicyArn, VersionId: policy!.DefaultVersionId });
      const { PolicyVersion: version } = await this.iam.send(command, options);
      return { arn: PolicyArn, tags: tagsOf(policy!.Tags), document: decoded(version!.Document) };
    });
  }

  /** A reading of a resource; undefined if it does not exist. */
  private find<T>(call: string, reading: (options: CallOptions) => Promise<T>): Promise<Reading<T | undefined>> {
    return this.read(call, (options) => ifExists(reading(options)));
  }

  /** A reading with a timeout. An error becomes a failure, so that the other readings continue. */
  private async read<T>(call: string, reading: (options: CallOptions) => Promise<T>): Promise<Reading<T>> {
    const abortSignal = AbortSignal.timeout(this.bounds.call);
    // The signal does not abort credential providers (a process, a browser login), so they are raced.
    const late = once(abortSignal, "abort").then((): never => {
      throw abortSignal.reason;
    });
    try {
      return { value: await Promise.race([reading({ abortSignal }), late]) };
    } catch (error) {
      return { failure: failureOf(call, error) };
    }
  }
}

/** Readings by key, in parallel. */
const readEach = async <T>(keys: readonly string[], reading: (key: string) => Promise<Reading<T>>) =>
  new Map(await Promise.all(keys.map(async (key) => [key, await reading(key)] as const)));

/** The items of all pages. */
async function allItems<Page, Item>(pages: AsyncIterable<Page>, itemsOf: (page: Page) => Item[] | undefined) {
  const items: Item[] = [];
  for await (const page of pages) items.push(...(itemsOf(page) ?? []));
  return items;
}

function failureOf(call: string, error: unknown): Failure {
  const { name, message, code } = error as Error & { code?: string };
  // A connection error has its reason in the code and, after attempts on several addresses, an empty message.
  const text = (message || code || name).split("\n")[0]!.trim();
  return { call, code: name === "Error" || name === "AggregateError" ? (code ?? name) : name, message: text };
}

const tagsOf = (tags: readonly Tag[] = []): Tags => Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));

/** IAM returns documents URL-encoded. It stores only valid ones. */
function decoded(document = "{}"): PolicyDocument {
  const { Statement }: PolicyDocument = JSON.parse(decodeURIComponent(document));
  return documentOf(listOf(Statement));
}

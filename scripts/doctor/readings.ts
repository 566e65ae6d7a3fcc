/** The resources of an account, read only with Get and List calls. */
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
  type Policy,
  paginateListAttachedRolePolicies,
  paginateListPolicies,
  paginateListRolePolicies,
  paginateListRoles,
  type Tag,
} from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { oidcProviderArn } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";
import { ifExists } from "../common/iam.js";
import { type AccountAccess, credentialsOf } from "./accountAccess.js";

/** Why a call, or loading its credentials, failed. */
export interface Failure {
  /** Such as `sts:GetCallerIdentity`. */
  readonly call: string;
  /** AWS's or the SDK's own: `AccessDenied`, `ExpiredToken`, `CredentialsProviderError`, `TimeoutError`, … */
  readonly code: string;
  readonly message: string;
}

/** One reading: its value, or why it failed. The other readings continue. */
export type Reading<T> = { readonly value: T } | { readonly failure: Failure };

export interface OidcProviderFacts {
  readonly arn: string;
  readonly audiences: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface RoleFacts {
  /** As spelled in the account: IAM keeps the case, but names are case-insensitive. */
  readonly name: string;
  readonly arn: string;
  readonly path: string;
  readonly description: string;
  /** In seconds. */
  readonly sessionDuration: number;
  readonly boundaryArn: string | undefined;
  readonly trust: PolicyDocument;
  readonly tags: Readonly<Record<string, string>>;
  /** Inline policies by name. */
  readonly inline: ReadonlyMap<string, PolicyDocument>;
  readonly attached: readonly { readonly name: string; readonly arn: string }[];
}

export interface ManagedPolicyFacts {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly document: PolicyDocument;
}

/** Trust policy of any role: shows which roles use an OIDC provider. */
export interface RoleSummary {
  readonly name: string;
  readonly trust: PolicyDocument;
}

export interface AccountFacts {
  readonly accountId: string;
  /** ARN of the caller. */
  readonly caller: string;
  readonly oidcProviderCount: Reading<number>;
  /** By issuer without `https://`; undefined where the account has none. */
  readonly oidcProviders: ReadonlyMap<string, Reading<OidcProviderFacts | undefined>>;
  readonly allRoles: Reading<readonly RoleSummary[]>;
  /** By the name in the program, case-insensitive; undefined if the account has no such role. */
  readonly roles: ReadonlyMap<string, Reading<RoleFacts | undefined>>;
  /** Managed policies by the name in the program. */
  readonly policies: ReadonlyMap<string, Reading<ManagedPolicyFacts | undefined>>;
  /** Whether the permissions boundary exists; undefined when none is configured. */
  readonly boundary: Reading<boolean> | undefined;
  /** GetAccountSummary: counts and quotas by their AWS names. */
  readonly summary: Reading<Readonly<Record<string, number>>>;
}

/** What to look for in a target account. */
export interface Wanted {
  /** Issuers without `https://`. */
  readonly issuers: readonly string[];
  readonly roles: readonly string[];
  readonly managedPolicies: readonly string[];
  /** IAM path of the managed policies. */
  readonly path: string;
  readonly boundaryArn: string | undefined;
}

/** Bounds of one call, in milliseconds and tries. */
export interface Timeouts {
  /** For connecting, for one response, and for a call with all its retries. */
  readonly connect: number;
  readonly answer: number;
  readonly call: number;
  readonly tries: number;
}

export const timeouts: Timeouts = { connect: 5_000, answer: 10_000, call: 30_000, tries: 4 };

/** Connections to IAM per account: IAM throttles more concurrent calls. */
const connections = 5;

function clientConfig(accountAccess: AccountAccess, { tries, connect, answer }: Timeouts) {
  return {
    region: accountAccess.region,
    credentials: credentialsOf(accountAccess),
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
    private readonly accountAccess: AccountAccess,
    private readonly bounds: Timeouts = timeouts,
  ) {
    this.config = clientConfig(accountAccess, bounds);
    this.iam = new IAMClient(this.config);
    this.sts = new STSClient(this.config);
  }

  close(): void {
    this.iam.destroy();
    this.sts.destroy();
  }

  /** Account and ARN behind the credentials. */
  caller(): Promise<Reading<{ accountId: string; arn: string }>> {
    return this.read("sts:GetCallerIdentity", async (abortSignal) => {
      const { Account, Arn } = await this.sts.send(new GetCallerIdentityCommand({}), { abortSignal });
      return { accountId: Account ?? "", arn: Arn ?? "" };
    });
  }

  /** Issuer of a cluster, `https://…`; undefined when the region has no such cluster. */
  issuer(name: string, region: string): Promise<Reading<string | undefined>> {
    return this.eks("eks:DescribeCluster", region, async (eks, options) => {
      const { cluster } = await eks.send(new DescribeClusterCommand({ name }), options);
      return cluster?.identity?.oidc?.issuer;
    });
  }

  /** Configuration of the add-on vpc-cni, a JSON text; undefined when EKS does not manage the add-on. */
  vpcCni(clusterName: string, region: string): Promise<Reading<string | undefined>> {
    return this.eks("eks:DescribeAddon", region, async (eks, options) => {
      const { addon } = await eks.send(new DescribeAddonCommand({ clusterName, addonName: "vpc-cni" }), options);
      return addon?.configurationValues ?? "{}";
    });
  }

  private eks(
    call: string,
    region: string,
    reading: (eks: EKSClient, options: { abortSignal: AbortSignal }) => Promise<string | undefined>,
  ): Promise<Reading<string | undefined>> {
    return this.read(call, async (abortSignal) => {
      const eks = new EKSClient({ ...this.config, region });
      try {
        return await ifExists(reading(eks, { abortSignal }));
      } finally {
        eks.destroy();
      }
    });
  }

  async facts({ accountId, arn }: { accountId: string; arn: string }, wanted: Wanted): Promise<AccountFacts> {
    const [providers, allRoles, boundary, summary, policies] = await Promise.all([
      this.oidcProviders(wanted),
      this.allRoles(),
      wanted.boundaryArn === undefined ? undefined : this.exists(wanted.boundaryArn),
      this.read("iam:GetAccountSummary", async (abortSignal) => {
        const { SummaryMap } = await this.iam.send(new GetAccountSummaryCommand({}), { abortSignal });
        return (SummaryMap ?? {}) as Record<string, number>;
      }),
      this.policies(wanted),
    ]);
    const roles = await readEach(wanted.roles, (name) => {
      // Without the list, the configured spelling is tried.
      const spelled = "value" in allRoles ? allRoles.value.find((role) => sameName(role.name, name))?.name : name;
      return spelled === undefined ? undefined : this.role(spelled);
    });
    return { accountId, caller: arn, ...providers, allRoles, roles, policies, boundary, summary };
  }

  private async oidcProviders({ issuers }: Wanted): Promise<Pick<AccountFacts, "oidcProviders" | "oidcProviderCount">> {
    const list = await this.read("iam:ListOpenIDConnectProviders", async (abortSignal) => {
      const answer = await this.iam.send(new ListOpenIDConnectProvidersCommand({}), { abortSignal });
      return (answer.OpenIDConnectProviderList ?? []).map(({ Arn }) => Arn ?? "");
    });
    const { accountId, partition } = this.accountAccess;
    const oidcProviders = await readEach(issuers, (issuer) => {
      const arn = oidcProviderArn(partition, accountId, issuer);
      return "value" in list && !list.value.includes(arn) ? undefined : this.oidcProvider(arn);
    });
    return { oidcProviders, oidcProviderCount: "value" in list ? { value: list.value.length } : list };
  }

  private oidcProvider(arn: string): Promise<Reading<OidcProviderFacts | undefined>> {
    return this.read("iam:GetOpenIDConnectProvider", async (abortSignal) => {
      const command = new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn });
      const answer = await ifExists(this.iam.send(command, { abortSignal }));
      return answer && { arn, audiences: answer.ClientIDList ?? [], tags: tagsOf(answer.Tags) };
    });
  }

  private allRoles(): Promise<Reading<RoleSummary[]>> {
    return this.read("iam:ListRoles", async (abortSignal) => {
      const roles: RoleSummary[] = [];
      for await (const page of paginateListRoles({ client: this.iam, pageSize: 1000 }, {}, { abortSignal })) {
        for (const role of page.Roles ?? []) {
          roles.push({ name: role.RoleName ?? "", trust: documentOf(role.AssumeRolePolicyDocument) });
        }
      }
      return roles;
    });
  }

  private role(RoleName: string): Promise<Reading<RoleFacts | undefined>> {
    const reading = async (abortSignal: AbortSignal): Promise<RoleFacts> => {
      const options = { abortSignal };
      const { Role: role } = await this.iam.send(new GetRoleCommand({ RoleName }), options);
      const inline = new Map<string, PolicyDocument>();
      for await (const page of paginateListRolePolicies({ client: this.iam }, { RoleName }, options)) {
        for (const PolicyName of page.PolicyNames ?? []) {
          const policy = await this.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }), options);
          inline.set(PolicyName, documentOf(policy.PolicyDocument));
        }
      }
      const attached: { name: string; arn: string }[] = [];
      for await (const page of paginateListAttachedRolePolicies({ client: this.iam }, { RoleName }, options)) {
        for (const { PolicyName = "", PolicyArn = "" } of page.AttachedPolicies ?? []) {
          attached.push({ name: PolicyName, arn: PolicyArn });
        }
      }
      return {
        name: role?.RoleName ?? RoleName,
        arn: role?.Arn ?? "",
        path: role?.Path ?? "/",
        description: role?.Description ?? "",
        sessionDuration: role?.MaxSessionDuration ?? 3600,
        boundaryArn: role?.PermissionsBoundary?.PermissionsBoundaryArn,
        trust: documentOf(role?.AssumeRolePolicyDocument),
        tags: tagsOf(role?.Tags),
        inline,
        attached,
      };
    };
    return this.read("iam:GetRole", (abortSignal) => ifExists(reading(abortSignal)));
  }

  private exists(PolicyArn: string): Promise<Reading<boolean>> {
    return this.read("iam:GetPolicy", async (abortSignal) => {
      return (await ifExists(this.iam.send(new GetPolicyCommand({ PolicyArn }), { abortSignal }))) !== undefined;
    });
  }

  private async policies({ managedPolicies, path }: Wanted): Promise<AccountFacts["policies"]> {
    if (managedPolicies.length === 0) return new Map();
    const list = await this.read("iam:ListPolicies", async (abortSignal) => {
      const policies: Policy[] = [];
      const pages = paginateListPolicies({ client: this.iam, pageSize: 1000 }, { Scope: "Local" }, { abortSignal });
      for await (const page of pages) policies.push(...(page.Policies ?? []));
      return policies;
    });
    const { accountId, partition } = this.accountAccess;
    return readEach(managedPolicies, (name) => {
      // Without the list, the ARN that the program would create is tried.
      const arn =
        "value" in list
          ? list.value.find(({ PolicyName = "" }) => sameName(PolicyName, name))?.Arn
          : `arn:${partition}:iam::${accountId}:policy${path}${name}`;
      return arn === undefined ? undefined : this.policy(arn);
    });
  }

  private policy(PolicyArn: string): Promise<Reading<ManagedPolicyFacts | undefined>> {
    const reading = async (abortSignal: AbortSignal): Promise<ManagedPolicyFacts> => {
      const { Policy: policy } = await this.iam.send(new GetPolicyCommand({ PolicyArn }), { abortSignal });
      const VersionId = policy?.DefaultVersionId ?? "v1";
      const version = await this.iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId }), { abortSignal });
      return {
        arn: PolicyArn,
        tags: tagsOf(policy?.Tags),
        document: documentOf(version.PolicyVersion?.Document),
      };
    };
    return this.read("iam:GetPolicy", (abortSignal) => ifExists(reading(abortSignal)));
  }

  /** A reading with a timeout. An error becomes a failure, so that the other readings continue. */
  private async read<T>(call: string, reading: (abort: AbortSignal) => Promise<T>): Promise<Reading<T>> {
    const abort = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    // The signal does not abort credential providers (a process, a browser login), so they are raced.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        abort.abort();
        reject(Object.assign(new Error(`no response within ${this.bounds.call / 1000} s`), { name: "TimeoutError" }));
      }, this.bounds.call);
    });
    const answer = reading(abort.signal);
    try {
      return { value: await Promise.race([answer, late]) };
    } catch (error) {
      answer.catch(() => {});
      return { failure: failureOf(call, error) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Readings by key, in parallel. A key without a reading is absent from the account. */
async function readEach<T>(
  keys: readonly string[],
  reading: (key: string) => Promise<Reading<T | undefined>> | undefined,
): Promise<ReadonlyMap<string, Reading<T | undefined>>> {
  return new Map(
    await Promise.all(keys.map(async (key) => [key, (await reading(key)) ?? { value: undefined }] as const)),
  );
}

const sameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function failureOf(call: string, error: unknown): Failure {
  const { name, message, code } = error as Error & { code?: string };
  // A connection error has its reason in the code and, after attempts on several addresses, an empty message.
  const text = (message || code || name).split("\n")[0]!.trim();
  return { call, code: name === "Error" || name === "AggregateError" ? (code ?? name) : name, message: text };
}

const tagsOf = (tags: readonly Tag[] | undefined): Record<string, string> =>
  Object.fromEntries((tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value]));

/** IAM returns documents URL-encoded. An invalid policy counts as an empty one. */
function documentOf(encoded: string | undefined): PolicyDocument {
  const empty: PolicyDocument = { Version: "2012-10-17", Statement: [] };
  try {
    const document = JSON.parse(decodeURIComponent(encoded ?? "")) as PolicyDocument;
    return { ...document, Statement: [document.Statement ?? []].flat() };
  } catch {
    return empty;
  }
}

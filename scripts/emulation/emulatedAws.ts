/** Creates the program's AWS resources in the emulated AWS, as the AWS provider would. */
import {
  AttachRolePolicyCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  type IAMClient,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import type { Settings } from "../../config/settings.js";
import { UserError } from "../common/errors.js";
import type { Evaluation, Registered } from "../common/evaluate.js";
import { accountClient } from "./moto.js";

/** Clients by partition and account. One emulated AWS serves all accounts. */
export class EmulatedAws {
  private readonly clients = new Map<string, IAMClient>();

  /** @param url URL of moto or of the STS front */
  constructor(private readonly url: string) {}

  in(accountId: string, partition: string): IAMClient {
    const key = `${partition} ${accountId}`;
    const client = this.clients.get(key) ?? accountClient(this.url, accountId, partition);
    this.clients.set(key, client);
    return client;
  }

  /**
   * Creates the OIDC providers, roles and policies of accounts. Images and repositories are not created.
   *
   * @throws UserError with the name of the resource that AWS rejects
   */
  async create({ resources }: Evaluation, accounts: Settings["targetAccounts"]): Promise<void> {
    for (const resource of resources.filter(({ type }) => type.startsWith("aws:iam/"))) {
      const account = accounts.find(({ profile }) => `${profile}/aws` === resource.provider);
      if (account === undefined) continue;
      await create(this.in(account.accountId, account.partition), resource).catch((error: Error) => {
        throw new UserError(`${resource.name}: the emulated AWS cannot create it (${error.name}: ${error.message})`);
      });
    }
  }
}

async function create(iam: IAMClient, { type, open }: Registered): Promise<unknown> {
  const { path: Path, description: Description, policyArn: PolicyArn, ...text } = open as Record<string, string>;
  const Tags = Object.entries((open.tags ?? {}) as Record<string, string>).map(([Key, Value]) => ({ Key, Value }));
  switch (type) {
    case "aws:iam/openIdConnectProvider:OpenIdConnectProvider": {
      const ClientIDList = open.clientIdLists as string[];
      return iam.send(new CreateOpenIDConnectProviderCommand({ Url: text.url, ClientIDList, Tags }));
    }
    case "aws:iam/role:Role":
      return iam.send(
        new CreateRoleCommand({
          RoleName: text.name,
          Path,
          Description,
          AssumeRolePolicyDocument: text.assumeRolePolicy,
          MaxSessionDuration: open.maxSessionDuration as number,
          PermissionsBoundary: text.permissionsBoundary,
          Tags,
        }),
      );
    case "aws:iam/rolePolicy:RolePolicy": {
      const policy = { PolicyName: text.name, PolicyDocument: text.policy };
      return iam.send(new PutRolePolicyCommand({ RoleName: text.role, ...policy }));
    }
    case "aws:iam/policy:Policy":
      return iam.send(new CreatePolicyCommand({ PolicyName: text.name, Path, PolicyDocument: text.policy, Tags }));
    case "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
      return iam.send(new AttachRolePolicyCommand({ RoleName: text.role, PolicyArn }));
    case "aws:iam/rolePoliciesExclusive:RolePoliciesExclusive":
    case "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive":
      // Exclusive lists remove policies from other sources, which a new role does not have.
      return undefined;
    default:
      throw new Error(`${type} is not supported`);
  }
}

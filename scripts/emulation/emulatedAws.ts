/** Performs the program's AWS registrations on the emulated AWS, as the AWS provider would. */
import {
  AttachRolePolicyCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  type IAMClient,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import type { Settings } from "../../config/settings.js";
import type { Register, Registered } from "../common/evaluate.js";
import { type AccountClient, accountClient } from "./moto.js";

/** Clients by partition and account. One emulated AWS serves all accounts. */
export class EmulatedAws {
  private readonly clients = new Map<string, AccountClient>();

  /** @param url URL of moto or of the STS front */
  constructor(private readonly url: string) {}

  in(accountId: string, partition: string): AccountClient {
    const key = `${partition} ${accountId}`;
    const client = this.clients.get(key) ?? accountClient(this.url, accountId, partition);
    this.clients.set(key, client);
    return client;
  }

  /** Hook for evaluate() that creates OIDC providers, roles and policies. Images and repositories are not created. */
  register(settings: Pick<Settings, "targetAccounts">): Register {
    return async (resource) => {
      const account = settings.targetAccounts.find(({ profile }) => `${profile}/aws` === resource.provider);
      if (account === undefined || !resource.type.startsWith("aws:iam/")) return;
      await perform(this.in(account.accountId, account.partition).iam, resource);
    };
  }

  close(): void {
    for (const client of this.clients.values()) client.destroy();
  }
}

async function perform(iam: IAMClient, { type, open, name }: Registered): Promise<unknown> {
  const text = (key: string) => open[key] as string;
  const Tags = Object.entries((open.tags ?? {}) as Record<string, string>).map(([Key, Value]) => ({ Key, Value }));
  switch (type) {
    case "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
      return iam.send(
        new CreateOpenIDConnectProviderCommand({
          Url: text("url"),
          ClientIDList: open.clientIdLists as string[],
          Tags,
        }),
      );
    case "aws:iam/role:Role":
      return iam.send(
        new CreateRoleCommand({
          RoleName: text("name"),
          Path: text("path"),
          AssumeRolePolicyDocument: text("assumeRolePolicy"),
          Description: text("description"),
          MaxSessionDuration: open.maxSessionDuration as number,
          PermissionsBoundary: text("permissionsBoundary"),
          Tags,
        }),
      );
    case "aws:iam/rolePolicy:RolePolicy":
      return iam.send(
        new PutRolePolicyCommand({ RoleName: text("role"), PolicyName: text("name"), PolicyDocument: text("policy") }),
      );
    case "aws:iam/policy:Policy":
      return iam.send(
        new CreatePolicyCommand({ PolicyName: text("name"), Path: text("path"), PolicyDocument: text("policy"), Tags }),
      );
    case "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
      return iam.send(new AttachRolePolicyCommand({ RoleName: text("role"), PolicyArn: text("policyArn") }));
    case "aws:iam/rolePoliciesExclusive:RolePoliciesExclusive":
    case "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive":
      // Exclusive lists remove policies from other sources, which a new role does not have.
      return undefined;
    default:
      throw new Error(`${name}: the rehearsal cannot make a ${type}`);
  }
}

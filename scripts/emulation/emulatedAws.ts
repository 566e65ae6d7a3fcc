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

  /** Hook for evaluate() that creates OIDC providers, roles and policies. Images and repositories are not created. */
  register(settings: Pick<Settings, "targetAccounts">): Register {
    return async (resource) => {
      const account = settings.targetAccounts.find(({ profile }) => `${profile}/aws` === resource.provider);
      if (account === undefined || !resource.type.startsWith("aws:iam/")) return;
      await perform(this.in(account.accountId, account.partition), resource);
    };
  }
}

async function perform(iam: IAMClient, { type, open }: Registered): Promise<unknown> {
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
    // RolePoliciesExclusive and RolePolicyAttachmentsExclusive: a new role has no policies from other sources.
    default:
      return undefined;
  }
}

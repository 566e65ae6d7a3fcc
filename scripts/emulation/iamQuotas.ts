import {
  GetRolePolicyCommand,
  type IAMClient,
  ListOpenIDConnectProvidersCommand,
  ListRolePoliciesCommand,
} from "@aws-sdk/client-iam";
import { limits } from "../../config/limits.js";
import { INLINE_POLICIES_LIMIT, MANAGED_POLICY_LIMIT } from "../../policies/size.js";
import { ifExists } from "../common/iam.js";
import { AwsError } from "./awsError.js";

/**
 * Rejects an IAM request that exceeds a quota that IAM enforces and moto does not.
 *
 * @param iam client for the account of the caller.
 * @param trustPolicyLimit the account's quota for trust policies, in characters without white space.
 * @throws AwsError LimitExceeded, with the message of IAM.
 */
export async function checkIamQuotas(parameters: URLSearchParams, iam: IAMClient, trustPolicyLimit: number) {
  const text = (name: string) => parameters.get(name) ?? "";
  switch (parameters.get("Action")) {
    case "CreateRole":
      return atMost(size(text("AssumeRolePolicyDocument")), trustPolicyLimit, "ACLSizePerRole");
    case "UpdateAssumeRolePolicy":
      return atMost(size(text("PolicyDocument")), trustPolicyLimit, "ACLSizePerRole");
    case "CreatePolicy":
    case "CreatePolicyVersion":
      return atMost(size(text("PolicyDocument")), MANAGED_POLICY_LIMIT, "PolicySize");
    case "PutRolePolicy": {
      const role = text("RoleName");
      const others = await inlinePolicySizes(iam, role, text("PolicyName"));
      if (others + size(text("PolicyDocument")) > INLINE_POLICIES_LIMIT) {
        throw limitExceeded(`Maximum policy size of ${INLINE_POLICIES_LIMIT} bytes exceeded for role ${role}`);
      }
      return;
    }
    case "CreateOpenIDConnectProvider": {
      const { OpenIDConnectProviderList: list = [] } = await iam.send(new ListOpenIDConnectProvidersCommand({}));
      const issuer = text("Url").replace("https://", "");
      // An existing provider is a conflict, which moto reports.
      if (list.some(({ Arn }) => Arn?.endsWith(`:oidc-provider/${issuer}`))) return;
      return atMost(list.length + 1, limits.oidcProvidersPerAccount, "OpenIdConnectProvidersPerAccount");
    }
  }
}

/** Total size of the role's inline policies, except the one to be replaced. 0 if the role does not exist. */
async function inlinePolicySizes(iam: IAMClient, RoleName: string, replaced: string): Promise<number> {
  const list = await ifExists(iam.send(new ListRolePoliciesCommand({ RoleName })));
  let total = 0;
  for (const PolicyName of list?.PolicyNames ?? []) {
    if (PolicyName === replaced) continue;
    const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    total += size(decodeURIComponent(PolicyDocument!));
  }
  return total;
}

/** Number of characters without white space, as IAM counts. */
const size = (document: string): number => [...document.replace(/\s/g, "")].length;

function atMost(found: number, limit: number, quota: string): void {
  if (found > limit) throw limitExceeded(`Cannot exceed quota for ${quota}: ${limit}`);
}

const limitExceeded = (message: string) => new AwsError("LimitExceeded", message, 409);

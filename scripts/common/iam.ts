/**
 * ARN of an IAM resource, from its type and inputs in Pulumi. Undefined for types without an ARN that follows from them.
 *
 * @param inputs `url` of an OIDC provider; `name` and `path` of a role or a policy
 */
export function iamArn(
  type: string,
  { url, path = "/", name }: Readonly<Record<string, unknown>>,
  partition: string,
  accountId: string,
): string | undefined {
  const rest = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": `oidc-provider/${String(url).replace("https://", "")}`,
    "aws:iam/role:Role": `role${path}${name}`,
    "aws:iam/policy:Policy": `policy${path}${name}`,
  }[type];
  return rest && `arn:${partition}:iam::${accountId}:${rest}`;
}

/** The result of a call, or undefined if the resource does not exist. */
export async function ifExists<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (["NoSuchEntityException", "ResourceNotFoundException"].includes((error as Error).name)) return undefined;
    throw error;
  }
}

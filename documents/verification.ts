/** Input of the verification Job. */
import { endpoint } from "./names.js";
import type { Workload } from "./workload.js";

/** ConfigMap data: the script, and the accounts that must be reachable. */
export function verificationData(
  { mcp, namespace, profiles, verify }: Workload,
  script: string,
): Record<string, string> {
  const accounts = profiles
    .filter(({ name }) => !verify.skipProfiles.includes(name))
    .map(({ name, accountId, roleArn }) => ({ profile: name, accountId, roleArn }));
  const job = {
    endpoint: endpoint(mcp, namespace),
    transport: mcp.transport,
    timeoutSeconds: verify.timeoutSeconds - 15,
    accounts,
  };
  return { "verify.py": script, "accounts.json": `${JSON.stringify(job, null, 2)}\n` };
}

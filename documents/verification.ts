/** What the verification Job is given. */
import { endpoint } from "./names.js";
import type { Workload } from "./workload.js";

/** ConfigMap data: the script, and the accounts that have to answer. */
export function verificationData({ settings, profiles }: Workload, script: string): Record<string, string> {
  const { transport } = settings.mcp;
  const accounts = profiles
    .filter(({ name }) => !settings.verify.skipProfiles.includes(name))
    .map(({ name, accountId, roleArn }) => ({ profile: name, accountId, roleArn }));
  const job = {
    endpoint: endpoint(settings),
    transport,
    timeoutSeconds: settings.verify.timeoutSeconds - 15,
    accounts,
  };
  return { "verify.py": script, "accounts.json": `${JSON.stringify(job, null, 2)}\n` };
}

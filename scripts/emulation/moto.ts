import { IAMClient } from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { Region } from "@pulumi/aws/types/enums/index.js";
import { partitionOf } from "../../config/limits.js";
import { homeRegions } from "../../policies/permissions.js";
import { freePort, type Processes, waitForHttp } from "../common/processes.js";
import { type Progress, toStderr } from "../common/progress.js";
import { ensureMoto } from "./python.js";

/**
 * Starts moto on a free loopback port: an emulated AWS with any number of accounts, initially empty. It does not check
 * trust policies, web identity tokens or size limits. Use `startStsFront` in front of it for these checks.
 *
 * @throws UserError when it cannot be installed or does not respond within 180 s.
 */
export async function startMoto(processes: Processes, progress: Progress = toStderr): Promise<{ url: string }> {
  const { motoBin } = await ensureMoto(progress);
  // Another process can take the port before moto starts. moto then ends, and the loop tries another port.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = processes.start("moto", motoBin, ["-H", "127.0.0.1", "-p", String(port)], {
      // Keep compiled files regardless of the user's environment. They make later starts three times as fast.
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "" },
    });
    try {
      await waitForHttp(`${url}/moto-api/`, { child, timeoutMs: 180_000 });
      return { url };
    } catch (error) {
      await child.stop();
      if (attempt === 3 || !child.output().includes("already in use")) throw error;
    }
  }
}

/** A region of the partition with IAM and STS. moto derives the partition from the region. */
function homeRegion(partition: string): string {
  const inPartition = Object.values(Region).filter((region) => partitionOf(region) === partition);
  const region = homeRegions[partition]?.[0] ?? inPartition[0];
  if (region === undefined) throw new Error(`unknown partition "${partition}": no region is in it`);
  return region;
}

export interface AccountClient {
  accountId: string;
  /** Credentials for the account, for other SDK clients and for environments. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string };
  iam: IAMClient;
  sts: STSClient;
  /** Closes the clients' connections. */
  destroy(): void;
}

/**
 * Creates IAM and STS clients with all permissions in one account of moto.
 *
 * @param url URL of moto or of the STS front.
 * @param partition default `aws`.
 */
export async function accountClient(url: string, accountId: string, partition = "aws"): Promise<AccountClient> {
  const region = homeRegion(partition);
  const exampleCredentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "local" };
  const bootstrap = new STSClient({ endpoint: url, region, credentials: exampleCredentials });
  const { Credentials: keys } = await bootstrap.send(
    new AssumeRoleCommand({
      // moto uses only the account in the ARN. The role does not have to exist.
      RoleArn: `arn:${partition}:iam::${accountId}:role/OrganizationAccountAccessRole`,
      RoleSessionName: "local",
    }),
  );
  bootstrap.destroy();
  const credentials = {
    accessKeyId: keys!.AccessKeyId!,
    secretAccessKey: keys!.SecretAccessKey!,
    sessionToken: keys!.SessionToken!,
  };
  const iam = new IAMClient({ endpoint: url, region, credentials });
  const sts = new STSClient({ endpoint: url, region, credentials });
  return {
    accountId,
    credentials,
    iam,
    sts,
    destroy: () => {
      iam.destroy();
      sts.destroy();
    },
  };
}

import { IAMClient } from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { freePort, type Processes, waitForHttp } from "../common/processes.js";
import { type Progress, toStderr } from "../common/progress.js";
import { ensureMoto } from "./python.js";

/**
 * Starts moto on a free loopback port: AWS with any number of accounts, empty at the start. It knows no trust policies,
 * no web-identity tokens and no size limits: put `startStsFront` in front of it where those matter.
 *
 * @throws UserError when it cannot be installed or does not answer within 180 s.
 */
export async function startMoto(processes: Processes, progress: Progress = toStderr): Promise<{ url: string }> {
  const { motoBin } = await ensureMoto(progress);
  // Between the look and the start another process may take the port: then moto ends, and the next port is tried.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = processes.start("moto", motoBin, ["-H", "127.0.0.1", "-p", String(port)], {
      // Compiled files are kept, whatever this shell says: they make every later start three times as fast.
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

/** A region in which a partition's IAM and STS answer; moto tells the partition by it. */
export function homeRegion(partition: string): string {
  const regions: Record<string, string> = {
    aws: "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
  };
  const region = regions[partition];
  if (region === undefined)
    throw new Error(`unknown partition "${partition}": expected one of ${Object.keys(regions)}`);
  return region;
}

export interface AccountClient {
  accountId: string;
  /** Keys that act in the account, for other SDK clients and for environments. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string };
  iam: IAMClient;
  sts: STSClient;
  /** Closes the clients' connections. */
  destroy(): void;
}

/**
 * IAM and STS clients with every permission in one of moto's accounts.
 *
 * @param url moto's, or that of the STS front before it.
 * @param partition default `aws`.
 */
export async function accountClient(url: string, accountId: string, partition = "aws"): Promise<AccountClient> {
  const region = homeRegion(partition);
  const someone = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "local" };
  const anyone = new STSClient({ endpoint: url, region, credentials: someone });
  const { Credentials: keys } = await anyone.send(
    new AssumeRoleCommand({
      // moto asks for no such role to exist; the account in the ARN is what counts.
      RoleArn: `arn:${partition}:iam::${accountId}:role/OrganizationAccountAccessRole`,
      RoleSessionName: "local",
    }),
  );
  anyone.destroy();
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

import { setTimeout as sleep } from "node:timers/promises";
import { IAMClient } from "@aws-sdk/client-iam";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { Region } from "@pulumi/aws/types/enums/index.js";
import { partitionOf } from "../../config/limits.js";
import { UserError } from "../common/errors.js";
import { type Processes, tail } from "../common/processes.js";
import { ensureMoto } from "./python.js";

/**
 * Starts moto on a free loopback port: an emulated AWS with any number of accounts, initially empty. It does not check
 * trust policies or web identity tokens. Use `startStsFront` in front of it for these checks.
 *
 * @throws UserError when it cannot be installed or does not start within 180 s.
 */
export async function startMoto(processes: Processes): Promise<{ url: string }> {
  const { motoPython, motoServer } = await ensureMoto();
  const child = processes.start("moto", motoPython, [motoServer, "-H", "127.0.0.1", "-p", "0"], {
    // Keep compiled files regardless of the user's environment. They make later starts three times as fast.
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "" },
  });
  // moto selects a free port and prints its URL at the end of a line.
  const end = Date.now() + 180_000;
  while (child.exitCode === undefined && Date.now() < end) {
    const url = /Running on (\S+)\n/.exec(child.output())?.[1];
    if (url !== undefined) return { url };
    await sleep(25);
  }
  const reason = child.exitCode === undefined ? "did not start within 180 s" : `ended with code ${child.exitCode}`;
  throw new UserError(`moto ${reason}${tail(child)}`);
}

/**
 * Creates an IAM client with all permissions in one account of moto. `config.credentials()` are for other clients.
 *
 * @param url URL of moto or of the STS front.
 * @param partition default `aws`.
 */
export function accountClient(url: string, accountId: string, partition = "aws"): IAMClient {
  // A region with IAM and STS, from which moto derives the partition.
  const region = Object.values(Region).find((name) => partitionOf(name) === partition)!;
  const clientConfig = { endpoint: url, region };
  const credentials = fromTemporaryCredentials({
    masterCredentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "local" },
    clientConfig,
    // moto uses only the account in the ARN. The role does not need to exist.
    params: { RoleArn: `arn:${partition}:iam::${accountId}:role/OrganizationAccountAccessRole` },
  });
  return new IAMClient({ ...clientConfig, credentials });
}

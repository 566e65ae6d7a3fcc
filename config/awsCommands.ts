/** The AWS CLI's commands, from the table of the version that the image installs (image/requirements.txt). */
import { readFileSync } from "node:fs";

/** Every operation of the AWS CLI, such as `aws ec2 describe-instances`. */
export function awsCommands(): string[] {
  const [, ...lines] = readFileSync(new URL("awsCommands.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.flatMap((line) => {
    const [service, ...operations] = line.split(" ");
    return operations.map((operation) => `aws ${service} ${operation}`);
  });
}

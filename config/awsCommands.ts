/** The AWS CLI's commands, from the table of the version that the image installs (image/requirements.txt). */
import { readFileSync } from "node:fs";

/** Operations by service, both as the AWS CLI names them: `ec2`, `describe-instances`. */
export function awsCommands(): ReadonlyMap<string, readonly string[]> {
  const [, ...lines] = readFileSync(new URL("awsCommands.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return new Map(
    lines.map((line) => {
      const [service = "", ...operations] = line.split(" ");
      return [service, operations];
    }),
  );
}

/** `npm run verify`: verifies every account from inside the clusters, with the same Job as `pulumi up`. */
import { npmCommand, path, run, stackOption, text } from "../common/command.js";
import type { VerifyOptions } from "./verify.js";

await run<VerifyOptions>(
  npmCommand({
    name: "verify",
    summary: "Verifies from inside the clusters that the deployed server reaches every account, as pulumi up does.",
    examples: ["--stack prod", "--stack prod --cluster prod-eu --context admin@prod-eu"],
    exitCodes: {
      0: "every account passes in every cluster",
      1: "an account or a cluster fails, see docs/verify.md",
    },
  })
    .addOption(stackOption())
    .option("--cluster <name>", "verify one cluster; default: every cluster that the server is deployed to", text)
    .option("--context <name>", "kubeconfig context of that cluster; default: the config's", text)
    .option("--kubeconfig <file>", "kubeconfig of that cluster; default: the config's", path)
    .option("--kubectl <command>", "name or path of kubectl", executable, "kubectl"),
  async (options) => (await import("./verify.js")).verify(options),
);

/** A name without a slash is looked up on the PATH. */
function executable(value: string): string {
  return value.includes("/") ? path(value) : text(value);
}

/** `npm run convert`: turns the legacy script's YAML file into stack config. */
import { Option } from "commander";
import { npmCommand, path, projectFolder, run, stackOption } from "../common/command.js";
import type { ConvertFilesOptions } from "./files.js";

await run<Pick<ConvertFilesOptions, "stack" | "adopt" | "permissions" | "policyChecks">>(
  npmCommand({
    name: "convert",
    summary: "Converts the multi-cluster-config.yaml of the legacy script to stack config, see docs/migration.md.",
    examples: ["multi-cluster-config.yaml --stack prod --adopt"],
    exitCodes: { 0: "the stack file is complete and valid", 1: "nothing was written; the output lists every reason" },
  })
    .argument("<file>", "the legacy script's YAML file", path)
    .addOption(stackOption())
    .option("--adopt", "import what the legacy script created (adopt: true on every target account)")
    .option("--permissions <file>", "use this permission policy in the project (iam.policyFile)", path)
    .addOption(new Option("--policy-checks <level>", "how findings in that policy count").choices(["error", "warn"])),
  async (options, file) => {
    const { convertFiles } = await import("./files.js");
    process.stdout.write(await convertFiles({ ...options, file: file!, folder: projectFolder }));
    return 0;
  },
);

/** `npm run plan`: every resource of a stack, without the Pulumi CLI, a login, credentials or a network. */
import { npmCommand, path, run, stackOption } from "../common/command.js";
import type { PlanOptions } from "./plan.js";

await run<PlanOptions>(
  npmCommand({
    name: "plan",
    summary: "Shows every resource of a stack as a tree. Needs no Pulumi CLI, credentials or network.",
    examples: ["--stack prod", "--stack prod --out plan-out", "--json"],
    exitCodes: { 0: "the config is valid", 1: "the config has problems, or the folder cannot be written" },
  })
    .addOption(stackOption("dev"))
    .option(
      "--out <folder>",
      "also write every policy, manifest and Holmes configuration to a new or empty folder; plan-out is ignored by Git",
      path,
    )
    .option("--json", "print the resources as JSON instead of the tree"),
  async (options) => (await import("./plan.js")).plan(options),
);

/** What every command of scripts/ shares: its arguments, and how it ends. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ParseArgsConfig, parseArgs } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { ConfigError } from "../../config/load.js";
import { UserError } from "./errors.js";
import { interrupted } from "./processes.js";

/** The project's folder: where the stack files are. */
export const projectFolder = join(dirname(fileURLToPath(import.meta.url)), "../..");

// The SDK's word about the Node versions of next year would stand in every command's output.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Arguments of a command; a wrong one is a UserError with the usage. */
export function commandArguments<const T extends Options>(usage: string, options: T, args = process.argv.slice(2)) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UserError(`${(error as Error).message}\nusage: ${usage}`);
  }
}

/** Runs a command; what a person can settle is printed without a stack. */
export async function run(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    // What fails because Ctrl-C ended the parts is no news.
    if (interrupted()) return;
    const forPeople = error instanceof UserError || error instanceof ConfigError || pulumi.RunError.isInstance(error);
    console.error(forPeople ? error.message : error);
    process.exitCode = 1;
  }
}

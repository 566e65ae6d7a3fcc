/** Options, help, messages and exit codes shared by all commands of scripts/. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UserError } from "./errors.js";
import { interrupted, stopEverything } from "./processes.js";

/** The project's folder, which contains the stack files. */
export const projectFolder = join(dirname(fileURLToPath(import.meta.url)), "../..");

// Suppresses the AWS SDK's warning about Node.js versions.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

export interface CommandText {
  /** Name of the script in package.json. */
  readonly name: string;
  readonly summary: string;
  /** Arguments after `npm run NAME --`. At least one. */
  readonly examples: readonly string[];
  /** Meaning of the exit codes 0 and 1. */
  readonly exitCodes: { readonly 0: string; readonly 1: string };
}

/** Creates a command with help and without options. */
export function npmCommand({ name, summary, examples, exitCodes }: CommandText): Command {
  const call = `npm run ${name} --`;
  const list = (lines: readonly string[]) => lines.map((line) => `  ${line}`).join("\n");
  return new Command(call)
    .description(summary)
    .helpOption("-h, --help", "show this help")
    .addHelpText(
      "after",
      `
Examples:
${list(examples.map((example) => (example === "" ? `npm run ${name}` : `${call} ${example}`)))}

Exit codes:
${list([`0  ${exitCodes[0]}`, `1  ${exitCodes[1]}`, "130  interrupted with Ctrl-C"])}
`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError(`Run ${call} --help for usage.`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "")) });
}

/** The option `--stack`, required unless it has a default. */
export function stackOption(byDefault?: string): Option {
  const option = new Option("--stack <name>", "stack, as in Pulumi.<name>.yaml").argParser((name) => {
    if (/^[A-Za-z0-9_.-]{1,100}$/.test(name)) return name;
    throw new InvalidArgumentError('Expected letters, digits, "_", "." and "-", without an organization.');
  });
  return byDefault === undefined ? option.makeOptionMandatory() : option.default(byDefault);
}

/** Parses an option with a text value. */
export function text(value: string): string {
  if (value.trim() !== "") return value;
  throw new InvalidArgumentError("Expected a value that is not empty.");
}

/** Resolves a path relative to the user's working directory, because npm changes to the project's folder. */
export function path(value: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), text(value));
}

/**
 * Runs a command in the project folder to its end and sets the exit code. Known errors are printed without a stack trace.
 *
 * @param main receives the options and positional arguments, and returns the exit code. It imports what it needs, so
 *   that --help and usage errors are fast.
 */
export async function run<T extends object>(
  command: Command,
  main: (options: T, ...args: string[]) => Promise<number>,
): Promise<void> {
  // When the reader closes the pipe (`plan | head`), the exit code must still be correct.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  try {
    rejectOptionsOfNpm(command, process.argv.slice(2));
    command.parse();
    process.chdir(projectFolder);
    process.exitCode = await main(command.opts<T>(), ...command.processedArgs);
  } catch (error) {
    // Do not report failures caused by Ctrl-C.
    if (interrupted()) return;
    process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
    if (error instanceof CommanderError) return;
    // First, so that no other process reports its progress after the error.
    await stopEverything();
    // Imported only here: --help and usage errors do not wait for the Pulumi SDK.
    const expected = error instanceof UserError || (await import("@pulumi/pulumi")).RunError.isInstance(error);
    console.error(expected ? (error as Error).message : error);
    // What ran beside the failed step, such as another install, does not continue after the error.
    process.exit();
  } finally {
    if (!interrupted()) await stopEverything();
  }
}

/**
 * Rejects options without `--` before them. npm consumes the option in `npm run plan --stack prod`: it sets
 * `npm_config_stack` and passes at most "prod", so the command would silently use its defaults.
 */
function rejectOptionsOfNpm(command: Command, args: readonly string[]): void {
  if (command.name() !== `npm run ${process.env.npm_lifecycle_event} --`) return;
  const taken = command.options.filter(
    (option) =>
      process.env[`npm_config_${option.name().replaceAll("-", "_")}`] &&
      !args.some((arg) => arg.startsWith(`--${option.name()}`)),
  );
  if (taken.length === 0) return;
  const names = taken.map(({ long }) => long).join(", ");
  const options = taken.map(({ flags }) => flags).join(" ");
  command.error(`npm consumed ${names}. Put "--" before the options: ${command.name()} ${options}`);
}

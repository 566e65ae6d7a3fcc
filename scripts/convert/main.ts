/** `npm run convert`: the old shell script's file becomes stack config, or is refused with every reason. */
import { resolve } from "node:path";
import { commandArguments, projectFolder, run } from "../common/command.js";
import { UserError } from "../common/errors.js";
import { convertFiles } from "./files.js";

const usage =
  "npm run convert -- multi-cluster-config.yaml --stack NAME [--adopt] [--permissions FILE [--policy-checks warn]]";

/** Paths are relative to where the person is; npm goes to the project's folder. */
const fromHere = (path: string) => resolve(process.env.INIT_CWD ?? process.cwd(), path);

await run(async () => {
  const { values, positionals } = commandArguments(usage, {
    stack: { type: "string" },
    adopt: { type: "boolean", default: false },
    permissions: { type: "string" },
    "policy-checks": { type: "string" },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    throw new UserError(`expected one file, found ${positionals.join(", ") || "none"}\nusage: ${usage}`);
  }
  if (values.stack === undefined) throw new UserError(`--stack: expected the stack to write\nusage: ${usage}`);
  const permissions = values.permissions === undefined ? undefined : fromHere(values.permissions);
  const path = fromHere(file);
  process.chdir(projectFolder);
  const report = await convertFiles({
    file: path,
    stack: values.stack,
    folder: projectFolder,
    adopt: values.adopt,
    permissions,
    policyChecks: values["policy-checks"],
  });
  process.stdout.write(report);
  return 0;
});

/** `npm run rehearse`: the whole job on this machine, with the real MCP server and an emulated AWS. */
import { commandArguments, projectFolder, run } from "../common/command.js";
import { rehearse } from "./rehearsal.js";

await run(async () => {
  const { values } = commandArguments("npm run rehearse -- [--stack dev]", {
    stack: { type: "string", default: "dev" },
  });
  process.chdir(projectFolder);
  return (await rehearse(projectFolder, values.stack, (text) => process.stdout.write(`${text}\n`))) ? 0 : 1;
});

/** `npm run plan`: everything a stack would make, without CLI, login, credentials or network. */
import { commandArguments, projectFolder, run } from "./lib/command.js";
import { evaluate } from "./lib/evaluate.js";
import { planFiles, planJson, writeFiles } from "./lib/planFiles.js";
import { readStackFile } from "./lib/stackFile.js";
import { planTree } from "./lib/tree.js";

await run(async () => {
  const { values } = commandArguments("npm run plan -- [--stack dev] [--out DIR] [--json]", {
    stack: { type: "string", default: "dev" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  });
  process.chdir(projectFolder);
  const evaluation = await evaluate(values.stack, readStackFile(projectFolder, values.stack));
  if (values.out !== undefined) writeFiles(values.out, planFiles(evaluation));
  process.stdout.write(values.json ? planJson(evaluation) : `${planTree(evaluation)}\n`);
  return 0;
});

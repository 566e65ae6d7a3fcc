/** `npm run plan`: everything a stack would make, without CLI, login, credentials or network. */
import { commandArguments, projectFolder, run } from "../common/command.js";
import { evaluate } from "../common/evaluate.js";
import { readStackFile } from "../common/stackFile.js";
import { planTree } from "../common/tree.js";
import { planFiles, planJson } from "./files.js";
import { writeFiles } from "./outputFolder.js";

await run(async () => {
  const { values } = commandArguments("npm run plan -- [--stack dev] [--out DIR] [--json]", {
    stack: { type: "string", default: "dev" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  });
  process.chdir(projectFolder);
  const evaluation = await evaluate(values.stack, readStackFile(projectFolder, values.stack));
  if (values.out !== undefined) writeFiles(values.out, projectFolder, planFiles(evaluation));
  process.stdout.write(values.json ? planJson(evaluation) : `${planTree(evaluation)}\n`);
  return 0;
});

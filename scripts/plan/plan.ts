/** Prints the plan of a stack, and writes its documents. */
import { projectFolder } from "../common/command.js";
import { evaluate } from "../common/evaluate.js";
import { readStackFile } from "../common/stackFile.js";
import { painter } from "../common/terminal.js";
import { planTree } from "../common/tree.js";
import { planFiles, planJson } from "./files.js";
import { writeFiles } from "./outputFolder.js";

export interface PlanOptions {
  readonly stack: string;
  /** Folder of the documents. */
  readonly out?: string;
  readonly json?: true;
}

/** @returns the exit code */
export async function plan({ stack, out, json }: PlanOptions): Promise<number> {
  const evaluation = await evaluate(stack, readStackFile(projectFolder, stack));
  if (out !== undefined) writeFiles(out, projectFolder, planFiles(evaluation));
  process.stdout.write(json ? planJson(evaluation) : `${planTree(evaluation, painter(process.stdout))}\n`);
  return 0;
}

/** `npm run docs`: writes the documents that follow from the program itself. A test compares each with the program. */
import { readFileSync, writeFileSync } from "node:fs";
import { npmCommand, projectFolder, run } from "../common/command.js";

await run(
  npmCommand({
    name: "docs",
    summary: "Writes the generated documents in docs/.",
    examples: [""],
    exitCodes: { 0: "the documents are up to date", 1: "a document cannot be written" },
  }),
  async () => {
    process.chdir(projectFolder);
    for (const [path, text] of await (await import("./documents.js")).generatedDocuments()) {
      const changed = !existsWith(path, text);
      if (changed) writeFileSync(path, text);
      console.log(`${path}: ${changed ? "written" : "unchanged"}`);
    }
    return 0;
  },
);

function existsWith(path: string, text: string): boolean {
  try {
    return readFileSync(path, "utf8") === text;
  } catch {
    return false;
  }
}

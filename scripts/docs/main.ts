/** `npm run docs`: writes the parts of docs/ that follow from the program itself. A test compares each with the program. */
import { readFileSync, writeFileSync } from "node:fs";
import { npmCommand, run } from "../common/command.js";

await run(
  npmCommand({
    name: "docs",
    summary: "Writes the generated parts of the documents in docs/.",
    examples: [""],
    exitCodes: { 0: "the documents are up to date", 1: "a document cannot be written" },
  }),
  async () => {
    const [{ generatedParts }, { page }] = await Promise.all([import("./documents.js"), import("./page.js")]);
    for (const [path, parts] of Object.entries(await generatedParts())) {
      const text = page(path, parts);
      const changed = readFileSync(path, "utf8") !== text;
      if (changed) writeFileSync(path, text);
      console.log(`${path}: ${changed ? "written" : "unchanged"}`);
    }
    return 0;
  },
);

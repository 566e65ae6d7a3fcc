/** `npm run docs`: writes the documents that follow from the program itself. A test compares each with the program. */
import { readFileSync, writeFileSync } from "node:fs";
import { loadCatalogue } from "../../policies/catalogue.js";
import { npmCommand, projectFolder, run } from "../common/command.js";
import { configDocument, configPath } from "./config.js";
import { doctorDocument, doctorPath } from "./doctor.js";
import { limitsDocument, limitsPath } from "./limits.js";
import { permissionsDocument, permissionsPath, provisioningDocument, provisioningPath } from "./permissions.js";

await run(
  npmCommand({
    name: "docs",
    summary: "Writes the generated documents in docs/.",
    examples: [""],
    exitCodes: { 0: "the documents are up to date", 1: "a document cannot be written" },
  }),
  async () => {
    process.chdir(projectFolder);
    const documents: ReadonlyArray<readonly [path: string, text: string]> = [
      [configPath, configDocument()],
      [doctorPath, doctorDocument()],
      [limitsPath, limitsDocument()],
      [permissionsPath, permissionsDocument(await loadCatalogue())],
      [provisioningPath, provisioningDocument()],
    ];
    for (const [path, text] of documents) {
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

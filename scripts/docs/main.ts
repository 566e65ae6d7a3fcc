/** `npm run docs`: writes the documents that follow from the program itself. A test of each tells when one is behind. */
import { readFileSync, writeFileSync } from "node:fs";
import { loadCatalogue } from "../../policies/catalogue.js";
import { projectFolder, run } from "../common/command.js";
import { configDocument, configPath } from "./config.js";
import { limitsDocument, limitsPath } from "./limits.js";
import { permissionsDocument, permissionsPath, provisioningDocument, provisioningPath } from "./permissions.js";

await run(async () => {
  process.chdir(projectFolder);
  const documents: ReadonlyArray<readonly [path: string, text: string]> = [
    [configPath, configDocument()],
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
});

function existsWith(path: string, text: string): boolean {
  try {
    return readFileSync(path, "utf8") === text;
  } catch {
    return false;
  }
}

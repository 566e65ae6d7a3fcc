/** The documents that follow from the program itself. */
import { loadCatalogue } from "../../policies/catalogue.js";
import { configDocument, configPath } from "./config.js";
import { doctorDocument, doctorPath } from "./doctor.js";
import { limitsDocument, limitsPath } from "./limits.js";
import { permissionsDocument, permissionsPath, provisioningDocument, provisioningPath } from "./permissions.js";

/** Paths, relative to the project, and contents. */
export const generatedDocuments = async (): Promise<ReadonlyArray<readonly [path: string, text: string]>> => [
  [configPath, configDocument()],
  [doctorPath, doctorDocument()],
  [limitsPath, limitsDocument()],
  [permissionsPath, permissionsDocument(await loadCatalogue())],
  [provisioningPath, provisioningDocument()],
];

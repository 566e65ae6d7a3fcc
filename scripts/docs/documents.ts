/** The parts of docs/ that follow from the program itself. */
import { loadCatalogue } from "../../policies/catalogue.js";
import { configParts } from "./config.js";
import { clustersPerRole } from "./limits.js";
import { permissionsParts, provisioningParts } from "./permissions.js";

/** Parts of each page, by its path relative to the project. */
export const generatedParts = async () => ({
  "docs/config.md": configParts(),
  "docs/limits.md": { "clusters-per-role": clustersPerRole() },
  "docs/permissions.md": permissionsParts(await loadCatalogue()),
  "docs/provisioning-policy.md": provisioningParts(),
});

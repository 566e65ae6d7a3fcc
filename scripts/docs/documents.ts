/** The parts of docs/ that follow from the program itself. */
import { loadCatalogue } from "../../policies/catalogue.js";
import { findingCodes } from "../doctor/codes.js";
import { configParts } from "./config.js";
import { table } from "./page.js";
import { permissionsParts, provisioningParts } from "./permissions.js";

/** Parts of each page, by its path relative to the project. */
export const generatedParts = async () => ({
  "docs/config.md": configParts(),
  "docs/doctor.md": {
    findings: table(
      ["code", "finding", "what resolves it"],
      Object.entries(findingCodes).map(([code, { finding, resolution, change }]) => [
        `\`${code}\`${change ? " Δ" : ""}`,
        finding,
        resolution,
      ]),
    ),
  },
  "docs/permissions.md": permissionsParts(await loadCatalogue()),
  "docs/provisioning-policy.md": provisioningParts(),
});

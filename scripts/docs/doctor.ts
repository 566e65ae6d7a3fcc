/** The table of findings in docs/doctor.md, from the codes of scripts/doctor. */
import { findingCodes } from "../doctor/codes.js";
import { page, table } from "./page.js";

export const doctorPath = "docs/doctor.md";

export const doctorDocument = () =>
  page(doctorPath, {
    findings: table(
      ["code", "finding", "what resolves it"],
      Object.entries(findingCodes).map(([code, { finding, resolution, change }]) => [
        `\`${code}\`${change ? " Δ" : ""}`,
        finding,
        resolution,
      ]),
    ),
  });

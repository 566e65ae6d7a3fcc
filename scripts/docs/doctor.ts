/** Renders the table of findings in docs/doctor.md from the codes of scripts/doctor. */
import { readFileSync } from "node:fs";
import { findingCodes } from "../doctor/codes.js";

/** Where the document belongs, from the project's folder. */
export const doctorPath = "docs/doctor.md";

/** The document with its table as the codes have it; the text around the table stays. */
export function doctorDocument(): string {
  const rows = Object.entries(findingCodes).map(
    ([code, { finding, resolution, change }]) => `| \`${code}\`${change ? " Δ" : ""} | ${finding} | ${resolution} |`,
  );
  const table = ["| code | finding | what resolves it |", "| --- | --- | --- |", ...rows].join("\n");
  return readFileSync(doctorPath, "utf8").replace(/\| code \|[\s\S]*?\n(?!\|)/, () => `${table}\n`);
}

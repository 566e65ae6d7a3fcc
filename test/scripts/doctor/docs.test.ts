import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { doctorDocument, doctorPath } from "../../../scripts/docs/doctor.js";
import { clustersPerRole, limitsDocument, limitsPath } from "../../../scripts/docs/limits.js";

test("docs/doctor.md has the table of all codes (update: npm run docs)", () => {
  const document = doctorDocument();
  expect(document).toContain("| `role-differs` Δ |");
  expect(readFileSync(doctorPath, "utf8")).toBe(document);
});

test("docs/limits.md is up to date (update: npm run docs)", () => {
  const document = limitsDocument();
  expect(readFileSync(limitsPath, "utf8")).toBe(document);
  // The facts that the project started from: 4 at 2048, 8 or 9 at 4096.
  const own = [{ namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" }];
  expect(clustersPerRole("us-east-1", own, 2048)).toBe(4);
  expect([8, 9]).toContain(clustersPerRole("us-east-1", own, 4096));
});

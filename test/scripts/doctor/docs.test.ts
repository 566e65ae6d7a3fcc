import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { clustersPerRole, limitsDocument, limitsPath } from "../../../scripts/docs/limits.js";

const sources = ["doctor.ts", "findings.ts"].map((name) => readFileSync(`scripts/doctor/${name}`, "utf8")).join("");

it("docs/doctor.md has every code of a finding, and no other", () => {
  const inCode = new Set(
    [...sources.matchAll(/(?:code: |problem\(\s*|\? |: )"([a-z]+(?:-[a-z]+)*)"/g)].map(([, code]) => code!),
  );
  const table = readFileSync("docs/doctor.md", "utf8").split("## Findings")[1]!.split("## JSON")[0]!;
  const inDocs = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code!);
  expect(inDocs.length).toBeGreaterThan(30);
  expect(inDocs.filter((code) => !inCode.has(code))).toEqual([]);
  const explicit = [...sources.matchAll(/(?:code: |problem\(\s*)"([a-z-]+)"/g)].map(([, code]) => code!);
  expect(explicit.length).toBeGreaterThan(30);
  expect([...new Set(explicit)].filter((code) => !inDocs.includes(code))).toEqual([]);
});

it("docs/limits.md is what the program computes today (else: npm run docs)", () => {
  const document = limitsDocument();
  expect(readFileSync(limitsPath, "utf8")).toBe(document);
  // The facts that the project started from: 4 at 2048, 8 or 9 at 4096.
  const own = [{ namespace: "holmes-aws-mcp", serviceAccount: "aws-api-mcp-sa" }];
  expect(clustersPerRole("us-east-1", own, 2048)).toBe(4);
  expect([8, 9]).toContain(clustersPerRole("us-east-1", own, 4096));
});

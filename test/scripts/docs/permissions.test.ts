import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { loadCatalogue } from "../../../policies/catalogue.js";
import { permissionsDocument, permissionsPath } from "../../../scripts/docs/permissions.js";

it("docs/permissions.md is what the policy allows today (else: npm run docs)", async () => {
  const document = permissionsDocument(await loadCatalogue());
  expect(document).toContain("`logs:StartQuery`");
  expect(document).toContain("`secretsmanager:GetSecretValue`");
  expect(readFileSync(permissionsPath, "utf8")).toBe(document);
});

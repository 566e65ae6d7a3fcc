import { beforeAll, describe, expect, test } from "vitest";
import { type Catalogue, loadCatalogue } from "../../policies/catalogue.js";
import { permissionPolicies } from "../../policies/permissions.js";
import { evaluate } from "./evaluate.js";
import { type Call, investigations, refusals } from "./scenarios.js";

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue();
});

const documents = permissionPolicies({ policyName: "P", partition: "aws" }).policies.map(({ document }) => document);
const cases = (table: Record<string, Call[]>) =>
  Object.entries(table).flatMap(([scenario, calls]) => calls.map((call) => [scenario, call.action, call] as const));

describe("the default policy, call by call", () => {
  test("is evaluated with at least 60 calls, each once", () => {
    for (const table of [investigations, refusals]) {
      const actions = cases(table).map(([, action]) => action);
      expect(new Set(actions).size).toBe(actions.length);
      expect(actions.length).toBeGreaterThanOrEqual(60);
    }
    expect(Object.keys(investigations)).toHaveLength(5);
  });

  test.each(cases(investigations))("%s: %s is allowed", (_, action, call) => {
    expect(catalogue.matching(action).map((known) => known.action)).toEqual([action]);
    expect(evaluate(documents, call).decision).toBe("allowed");
  });

  test.each(cases(refusals))("%s: %s is denied", (_, action, call) => {
    expect(catalogue.matching(action).map((known) => known.action)).toEqual([action]);
    expect(evaluate(documents, call).decision).not.toBe("allowed");
  });
});

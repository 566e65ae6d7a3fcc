import { expect, test } from "vitest";
import { documentOf, type Statement } from "../../../policies/types.js";
import { documentDifference } from "../../../scripts/doctor/drift.js";

const difference = (wanted: Statement, found: Statement) =>
  documentDifference(documentOf([wanted]), documentOf([found]));
const statement: Statement = { Sid: "A", Effect: "Allow", Action: ["s3:Get*", "s3:List*"], Resource: "*" };

test.each<[string, Statement]>([
  ["another order of a list", { ...statement, Action: ["s3:List*", "s3:Get*"] }],
  ["a list with a single value", { ...statement, Resource: ["*"] }],
  ["another order of the elements", { Resource: "*", Action: ["s3:Get*", "s3:List*"], Effect: "Allow", Sid: "A" }],
])("%s is not a difference", (_, found) => {
  expect(difference(statement, found)).toBe("");
  expect(difference(found, statement)).toBe("");
});

test.each<[string, Statement, string]>([
  ["a changed statement", { ...statement, Action: ["s3:Get*"] }, "statement A changed"],
  ["a renamed statement", { ...statement, Sid: "B" }, "statement A missing; statement B added"],
])("%s is named", (_, found, expected) => {
  expect(difference(statement, found)).toBe(expected);
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const text = readFileSync("image/Dockerfile", "utf8");

test("pins its default base by tag and digest", () => {
  expect(text.match(/^ARG BASE_IMAGE=.*$/gm)).toEqual([
    expect.stringMatching(/^ARG BASE_IMAGE=[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/),
  ]);
});

test("starts from that base or from an empty image", () => {
  expect(text.match(/^FROM .*$/gm)).toEqual(["FROM ${BASE_IMAGE} AS build", "FROM scratch"]);
});

import { expect, test } from "vitest";
import { cosignArguments, requireSignature } from "../../components/imageSignature.js";

const reference = `ghcr.io/example/holmes-aws-mcp@sha256:${"a".repeat(64)}`;

test("an image by the workflow of a repository: its tags alone, owner in any case", () => {
  const args = cosignArguments(reference, { repository: "example/holmes.mcp" });
  expect(args.slice(0, -2)).toEqual([
    "verify",
    "--certificate-oidc-issuer",
    "https://token.actions.githubusercontent.com",
    "--certificate-identity-regexp",
  ]);
  expect(args.at(-1)).toBe(reference);
  // Go's inline flag is a flag of its own in JavaScript.
  const identity = new RegExp(args.at(-2)!.replace("(?i)", ""), "i");
  const workflow = "https://github.com/Example/holmes.mcp/.github/workflows/image.yml";
  expect(identity.test(`${workflow}@refs/tags/v1.2.3`)).toBe(true);
  expect(identity.test(`${workflow}@refs/heads/main`)).toBe(false);
  expect(identity.test(`${workflow}@refs/tags/v1.2.3`.replace("holmes.mcp", "holmes-mcp"))).toBe(false);
  expect(identity.test(`https://example.com/?${workflow}@refs/tags/v1.2.3`)).toBe(false);
});

test("an image by the owner of a key", () => {
  expect(cosignArguments(reference, { key: "awskms:///alias/cosign" })).toEqual([
    ...["verify", "--key", "awskms:///alias/cosign", "--private-infrastructure", reference],
  ]);
});

test("without an engine no registry is read", async () => {
  const signer = { key: "/no/such/key" };
  await expect(requireSignature({ prebuilt: reference, signer })).resolves.toBeUndefined();
});

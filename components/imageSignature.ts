import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import type { ImageSettings, ImageSigner } from "../config/settings.js";

/** In milliseconds: the registry and, for a keyless signature, the trust root of Sigstore can be slow. */
const TIMEOUT = 120_000;

/**
 * Verifies the signature of a prebuilt image with cosign, before the first resource is registered. Without cosign it logs
 * a warning. Commands that evaluate the program without an engine, such as `npm run plan`, read no registry.
 *
 * @throws pulumi.RunError when cosign finds no valid signature
 */
export async function requireSignature({ prebuilt: reference, signer }: ImageSettings): Promise<void> {
  if (reference === undefined || signer === undefined || !pulumi.runtime.hasEngine()) return;
  try {
    await promisify(execFile)("cosign", cosignArguments(reference, signer), { timeout: TIMEOUT });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT") {
      await pulumi.log.warn("image.verify: the signature is not verified, because cosign is not on the PATH.");
      return;
    }
    const expected =
      "key" in signer ? `the key ${signer.key}` : `the image workflow of github.com/${signer.repository}`;
    throw new pulumi.RunError(
      `image.prebuilt: cosign found no valid signature of "${reference}". Expected one by ${expected}. Sign the digest, or change image.verify.\n${stderr?.trim()}`,
    );
  }
}

/** Arguments of cosign. */
export function cosignArguments(reference: string, signer: ImageSigner): string[] {
  // A signature by a private key need not be in Sigstore's public log.
  if ("key" in signer) return ["verify", "--key", signer.key, "--private-infrastructure", reference];
  // The owner of an image in ghcr.io is in lower case, that of the certificate as GitHub displays it.
  const identity = `(?i)^https://github\\.com/${signer.repository.replaceAll(".", "\\.")}/\\.github/workflows/image\\.yml@refs/tags/v`;
  return [
    ...["verify", "--certificate-oidc-issuer", "https://token.actions.githubusercontent.com"],
    ...["--certificate-identity-regexp", identity, reference],
  ];
}

// Issuers that are looked up in EKS.
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { describeClusters } from "../../components/eks.js";
import type { ClusterSettings } from "../../config/settings.js";

const issuerUrl = `https://oidc.eks.eu-west-1.amazonaws.com/id/${"A".repeat(32)}`;
const cluster = {
  ...{ name: "main", eksName: "main-eks", region: "eu-west-1", accountId: "111111111111", profile: "main" },
  ...{ issuerUrl: undefined, previousIssuers: [], deploy: false },
} as unknown as ClusterSettings;

/** The issuer of the cluster in the description that EKS returns. */
async function described(issuer: string | undefined): Promise<string> {
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => ({ id: name, state: inputs }),
    call: () => ({ endpoint: "", certificateAuthorities: [], identities: issuer ? [{ oidcs: [{ issuer }] }] : [] }),
  });
  const [only] = await describeClusters([cluster]);
  return only!.issuerUrl;
}

test("returns the issuer of EKS", async () => {
  expect(await described(issuerUrl)).toBe(issuerUrl);
});

test.each([
  ["no issuer", undefined, "has no OIDC issuer."],
  ["no scheme", issuerUrl.replace("https://", ""), 'has the OIDC issuer "oidc.eks.eu-west-1'],
  ["a wildcard", issuerUrl.replace("eu-west-1", "*"), 'has the OIDC issuer "https://oidc.eks.*.'],
  ["a policy variable", issuerUrl.concat("/${aws:username}"), "aws:username"],
  ["a trailing slash", `${issuerUrl}/`, 'A/".'],
  ["a quote and a line end", `${issuerUrl}"\n`, "Set oidcIssuerUrl."],
])("rejects an issuer of EKS with %s, before it is part of a trust policy", async (_, issuer, message) => {
  const error = await described(issuer).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(pulumi.RunError);
  expect((error as Error).message).toContain("clusters: EKS cluster main-eks in eu-west-1 (account 111111111111) has");
  expect((error as Error).message).toContain(message);
});

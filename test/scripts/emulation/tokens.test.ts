import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { ClusterIssuer } from "../../../scripts/emulation/tokens.js";

const issuerUrl = `https://oidc.eks.eu-west-1.amazonaws.com/id/${"A".repeat(32)}`;
const cluster = new ClusterIssuer(issuerUrl);
const subject = { namespace: "default", serviceAccount: "multi-account-mcp-sa" };

describe("ClusterIssuer", () => {
  test("writes the claims and the header of a projected token, and no others", async () => {
    const token = await cluster.token(subject);
    const uid = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const seconds = expect.any(Number);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "RS256", kid: cluster.keyId });
    const claims = decodeJwt(token);
    expect(claims).toEqual({
      aud: ["sts.amazonaws.com"],
      exp: seconds,
      iat: seconds,
      iss: issuerUrl,
      jti: uid,
      "kubernetes.io": {
        namespace: "default",
        node: { name: expect.any(String), uid },
        pod: { name: expect.any(String), uid },
        serviceaccount: { name: "multi-account-mcp-sa", uid },
      },
      nbf: claims.iat,
      sub: "system:serviceaccount:default:multi-account-mcp-sa",
    });
    expect(Math.abs(claims.exp! - Date.now() / 1000 - 3600)).toBeLessThan(60);
  });

  test("signs with the key that its key set has, and with no other", async () => {
    const token = await cluster.token(subject);
    const other = new ClusterIssuer(issuerUrl);
    await expect(jwtVerify(token, createLocalJWKSet(cluster.jwks()))).resolves.toBeDefined();
    await expect(jwtVerify(token, createLocalJWKSet(other.jwks()))).rejects.toThrow();
  });

  test("serves the public half only", async () => {
    const { keys } = cluster.jwks();
    expect(keys).toEqual([
      { kty: "RSA", n: expect.any(String), e: "AQAB", kid: cluster.keyId, alg: "RS256", use: "sig" },
    ]);
  });

  test("creates an expired token, which was valid before", async () => {
    const { exp, iat } = decodeJwt(await cluster.token({ ...subject, expiresInSeconds: -10 }));
    expect(exp! - iat!).toBe(600);
  });

  test("accepts another audience, and any other claim", async () => {
    expect(decodeJwt(await cluster.token({ ...subject, audience: "other" })).aud).toEqual(["other"]);
    expect(decodeJwt(await cluster.token({ ...subject, sub: "x", exp: undefined }))).toMatchObject({ sub: "x" });
    expect(decodeJwt(await cluster.token({ ...subject, exp: undefined }))).not.toHaveProperty("exp");
    expect(decodeProtectedHeader(await cluster.sign({}, { kid: "x" })).kid).toBe("x");
  });
});

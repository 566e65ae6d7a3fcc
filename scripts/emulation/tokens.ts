import { generateKeyPairSync, randomUUID } from "node:crypto";
import { type JSONWebKeySet, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { AUDIENCE, type Subject, subjectClaim } from "../../policies/trust.js";

/** A service account's token. A given claim replaces the default one; undefined removes it. */
export interface TokenArgs extends Subject, Pick<JWTPayload, "iss" | "sub" | "aud" | "exp" | "nbf" | "iat" | "jti"> {
  /** Default: the audience of IRSA's projected volume. */
  audience?: string;
  /** Lifetime from now, in seconds. A negative value creates an expired token. Default: 3600. */
  expiresInSeconds?: number;
  azp?: string | string[];
}

/** Token issuer of a cluster with its own key pair, like the EKS issuer at `https://oidc.eks.…/id/<ID>`. */
export class ClusterIssuer {
  private readonly keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  readonly keyId = randomUUID();

  /** @param issuerUrl with `https://`. */
  constructor(readonly issuerUrl: string) {}

  /** The key set that the issuer serves at `/keys`. */
  jwks(): JSONWebKeySet {
    return {
      keys: [{ ...this.keys.publicKey.export({ format: "jwk" }), kid: this.keyId, alg: "RS256", use: "sig" }],
    };
  }

  /** Creates a projected service account token: RS256, with the claims of EKS. */
  token(args: TokenArgs): Promise<string> {
    const { namespace, serviceAccount, audience = AUDIENCE, expiresInSeconds = 3600, ...claims } = args;
    const now = Math.floor(Date.now() / 1000);
    const expires = now + expiresInSeconds;
    // An expired token was issued before its expiry.
    const issued = Math.min(now, expires - 600);
    return this.sign({
      aud: [audience],
      exp: expires,
      iat: issued,
      iss: this.issuerUrl,
      jti: randomUUID(),
      "kubernetes.io": {
        namespace,
        node: { name: "ip-10-0-0-1.ec2.internal", uid: randomUUID() },
        pod: { name: `${serviceAccount}-0`, uid: randomUUID() },
        serviceaccount: { name: serviceAccount, uid: randomUUID() },
      },
      nbf: issued,
      sub: subjectClaim({ namespace, serviceAccount }),
      ...claims,
    });
  }

  /** Signs any claims with this issuer's key; `header` replaces header parameters. */
  sign(claims: JWTPayload, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: this.keyId, ...header })
      .sign(this.keys.privateKey);
  }
}

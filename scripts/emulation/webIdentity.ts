import { GetOpenIDConnectProviderCommand, GetRoleCommand } from "@aws-sdk/client-iam";
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { PolicyDocument } from "../../policies/types.js";
import { ifExists } from "../common/iam.js";
import { AwsError } from "./awsError.js";
import { EmulatedAws } from "./emulatedAws.js";
import { evaluateTrust } from "./trustEvaluation.js";

/** The decision on one AssumeRoleWithWebIdentity call. */
export interface Decision {
  roleArn: string;
  /** `iss` and `sub` of the token. Empty if the token cannot be read. Verified only if the call is allowed. */
  issuer: string;
  subject: string;
  allowed: boolean;
  /** STS's error code of a rejection. */
  code?: string;
  /** The statement or condition that determined the decision. STS does not return it. */
  reason: string;
}

/** Signature algorithms of OIDC tokens: no shared secrets, no `none`. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
/** Characters. Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */
const TOKEN_LIMIT = 20_000;
/** Tolerance of Signature Version 4. AWS does not publish the tolerance for `iat`. */
const CLOCK_SKEW_SECONDS = 300;
const ROLE_ARN = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[\u0021-\u007e]+\/)?([\w+=,.@-]+)$/;

const NOT_AUTHORIZED = new AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403);
const NO_KEY = new AwsError(
  "InvalidIdentityToken",
  "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
);

/** Decides AssumeRoleWithWebIdentity calls with the current data of the role's account in moto. */
export class WebIdentityCheck {
  private readonly aws: EmulatedAws;

  constructor(
    motoUrl: string,
    private readonly keys: ReadonlyMap<string, JSONWebKeySet>,
  ) {
    this.aws = new EmulatedAws(motoUrl);
  }

  /**
   * @param parameters of the request in the query protocol.
   * @returns the decision, with the error to return for a rejection. The checks have the order of STS: request, token
   * and provider, signature, time, audience, then the role.
   */
  async decide(parameters: URLSearchParams): Promise<{ decision: Decision; error?: AwsError }> {
    const roleArn = parameters.get("RoleArn") ?? "";
    let claims: JWTPayload = {};
    const subject = () => ({ roleArn, issuer: claims.iss ?? "", subject: claims.sub ?? "" });
    try {
      checkRequest(parameters);
      const token = parameters.get("WebIdentityToken") ?? "";
      claims = readable(token);
      const reason = await this.check(roleArn, token, claims.iss ?? "", Number(parameters.get("DurationSeconds")));
      return { decision: { ...subject(), allowed: true, reason } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { answer, message: reason } = error;
      return { decision: { ...subject(), allowed: false, code: answer.code, reason }, error: answer };
    }
  }

  private async check(roleArn: string, token: string, issuer: string, duration: number): Promise<string> {
    const [, partition, accountId, roleName] = ROLE_ARN.exec(roleArn)!;
    const { iam } = await this.aws.in(accountId!, partition!);
    const providerArn = `arn:${partition}:iam::${accountId}:oidc-provider/${issuer.replace(/^https:\/\//, "")}`;
    const [provider, answer] = await Promise.all([
      issuer.startsWith("https://")
        ? ifExists(iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: providerArn })))
        : undefined,
      ifExists(iam.send(new GetRoleCommand({ RoleName: roleName! }))),
    ]);
    if (provider === undefined) {
      throw new Refusal(invalid(`No OpenIDConnect provider found in your account for ${issuer}`));
    }
    const claims = await verified(token, this.keys.get(issuer));
    const audiences = claims.azp === undefined ? [claims.aud].flat() : [claims.azp];
    if (!audiences.some((audience) => typeof audience === "string" && provider.ClientIDList?.includes(audience))) {
      throw new Refusal(
        invalid("Incorrect token audience"),
        `audience ${audiences.join(", ")} is not a client of ${providerArn}`,
      );
    }
    const role = answer?.Role;
    if (role === undefined || role.Arn !== roleArn) throw new Refusal(NOT_AUTHORIZED, `role ${roleArn} does not exist`);
    const document = JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument!)) as PolicyDocument;
    const verdict = evaluateTrust(document, { providerArn, claims });
    if (!verdict.allowed) throw new Refusal(NOT_AUTHORIZED, verdict.reason);
    if (duration > (role.MaxSessionDuration ?? 3600)) {
      throw invalidRequest("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    }
    return verdict.reason;
  }

  /** Closes the connections to moto. */
  close(): Promise<void> {
    return this.aws.close();
  }
}

/** A rejection: the STS error, and as message the reason, which STS does not return if it differs. */
class Refusal extends Error {
  constructor(
    readonly answer: AwsError,
    reason = answer.message,
  ) {
    super(reason);
  }
}

const invalid = (message: string) => new AwsError("InvalidIdentityToken", message);

function checkRequest(parameters: URLSearchParams): void {
  const roleArn = parameters.get("RoleArn") ?? "";
  if (!ROLE_ARN.test(roleArn)) throw invalidRequest(`${roleArn} is invalid`);
  const session = parameters.get("RoleSessionName") ?? "";
  if (!/^[\w+=,.@-]{2,64}$/.test(session)) {
    throw constraint(session, "roleSessionName", "Member must have 2 to 64 characters of [\\w+=,.@-]");
  }
  const length = parameters.get("WebIdentityToken")?.length ?? 0;
  if (length > TOKEN_LIMIT) {
    const rule = `Member must have length less than or equal to ${TOKEN_LIMIT}`;
    throw constraint(`${length} characters`, "webIdentityToken", rule);
  }
  const duration = parameters.get("DurationSeconds");
  if (duration !== null && !(/^\d+$/.test(duration) && Number(duration) >= 900 && Number(duration) <= 43_200)) {
    throw constraint(duration, "durationSeconds", "Member must have value between 900 and 43200");
  }
}

const invalidRequest = (message: string) => new Refusal(new AwsError("ValidationError", message));

const constraint = (value: string, name: string, rule: string) =>
  invalidRequest(`1 validation error detected: Value '${value}' at '${name}' failed to satisfy constraint: ${rule}`);

function readable(token: string): JWTPayload {
  const notJwt = invalid(
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
  );
  try {
    const claims = decodeJwt(token);
    if (typeof claims.iss === "string") return claims;
  } catch {
    throw new Refusal(notJwt);
  }
  throw new Refusal(notJwt, "the token has no issuer");
}

/** The claims of a token whose signature and times are valid. */
async function verified(token: string, keys: JSONWebKeySet | undefined): Promise<JWTPayload> {
  if (keys === undefined) throw new Refusal(NO_KEY, "the issuer serves no keys");
  try {
    const requiredClaims = ["exp", "iat", "sub", "aud"];
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { algorithms: ALGORITHMS, requiredClaims });
    if (typeof payload.sub !== "string") throw new errors.JWTInvalid("the sub claim is not a string");
    if (payload.iat! > Date.now() / 1000 + CLOCK_SKEW_SECONDS) {
      throw new errors.JWTClaimValidationFailed("the iat claim is in the future", payload, "iat");
    }
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      const now = Math.floor(Date.now() / 1000);
      const message = `Token expired: current date/time ${now} must be before the expiration date/time ${error.payload.exp}`;
      throw new Refusal(new AwsError("ExpiredTokenException", message));
    }
    if (error instanceof errors.JWKSNoMatchingKey) throw new Refusal(NO_KEY, "the issuer has no key with this id");
    if (error instanceof errors.JOSEError) {
      throw new Refusal(
        invalid("The web identity token that was passed could not be validated by AWS."),
        error.message,
      );
    }
    throw error;
  }
}

import { GetOpenIDConnectProviderCommand, GetRoleCommand } from "@aws-sdk/client-iam";
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { issuerPath } from "../../config/settings.js";
import { oidcProviderArn } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";
import { ifExists } from "../common/iam.js";
import { AwsError } from "./awsError.js";
import type { EmulatedAws } from "./emulatedAws.js";
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

const notAuthorized = (reason: string) =>
  new AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403, reason);
const invalid = (message: string, reason?: string) => new AwsError("InvalidIdentityToken", message, 400, reason);
const noKey = (reason: string) =>
  invalid(
    "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
    reason,
  );
const invalidRequest = (message: string) => new AwsError("ValidationError", message);

/**
 * Checks an AssumeRoleWithWebIdentity call with the current data of the role's account in moto. The checks have the
 * order of STS: request, token and provider, signature, time, audience, then the role.
 *
 * @param parameters of the request in the query protocol.
 * @param decided receives the decision.
 * @throws AwsError the rejection of STS.
 */
export async function checkWebIdentity(
  parameters: URLSearchParams,
  aws: EmulatedAws,
  keys: ReadonlyMap<string, JSONWebKeySet>,
  decided: (decision: Decision) => void,
): Promise<void> {
  const roleArn = parameters.get("RoleArn") ?? "";
  let claims: JWTPayload = {};
  const decide = (decision: Pick<Decision, "allowed" | "code" | "reason">) =>
    decided({ roleArn, issuer: claims.iss ?? "", subject: claims.sub ?? "", ...decision });
  try {
    checkRequest(parameters);
    claims = readable(parameters.get("WebIdentityToken") ?? "");
    decide({ allowed: true, reason: await checkRole(parameters, claims.iss!, aws, keys) });
  } catch (error) {
    if (error instanceof AwsError) decide({ allowed: false, code: error.code, reason: error.reason });
    throw error;
  }
}

/** Returns the reason why the role can be assumed. */
async function checkRole(
  parameters: URLSearchParams,
  issuer: string,
  aws: EmulatedAws,
  keys: ReadonlyMap<string, JSONWebKeySet>,
): Promise<string> {
  const roleArn = parameters.get("RoleArn")!;
  const [, partition, accountId, RoleName] = ROLE_ARN.exec(roleArn)!;
  const iam = aws.in(accountId!, partition!);
  const providerArn = oidcProviderArn(partition!, accountId!, issuerPath(issuer));
  const [provider, answer] = await Promise.all([
    issuer.startsWith("https://")
      ? ifExists(iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: providerArn })))
      : undefined,
    ifExists(iam.send(new GetRoleCommand({ RoleName }))),
  ]);
  if (provider === undefined) throw invalid(`No OpenIDConnect provider found in your account for ${issuer}`);
  const claims = await verified(parameters.get("WebIdentityToken")!, keys.get(issuer));
  const audiences = claims.azp === undefined ? [claims.aud].flat() : [claims.azp];
  if (!audiences.some((audience) => typeof audience === "string" && provider.ClientIDList?.includes(audience))) {
    const reason = `audience ${audiences.join(", ")} is not a client of ${providerArn}`;
    throw invalid("Incorrect token audience", reason);
  }
  const role = answer?.Role;
  if (role?.Arn !== roleArn) throw notAuthorized(`role ${roleArn} does not exist`);
  const document = JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument!)) as PolicyDocument;
  const verdict = evaluateTrust(document, { providerArn, claims });
  if (!verdict.allowed) throw notAuthorized(verdict.reason);
  if (Number(parameters.get("DurationSeconds")) > (role.MaxSessionDuration ?? 3600)) {
    throw invalidRequest("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  }
  return verdict.reason;
}

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

const constraint = (value: string, name: string, rule: string) =>
  invalidRequest(`1 validation error detected: Value '${value}' at '${name}' failed to satisfy constraint: ${rule}`);

/** The claims of a token with an issuer, before its signature is verified. */
function readable(token: string): JWTPayload {
  let claims: JWTPayload | undefined;
  try {
    claims = decodeJwt(token);
  } catch {
    // Not a JWT.
  }
  if (typeof claims?.iss === "string") return claims;
  throw invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
}

/** The claims of a token whose signature and times are valid. */
async function verified(token: string, keys: JSONWebKeySet | undefined): Promise<JWTPayload> {
  if (keys === undefined) throw noKey("the issuer serves no keys");
  try {
    const requiredClaims = ["exp", "iat", "sub", "aud"];
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { algorithms: ALGORITHMS, requiredClaims });
    if (typeof payload.sub !== "string") throw new errors.JWTInvalid("the sub claim is not a string");
    if (payload.iat! > Date.now() / 1000 + CLOCK_SKEW_SECONDS) {
      throw new errors.JWTInvalid("the iat claim is in the future");
    }
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      const now = Math.floor(Date.now() / 1000);
      const message = `Token expired: current date/time ${now} must be before the expiration date/time ${error.payload.exp}`;
      throw new AwsError("ExpiredTokenException", message);
    }
    if (error instanceof errors.JWKSNoMatchingKey) throw noKey("the issuer has no key with this id");
    if (error instanceof errors.JOSEError) {
      throw invalid("The web identity token that was passed could not be validated by AWS.", error.message);
    }
    throw error;
  }
}

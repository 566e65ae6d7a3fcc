import { GetOpenIDConnectProviderCommand, GetRoleCommand } from "@aws-sdk/client-iam";
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { issuerPath } from "../../config/settings.js";
import { oidcProviderArn } from "../../policies/trust.js";
import type { PolicyDocument } from "../../policies/types.js";
import { ifExists } from "../common/iam.js";
import { AwsError } from "./awsError.js";
import type { EmulatedAws } from "./emulatedAws.js";
import { evaluateTrust } from "./trustEvaluation.js";

/** Signature algorithms of OIDC tokens: no shared secrets, no `none`. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
/** Characters. Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */
const TOKEN_LIMIT = 20_000;
/** Tolerance of Signature Version 4. AWS does not publish the tolerance for `iat`. */
const CLOCK_SKEW_SECONDS = 300;
const ROLE_ARN = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[\u0021-\u007e]+\/)?([\w+=,.@-]+)$/;

/** @param reason is added to the message of STS, which does not return it. */
const notAuthorized = (reason: string) =>
  new AwsError("AccessDenied", `Not authorized to perform sts:AssumeRoleWithWebIdentity (${reason})`, 403);
const invalid = (message: string) => new AwsError("InvalidIdentityToken", message);
const noKey = (reason: string) => invalid(`Couldn't retrieve verification key from your identity provider (${reason})`);
const invalidRequest = (message: string) => new AwsError("ValidationError", message);

/**
 * Checks an AssumeRoleWithWebIdentity call with the current data of the role's account in moto. The checks have the
 * order of STS: request, token and provider, signature, time, audience, then the role.
 *
 * @param parameters of the request in the query protocol.
 * @throws AwsError the rejection of STS.
 */
export async function checkWebIdentity(
  parameters: URLSearchParams,
  aws: EmulatedAws,
  keys: ReadonlyMap<string, JSONWebKeySet>,
): Promise<void> {
  const roleArn = parameters.get("RoleArn") ?? "";
  const token = parameters.get("WebIdentityToken") ?? "";
  const [, partition, accountId, RoleName] = ROLE_ARN.exec(roleArn) ?? [];
  if (partition === undefined || accountId === undefined) throw invalidRequest(`${roleArn} is invalid`);
  if (!/^[\w+=,.@-]{2,64}$/.test(parameters.get("RoleSessionName") ?? "")) {
    throw invalidRequest("roleSessionName: Member must have 2 to 64 characters of [\\w+=,.@-]");
  }
  if (token.length > TOKEN_LIMIT) {
    throw invalidRequest(`webIdentityToken: Member must have length less than or equal to ${TOKEN_LIMIT}`);
  }
  const duration = parameters.get("DurationSeconds") ?? "3600";
  if (!(/^\d+$/.test(duration) && Number(duration) >= 900 && Number(duration) <= 43_200)) {
    throw invalidRequest("durationSeconds: Member must have value between 900 and 43200");
  }
  const issuer = issuerOf(token);
  const iam = aws.in(accountId, partition);
  const providerArn = oidcProviderArn(partition, accountId, issuerPath(issuer));
  const provider = issuer.startsWith("https://")
    ? await ifExists(iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: providerArn })))
    : undefined;
  if (provider === undefined) throw invalid(`No OpenIDConnect provider found in your account for ${issuer}`);
  const claims = await verified(token, keys.get(issuer));
  const audiences = claims.azp === undefined ? [claims.aud].flat() : [claims.azp];
  if (!audiences.some((audience) => typeof audience === "string" && provider.ClientIDList?.includes(audience))) {
    throw invalid(`Incorrect token audience (${audiences.join(", ")} is not a client of ${providerArn})`);
  }
  const role = (await ifExists(iam.send(new GetRoleCommand({ RoleName }))))?.Role;
  if (role?.Arn !== roleArn) throw notAuthorized(`role ${roleArn} does not exist`);
  const document = JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument!)) as PolicyDocument;
  const verdict = evaluateTrust(document, { providerArn, claims });
  if (!verdict.allowed) throw notAuthorized(verdict.reason);
  if (Number(duration) > (role.MaxSessionDuration ?? 3600)) {
    throw invalidRequest("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  }
}

/** The issuer of a token, before its signature is verified. */
function issuerOf(token: string): string {
  let issuer: unknown;
  try {
    issuer = decodeJwt(token).iss;
  } catch {
    // Not a JWT.
  }
  if (typeof issuer === "string") return issuer;
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
      throw invalid(`The web identity token that was passed could not be validated by AWS. (${error.message})`);
    }
    throw error;
  }
}

import { flag, integer, section, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const verifySchema = section({
  enabled: flag(true).describe(
    "Whether `pulumi up` runs a Job in each cluster that calls every account through the server.",
  ),
  timeoutSeconds: integer(60, 1800, " of seconds").default(300).describe("Timeout of the Job, in seconds."),
  requireNetworkPolicy: flag(false).describe(
    "Whether `pulumi up` fails if a pod without the labels of Holmes can reach the server, which means that the cluster does not enforce the NetworkPolicy. Default: `pulumi up` shows a warning.",
  ),
  skipProfiles: set(text(rules.profile, "sandbox"), "profiles")
    .default([])
    .describe("Profiles that the Job skips, for example while an account is unavailable."),
});

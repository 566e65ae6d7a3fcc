import { doc, flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const verifySchema = object({
  enabled: doc(
    flag().default(true),
    "Whether `pulumi up` runs a Job in each cluster that calls every account through the server.",
    false,
  ),
  timeoutSeconds: doc(integer(60, 1800, " of seconds").default(300), "Timeout of the Job, in seconds.", 600),
  requireNetworkPolicy: doc(
    flag().default(false),
    "Whether `pulumi up` fails if a pod without the labels of Holmes can reach the server, which means that the cluster does not enforce the NetworkPolicy. Default: `pulumi up` shows a warning.",
    true,
  ),
  skipProfiles: doc(
    set(text(rules.profile), "profiles").default([]),
    "Profiles that the Job skips, for example while an account is unavailable.",
    ["sandbox"],
  ),
});

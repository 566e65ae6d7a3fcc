import { doc, flag, integer, object, set, text } from "../fields.js";
import { rules } from "../limits.js";

export const verifySchema = object({
  enabled: doc(
    flag().default(true),
    "Whether `up` ends with a Job per cluster that asks for every account through the server.",
    false,
  ),
  timeoutSeconds: doc(integer(60, 1800, " of seconds").default(300), "How long the Job may take, in seconds.", 600),
  requireNetworkPolicy: doc(
    flag().default(false),
    "Whether `up` fails, instead of showing a warning, when a pod without Holmes' labels reaches the server: the cluster then does not enforce the NetworkPolicy.",
    true,
  ),
  skipProfiles: doc(
    set(text(rules.profile), "profiles").default([]),
    "Profiles that the Job leaves out, for instance while an account is sick.",
    ["sandbox"],
  ),
});

import { doc, flag, list, object, text } from "../fields.js";
import { rules } from "../limits.js";
import type { Reading } from "../reading.js";
import { type Rule, unique } from "../rules.js";
import type { Config } from "../schema.js";

export const kubernetesSchema = object({
  namespace: doc(
    text(rules.dnsLabel).default("holmes-aws-mcp"),
    "Namespace of the MCP server, the same in every cluster.",
    "holmes-aws-mcp",
  ),
  createNamespace: doc(
    flag().default(true),
    "Whether the program makes the namespace, with Pod Security `restricted` enforced; false: it is there already.",
    false,
  ),
  serviceAccount: doc(
    text(rules.dnsSubdomain).default("aws-api-mcp-sa"),
    "Service account of the MCP server: the one that the roles trust.",
    "multi-account-mcp-sa",
  ),
  createServiceAccount: doc(
    flag().default(true),
    "Whether the program makes the service account; false: it is there already.",
    false,
  ),
  additionalSubjects: doc(
    list(text(rules.subject), "namespace:serviceAccount").default([]),
    "More `namespace:serviceAccount` pairs that the roles trust, such as Holmes' own.",
    ["robusta:robusta-holmes-service-account"],
  ),
});

/** The service account that signs requests: the workload's, or Holmes' with the hosted server. */
export function ownSubject({
  kubernetes,
  holmes,
  mcp,
}: Pick<Reading<Config>, "kubernetes" | "holmes" | "mcp">): string {
  // With `mcp.enabled: false`, Holmes' chart runs a pod in Holmes' namespace.
  const { namespace } = mcp.enabled === false ? holmes : kubernetes;
  const { serviceAccount } = holmes.hosted ? holmes : kubernetes;
  return `${namespace}:${serviceAccount}`;
}

export const kubernetesRules: readonly Rule[] = [
  {
    says: "`createNamespace: false` for `default`, `kube-*` and the namespace of Holmes: they exist already.",
    check: ({ kubernetes: { namespace, createNamespace }, holmes, mcp }, problems) => {
      if (mcp.enabled === false || !createNamespace || namespace === null) return;
      const path = ["kubernetes", "createNamespace"];
      if (/^(default|kube-.*)$/.test(namespace)) {
        problems.add(path, true, `false, because every cluster has the namespace ${namespace}`);
      } else if (namespace === holmes.namespace) {
        problems.add(
          path,
          true,
          `false, because Holmes is in the namespace ${namespace} already`,
          "Or take a namespace of its own (kubernetes.namespace): the program enforces Pod Security restricted there.",
        );
      }
    },
  },
  {
    says: "The trusted service account is never `default`: every pod of the namespace that names no service account would be trusted.",
    check: ({ kubernetes, holmes }, problems) => {
      const [section, { serviceAccount }] = holmes.hosted
        ? (["holmes", holmes] as const)
        : (["kubernetes", kubernetes] as const);
      if (serviceAccount !== "default") return;
      const why = "Every pod of the namespace that names no service account would be trusted.";
      problems.add([section, "serviceAccount"], "default", "another name", why);
    },
  },
  {
    says: "`additionalSubjects` must be unique, and do not repeat the trusted service account.",
    check: (config, problems) =>
      unique(
        problems,
        config.kubernetes.additionalSubjects.map((subject, index) => [
          ["kubernetes", "additionalSubjects", index],
          subject,
        ]),
        "a service account that is not trusted yet",
        [ownSubject(config)],
      ),
  },
];

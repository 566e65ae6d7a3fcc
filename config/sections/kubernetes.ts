import { doc, flag, list, object, text } from "../fields.js";
import { rules } from "../limits.js";
import { type Row, type Rule, row, serverEnabled, textOf, texts, unique } from "../rules.js";

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

/** Text of the service account that signs requests: the workload's, or Holmes' with the hosted server. */
function ownSubject(config: Row): string {
  const { kubernetes, holmes } = { kubernetes: row(config.kubernetes), holmes: row(config.holmes) };
  return holmes.hosted === true
    ? `${textOf(holmes.namespace) ?? "default"}:${textOf(holmes.serviceAccount) ?? "robusta-holmes-service-account"}`
    : `${serverEnabled(config) ? (textOf(kubernetes.namespace) ?? "holmes-aws-mcp") : (textOf(holmes.namespace) ?? "default")}:${textOf(kubernetes.serviceAccount) ?? "aws-api-mcp-sa"}`;
}

export const kubernetesRules: readonly Rule[] = [
  {
    says: "`createNamespace: false` for `default`, `kube-*` and the namespace of Holmes: they exist already.",
    check: (config, problems, _isSecret) => {
      const mcp = row(config.mcp);
      const holmes = row(config.holmes);
      const kubernetes = row(config.kubernetes);
      if (mcp.enabled === false) return;
      const namespace = textOf(kubernetes.namespace) ?? "holmes-aws-mcp";
      if (kubernetes.createNamespace !== false) {
        const path = ["kubernetes", "createNamespace"];
        if (/^(default|kube-.*)$/.test(namespace)) {
          problems.add(path, kubernetes.createNamespace, `false, because every cluster has the namespace ${namespace}`);
        } else if (namespace === textOf(holmes.namespace)) {
          problems.add(
            path,
            kubernetes.createNamespace,
            `false, because Holmes is in the namespace ${namespace} already`,
            "Or take a namespace of its own (kubernetes.namespace): the program enforces Pod Security restricted there.",
          );
        }
      }
    },
  },
  {
    says: "The trusted service account is never `default`: every pod of the namespace that names no service account would be trusted.",
    check: (config, problems, _isSecret) => {
      const hosted = row(config.holmes).hosted === true;
      const path = hosted ? ["holmes", "serviceAccount"] : ["kubernetes", "serviceAccount"];
      if (row(config[path[0]!]).serviceAccount !== "default") return;
      const why = "Every pod of the namespace that names no service account would be trusted.";
      problems.add(path, "default", "another name", why);
    },
  },
  {
    says: "`additionalSubjects` must be unique, and do not repeat the trusted service account.",
    check: (config, problems, _isSecret) => {
      unique(
        problems,
        texts(row(config.kubernetes).additionalSubjects).map((subject, index) => [
          ["kubernetes", "additionalSubjects", index],
          subject,
        ]),
        "a service account that is not trusted yet",
        [ownSubject(config)],
      );
    },
  },
];

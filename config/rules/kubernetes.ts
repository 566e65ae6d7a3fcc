import type { Reading } from "../reading.js";
import type { Config } from "../schema.js";
import { type Rule, unique } from "./rule.js";

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

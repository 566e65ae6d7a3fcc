import { type ConfigReading, entries, type Rule, unique } from "./rule.js";

/** The service account that signs requests: the workload's, or Holmes' with the hosted server. */
export function ownSubject({ kubernetes, holmes, mcp }: Pick<ConfigReading, "kubernetes" | "holmes" | "mcp">): string {
  // With `mcp.enabled: false`, Holmes' chart runs a pod in Holmes' namespace.
  const { namespace } = mcp.enabled === false ? holmes : kubernetes;
  const { serviceAccount } = holmes.hosted ? holmes : kubernetes;
  return `${namespace}:${serviceAccount}`;
}

export const kubernetesRules: readonly Rule[] = [
  {
    says: "`createNamespace` must be `false` if `namespace` is `default`, `kube-*` or the namespace of Holmes, because these namespaces exist.",
    check: ({ kubernetes: { namespace, createNamespace }, holmes, mcp }, problems) => {
      if (mcp.enabled === false || !createNamespace || namespace === null) return;
      if (!/^(default|kube-.*)$/.test(namespace) && namespace !== holmes.namespace) return;
      problems.add(
        ["kubernetes", "createNamespace"],
        true,
        `false, because the namespace ${namespace} exists`,
        "Alternatively, set kubernetes.namespace to a dedicated namespace, in which the program enforces Pod Security restricted.",
      );
    },
  },
  {
    says: "The trusted service account must not be `default`, because the pods in the namespace that do not set a service account use it.",
    check: ({ kubernetes, holmes }, problems) => {
      const [section, { serviceAccount }] = holmes.hosted
        ? (["holmes", holmes] as const)
        : (["kubernetes", kubernetes] as const);
      if (serviceAccount !== "default") return;
      const why = "The roles would trust every pod in the namespace that does not set a service account.";
      problems.add([section, "serviceAccount"], "default", "a dedicated service account", why);
    },
  },
  {
    says: "`additionalSubjects` must be unique and must not contain the service account of the server.",
    check: (config, problems) =>
      unique(
        problems,
        entries(["kubernetes", "additionalSubjects"], config.kubernetes.additionalSubjects),
        "a service account that is not already trusted",
        [ownSubject(config)],
      ),
  },
];

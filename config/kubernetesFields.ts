/** Kubernetes object fields in the config. The rules are those of the API server. */
import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { boolean, integer, list, object, oneOf, set, text, textMap } from "./fields.js";
import { rules } from "./limits.js";

/** Whether an address is in a CIDR block. */
export function inBlock(address: string, cidr: string): boolean {
  const [network = "", bits] = cidr.split("/");
  if (isIP(network) === 0 || isIP(network) !== isIP(address)) return false;
  const family = isIP(network) === 4 ? "ipv4" : "ipv6";
  const block = new BlockList();
  block.addSubnet(network, Number(bits), family);
  return block.check(address, family);
}

/** A CIDR block whose address Node.js and the API server accept. */
export const cidr = () =>
  text(rules.cidr).refine((block) => isIP(block.split("/")[0] ?? "") !== 0, { error: rules.cidr.expected });

/** A CIDR block, without the smaller blocks in `except`. */
const ipBlock = object({ cidr: cidr(), except: set(cidr(), "CIDR blocks").optional() }).superRefine(
  ({ cidr, except = [] }, context) => {
    for (const [index, block] of except.entries()) {
      if (![cidr, block].every((one) => rules.cidr.pattern.test(one))) continue;
      const [address = "", bits = ""] = block.split("/");
      if (inBlock(address, cidr) && Number(bits) > Number(cidr.split("/")[1])) continue;
      const message = `a smaller block inside ${cidr}`;
      context.addIssue({ code: "custom", path: ["except", index], message, input: block });
    }
  },
);

/** Requirements of a selector. `In` and `NotIn` require values, `Gt` and `Lt` one value, other operators none. */
const requirements = <const O extends readonly [string, ...string[]]>(key: z.ZodType<string>, ...operators: O) => {
  const order = operators.includes("Gt") ? ", one number with Gt and Lt" : "";
  return list(
    object({
      key,
      operator: oneOf(...operators),
      values: list(text(rules.labelValue), "label values").optional(),
    }).refine(
      ({ operator, values = [] }) =>
        operator.endsWith("In") ? values.length > 0 : values.length === (/^[GL]t$/.test(operator) ? 1 : 0),
      { error: `values with In and NotIn${order}, no values with Exists and DoesNotExist` },
    ),
    "requirements",
  ).optional();
};

export const labelSelector = object({
  matchLabels: textMap(rules.labelKey, rules.labelValue).optional(),
  matchExpressions: requirements(text(rules.labelKey), "In", "NotIn", "Exists", "DoesNotExist"),
});

const nodeOperators = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] as const;

const nodeSelectorTerm = object({
  matchExpressions: requirements(text(rules.labelKey), ...nodeOperators),
  matchFields: requirements(oneOf("metadata.name"), ...nodeOperators),
});

// The API server accepts a term without labelSelector and warns, because it matches no pod.
const podAffinityTerm = object({
  topologyKey: text(rules.labelKey),
  labelSelector,
  namespaceSelector: labelSelector.optional(),
  namespaces: set(text(rules.dnsLabel), "namespaces").optional(),
  matchLabelKeys: set(text(rules.labelKey), "label keys").optional(),
  mismatchLabelKeys: set(text(rules.labelKey), "label keys").optional(),
});

const podAffinity = object({
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm, "PodAffinityTerms").optional(),
  preferredDuringSchedulingIgnoredDuringExecution: list(
    object({ weight: integer(1, 100), podAffinityTerm }),
    "WeightedPodAffinityTerms",
  ).optional(),
});

export const affinity = object({
  nodeAffinity: object({
    requiredDuringSchedulingIgnoredDuringExecution: object({
      nodeSelectorTerms: list(nodeSelectorTerm, "NodeSelectorTerms").min(1, { error: "at least one NodeSelectorTerm" }),
    }).optional(),
    preferredDuringSchedulingIgnoredDuringExecution: list(
      object({ weight: integer(1, 100), preference: nodeSelectorTerm }),
      "PreferredSchedulingTerms",
    ).optional(),
  }).optional(),
  podAffinity: podAffinity.optional(),
  podAntiAffinity: podAffinity.optional(),
});

export const topologySpreadConstraint = object({
  maxSkew: integer(1, 2 ** 31 - 1),
  topologyKey: text(rules.labelKey),
  whenUnsatisfiable: oneOf("DoNotSchedule", "ScheduleAnyway"),
  labelSelector,
  minDomains: integer(1, 2 ** 31 - 1).optional(),
  nodeAffinityPolicy: oneOf("Honor", "Ignore").optional(),
  nodeTaintsPolicy: oneOf("Honor", "Ignore").optional(),
  matchLabelKeys: set(text(rules.labelKey), "label keys").optional(),
}).refine(({ minDomains, whenUnsatisfiable }) => minDomains === undefined || whenUnsatisfiable === "DoNotSchedule", {
  error: "whenUnsatisfiable: DoNotSchedule, because minDomains is set",
});

const keyToPath = object({
  key: text(rules.configMapKey),
  path: text(rules.subPath),
  mode: integer(0, 0o777).optional(),
});
const files = { items: list(keyToPath, "KeyToPaths").optional(), defaultMode: integer(0, 0o777).optional() };

/** Part of a Kubernetes object that the config reader does not validate. The API server validates it at preview. */
const kubernetesObject = (kind: string) =>
  z
    .record(z.string(), z.json({ error: `a Kubernetes ${kind}` }), { error: `a Kubernetes ${kind}` })
    .refine((value) => Object.keys(value).length > 0, { error: `a Kubernetes ${kind} that is not empty` });

/** A volume with a source that Pod Security `restricted` permits (Kubernetes, "Pod Security Standards"). */
export const volume = object({
  name: text(rules.dnsLabel),
  configMap: object({ name: text(rules.dnsSubdomain), ...files, optional: boolean().optional() }).optional(),
  secret: object({ secretName: text(rules.dnsSubdomain), ...files, optional: boolean().optional() }).optional(),
  emptyDir: object({ medium: oneOf("", "Memory").optional(), sizeLimit: text(rules.memory).optional() }).optional(),
  persistentVolumeClaim: object({ claimName: text(rules.dnsSubdomain), readOnly: boolean().optional() }).optional(),
  csi: kubernetesObject("CSIVolumeSource").optional(),
  downwardAPI: kubernetesObject("DownwardAPIVolumeSource").optional(),
  ephemeral: kubernetesObject("EphemeralVolumeSource").optional(),
  projected: kubernetesObject("ProjectedVolumeSource").optional(),
}).refine((value) => Object.keys(value).length === 2, {
  error: "a name and exactly one source, such as configMap",
  // An unknown source is already reported.
  when: ({ issues }) => issues.length === 0,
});

export const networkPolicyPeer = object({
  podSelector: labelSelector.optional(),
  namespaceSelector: labelSelector.optional(),
  ipBlock: ipBlock.optional(),
})
  .refine(
    ({ podSelector, namespaceSelector, ipBlock }) =>
      (ipBlock === undefined) !== (podSelector === undefined && namespaceSelector === undefined),
    { error: "either podSelector and namespaceSelector (one or both) or ipBlock" },
  )
  .meta({ example: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } } });

const networkPolicyPort = object({
  protocol: oneOf("TCP", "UDP", "SCTP").optional(),
  port: z.union([integer(1, 65535), text(rules.portName)], { error: "a port number or port name" }).optional(),
  endPort: integer(1, 65535).optional(),
}).refine(({ port, endPort }) => endPort === undefined || (typeof port === "number" && endPort >= port), {
  error: "an endPort that is at least port, and a numeric port",
});

export const networkPolicyEgressRule = object({
  to: list(networkPolicyPeer, "NetworkPolicyPeers").min(1, {
    error: "at least one peer. Without peers, the rule would allow every destination",
  }),
  ports: list(networkPolicyPort, "NetworkPolicyPorts").optional(),
});

export const toleration = object({
  key: text(rules.labelKey).optional(),
  operator: oneOf("Exists", "Equal").optional(),
  value: text(rules.labelValue).optional(),
  effect: oneOf("NoSchedule", "PreferNoSchedule", "NoExecute").optional(),
  tolerationSeconds: integer(0, 2 ** 31 - 1, " of seconds").optional(),
})
  .refine(({ key, operator }) => key !== undefined || operator === "Exists", {
    error: "a Toleration with a key, or with operator Exists",
  })
  .refine(({ operator, value }) => operator !== "Exists" || (value ?? "") === "", {
    error: "a Toleration without a value, because the operator is Exists",
  })
  .refine(({ effect, tolerationSeconds }) => tolerationSeconds === undefined || effect === "NoExecute", {
    error: "a Toleration with effect NoExecute, because tolerationSeconds is set",
  });

export const volumeMount = object({
  name: text(rules.dnsLabel),
  mountPath: text(rules.mountPath),
  subPath: text(rules.subPath).optional(),
  readOnly: boolean().optional(),
});

/** Kubernetes object fields in the config. The rules are those of the API server. */
import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { flag, integer, list, object, oneOf, set, text, textMap } from "./fields.js";
import { rules } from "./limits.js";

/** Part of a Kubernetes object, passed on unchanged. The API server validates it at preview (server-side dry run). */
export const kubernetesObject = (kind: string) =>
  z
    .record(z.string(), z.json({ error: `a Kubernetes ${kind}` }), { error: `a Kubernetes ${kind}` })
    .refine((value) => Object.keys(value).length > 0, { error: `a Kubernetes ${kind} that is not empty` });

/** Whether an address is in a CIDR block. */
export function inBlock(address: string, cidr: string): boolean {
  const [network = "", bits] = cidr.split("/");
  const family = isIP(network);
  if (family === 0 || family !== isIP(address) || !(Number(bits) <= (family === 4 ? 32 : 128))) return false;
  const block = new BlockList();
  block.addSubnet(network, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return block.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** A CIDR block whose address Node.js and the API server accept. */
export const cidr = () =>
  text(rules.cidr).refine((block) => isIP(block.split("/")[0] ?? "") !== 0, { error: rules.cidr.expected });

/** Addresses, without those of smaller blocks inside it. */
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

export const labelSelector = z.strictObject(
  {
    matchLabels: textMap(rules.labelKey, rules.labelValue).optional(),
    matchExpressions: list(
      object({
        key: text(rules.labelKey),
        operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"),
        values: list(text(rules.labelValue), "label values").optional(),
      }).refine(({ operator, values = [] }) => operator.endsWith("In") === values.length > 0, {
        error: "values with In and NotIn, none with Exists and DoesNotExist",
      }),
      "label expressions",
    ).optional(),
  },
  { error: "a label selector with matchLabels or matchExpressions" },
);

export const networkPolicyPeer = z
  .strictObject(
    {
      podSelector: labelSelector.optional(),
      namespaceSelector: labelSelector.optional(),
      ipBlock: ipBlock.optional(),
    },
    { error: "a NetworkPolicyPeer with podSelector, namespaceSelector or ipBlock" },
  )
  .refine(
    ({ podSelector, namespaceSelector, ipBlock }) =>
      (ipBlock === undefined) !== (podSelector === undefined && namespaceSelector === undefined),
    { error: "a NetworkPolicyPeer with either podSelector and namespaceSelector (one or both) or ipBlock" },
  );

export const networkPolicyEgressRule = z.strictObject(
  {
    to: list(networkPolicyPeer, "NetworkPolicyPeers").min(1, {
      error: "at least one peer: none would mean everywhere",
    }),
    ports: list(
      object({
        protocol: oneOf("TCP", "UDP", "SCTP").optional(),
        port: z.union([integer(1, 65535), text(rules.portName)], { error: "a port's number or name" }).optional(),
        endPort: integer(1, 65535).optional(),
      }).refine(({ port, endPort }) => endPort === undefined || (typeof port === "number" && endPort >= port), {
        error: "an endPort that is at least port, where port is a number",
      }),
      "NetworkPolicyPorts",
    ).optional(),
  },
  { error: "a NetworkPolicyEgressRule with to, ports" },
);

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
  readOnly: flag().optional(),
});

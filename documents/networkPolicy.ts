/** Ingress and egress of the MCP server. The bearer token, if required, is a second layer of protection. */
import type { input } from "@pulumi/kubernetes/types/index.js";
import { port, selectors } from "../config/names.js";
import type { Workload } from "./workload.js";

/** All except link-local and EC2 addresses: instance metadata, container credentials, EKS Pod Identity Agent. */
const world = [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
  { ipBlock: { cidr: "::/0", except: ["fe80::/10", "fd00:ec2::/32"] } },
];

/** Selects a namespace. */
const named = (namespace: string) => ({ matchLabels: { "kubernetes.io/metadata.name": namespace } });

const tcp = (number: number) => ({ protocol: "TCP", port: number });

/**
 * The NetworkPolicy of the server's pods and the verification pods. Ingress: Holmes, the verification pods and the
 * configured peers, to the server's port. Egress: DNS, the configured ports (443) except to metadata addresses, and the
 * server.
 */
export function networkPolicySpec(
  workload: Pick<Workload, "serviceName" | "networkPolicy" | "metrics" | "holmes">,
): input.networking.v1.NetworkPolicySpec {
  const { serviceName, networkPolicy, metrics, holmes } = workload;
  const { instance, server, verification } = selectors(serviceName);
  const { additionalPeers, egressPorts, additionalEgress, dnsNamespace } = networkPolicy;
  const dns = [...networkPolicy.dns.peers, ...networkPolicy.dns.cidrs.map((cidr) => ({ ipBlock: { cidr } }))];
  return {
    podSelector: { matchLabels: instance },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      {
        from: [
          { namespaceSelector: named(holmes.namespace), podSelector: { matchLabels: holmes.podLabels } },
          { podSelector: { matchLabels: verification } },
          ...additionalPeers,
        ],
        ports: [tcp(port)],
      },
      // A rule without peers allows all sources.
      ...(metrics.enabled && metrics.peers.length > 0 ? [{ from: metrics.peers, ports: [tcp(metrics.port)] }] : []),
    ],
    egress: [
      {
        to: dns.length > 0 ? dns : [{ namespaceSelector: named(dnsNamespace) }],
        ports: [{ protocol: "UDP", port: 53 }, tcp(53)],
      },
      // A rule without ports allows all ports.
      ...(egressPorts.length > 0 ? [{ to: world, ports: egressPorts.map(tcp) }] : []),
      { to: [{ podSelector: { matchLabels: server } }], ports: [tcp(port)] },
      ...additionalEgress,
    ],
  };
}

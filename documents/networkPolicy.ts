/** Ingress and egress of the MCP server. The bearer token, if required, is a second layer of protection. */
import type { input } from "@pulumi/kubernetes/types/index.js";
import { port, selectors } from "./names.js";
import type { NetworkPolicyOptions, Workload } from "./workload.js";

/** Link-local and EC2 addresses: instance metadata, container credentials, EKS Pod Identity Agent. */
const metadata = { v4: ["169.254.0.0/16"], v6: ["fe80::/10", "fd00:ec2::/32"] };

/**
 * The NetworkPolicy of the server's pods and the verification pods. Ingress: Holmes, the verification pods and the
 * configured peers, to the server's port. Egress: DNS, the configured ports (443) except to metadata addresses, and the
 * server.
 */
export function networkPolicySpec(
  networkPolicy: NetworkPolicyOptions,
  { serviceName, metrics, holmes }: Pick<Workload, "serviceName" | "metrics" | "holmes">,
): input.networking.v1.NetworkPolicySpec {
  const { instance, server, verification } = selectors(serviceName);
  const world = networkPolicy.egressPorts.map((number) => ({ protocol: "TCP", port: number }));
  return {
    podSelector: { matchLabels: instance },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": holmes.namespace } },
            podSelector: { matchLabels: holmes.podLabels },
          },
          { podSelector: { matchLabels: verification } },
          ...networkPolicy.additionalPeers,
        ],
        ports: [{ protocol: "TCP", port }],
      },
      // A rule without peers allows all sources.
      ...(metrics && metrics.peers.length > 0
        ? [{ from: [...metrics.peers], ports: [{ protocol: "TCP", port: metrics.port }] }]
        : []),
    ],
    egress: [
      {
        to: dns(networkPolicy),
        ports: [
          { protocol: "UDP", port: 53 },
          { protocol: "TCP", port: 53 },
        ],
      },
      // A rule without ports allows all ports.
      ...(world.length === 0
        ? []
        : [
            {
              to: [
                { ipBlock: { cidr: "0.0.0.0/0", except: metadata.v4 } },
                { ipBlock: { cidr: "::/0", except: metadata.v6 } },
              ],
              ports: world,
            },
          ]),
      { to: [{ podSelector: { matchLabels: server } }], ports: [{ protocol: "TCP", port }] },
      ...networkPolicy.additionalEgress,
    ],
  };
}

/** DNS destinations: the configured peers and CIDR blocks, or the namespace of the cluster's DNS pods. */
function dns({ dns: { peers, cidrs }, dnsNamespace }: NetworkPolicyOptions) {
  const configured = [...peers, ...cidrs.map((cidr) => ({ ipBlock: { cidr } }))];
  return configured.length > 0
    ? configured
    : [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": dnsNamespace } } }];
}

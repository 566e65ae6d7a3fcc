/** Ingress and egress of the MCP server. The bearer token, if required, is a second layer of protection. */
import type { input } from "@pulumi/kubernetes/types/index.js";
import type { Settings } from "../config/settings.js";
import { port, selectors } from "./names.js";

type Spec = input.networking.v1.NetworkPolicySpec;

/** Link-local and EC2 addresses: instance metadata, container credentials, EKS Pod Identity Agent. */
const metadata = { v4: ["169.254.0.0/16"], v6: ["fe80::/10", "fd00:ec2::/32"] };

/**
 * The NetworkPolicy of the server's pods and the verification pods. Ingress: Holmes, the verification pods and the
 * configured peers, to the server's port. Egress: DNS, the configured ports (443) except to metadata addresses, and the
 * server.
 */
export function networkPolicySpec({
  mcp,
  holmes,
}: {
  mcp: Settings["mcp"];
  holmes: Pick<Settings["holmes"], "namespace" | "podLabels">;
}): Spec {
  const { networkPolicy } = mcp;
  const { instance, server, verification } = selectors(mcp.serviceName);
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
      ...(mcp.metrics.enabled && mcp.metrics.peers.length > 0
        ? [{ from: mcp.metrics.peers, ports: [{ protocol: "TCP", port: mcp.metrics.port }] }]
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
function dns({ dns: { peers, cidrs }, dnsNamespace }: Settings["mcp"]["networkPolicy"]) {
  const configured = [...peers, ...cidrs.map((cidr) => ({ ipBlock: { cidr } }))];
  return configured.length > 0
    ? configured
    : [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": dnsNamespace } } }];
}

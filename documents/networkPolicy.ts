/** Who may call the MCP server, and what it may call. A token, where one is required, is the second guard. */
import type { input } from "@pulumi/kubernetes/types/index.js";
import type { Settings } from "../config/settings.js";
import { port, selectors } from "./names.js";

type Spec = input.networking.v1.NetworkPolicySpec;

/** Link-local and EC2's own addresses: instance metadata, container credentials, pod identity agent. */
const metadata = { v4: ["169.254.0.0/16"], v6: ["fe80::/10", "fd00:ec2::/32"] };

/**
 * One policy for the server's pods and for those that verify it: in, only Holmes, the verification and the peers of
 * the config, at the server's port; out, DNS, the configured ports (443) anywhere but at metadata addresses, and the
 * server itself.
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
      // A rule without peers would admit all of them.
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
      // A rule without ports would open all of them.
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

/** Where DNS is: the configured peers and CIDR blocks, or the namespace of the cluster's DNS pods. */
function dns({ dns: { peers, cidrs }, dnsNamespace }: Settings["mcp"]["networkPolicy"]) {
  const configured = [...peers, ...cidrs.map((cidr) => ({ ipBlock: { cidr } }))];
  return configured.length > 0
    ? configured
    : [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": dnsNamespace } } }];
}

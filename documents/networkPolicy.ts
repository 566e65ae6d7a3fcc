/** Who may call the MCP server, and what it may call. Neither transport authenticates: this is the guard. */
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
    ],
    egress: [
      {
        to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": networkPolicy.dnsNamespace } } }],
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

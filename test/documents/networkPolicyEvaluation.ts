// What a set of NetworkPolicies allows, read as the networking.k8s.io/v1 API defines it and not as one network plugin
// implements it. Kubernetes itself never evaluates them, so a control plane cannot tell.
import { BlockList, isIPv6 } from "node:net";

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface PolicyPeer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

export interface PolicyPort {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}

export interface NetworkPolicy {
  metadata: { name: string; namespace: string };
  spec: {
    podSelector: LabelSelector;
    policyTypes?: string[];
    ingress?: { from?: PolicyPeer[]; ports?: PolicyPort[] }[];
    egress?: { to?: PolicyPeer[]; ports?: PolicyPort[] }[];
  };
}

export interface Pod {
  namespace: string;
  labels: Record<string, string>;
  /** Container ports by name, for rules that name a port. */
  ports?: Record<string, number>;
}

/** One end of a connection: an address outside the cluster, or a pod. A pod is matched by selectors only. */
export type Endpoint = { ip: string } | { pod: Pod };

export interface Connection {
  from: Endpoint;
  to: Endpoint;
  protocol: "TCP" | "UDP" | "SCTP";
  /** Destination port, 1 to 65535. */
  port: number;
}

export interface Network {
  policies: NetworkPolicy[];
  /** Labels of every namespace by its name; `kubernetes.io/metadata.name` is added as the API server does. */
  namespaces: Record<string, Record<string, string>>;
}

type Direction = "Ingress" | "Egress";

/**
 * Whether a connection may be opened: egress of its source and ingress of its destination both must allow it.
 *
 * @throws Error for a policy that the API server would reject (unknown operator, `except` outside of its block, a peer
 * with `ipBlock` and a selector, …) and for a pod in a namespace that `network` does not list.
 */
export function isAllowed(network: Network, connection: Connection): boolean {
  return allows(network, connection, "Egress") && allows(network, connection, "Ingress");
}

function allows(network: Network, connection: Connection, direction: Direction): boolean {
  const [subject, peer] = direction === "Ingress" ? [connection.to, connection.from] : [connection.from, connection.to];
  if (!("pod" in subject)) return true;
  const isolating = network.policies.filter(
    (policy) =>
      policy.metadata.namespace === subject.pod.namespace &&
      matches(policy.spec.podSelector, subject.pod.labels) &&
      directions(policy).includes(direction),
  );
  // A pod that no policy selects in this direction accepts everything. A selected pod accepts what any rule allows.
  return (
    isolating.length === 0 ||
    isolating.some((policy) =>
      rules(policy, direction).some(
        ({ peers, ports }) =>
          (peers.length === 0 || peers.some((rule) => matchesPeer(network, policy, rule, peer))) &&
          (ports.length === 0 || ports.some((rule) => matchesPort(rule, connection))),
      ),
    )
  );
}

function directions({ spec }: NetworkPolicy): string[] {
  const types = spec.policyTypes ?? ["Ingress", ...(spec.egress === undefined ? [] : ["Egress"])];
  for (const type of types) if (type !== "Ingress" && type !== "Egress") throw new Error(`policyTypes: "${type}"`);
  return types;
}

function rules({ spec }: NetworkPolicy, direction: Direction): { peers: PolicyPeer[]; ports: PolicyPort[] }[] {
  const stated =
    direction === "Ingress"
      ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
      : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
  return stated.map(({ peers = [], ports = [] }) => ({ peers, ports }));
}

function matchesPeer(network: Network, policy: NetworkPolicy, rule: PolicyPeer, peer: Endpoint): boolean {
  const { podSelector, namespaceSelector, ipBlock } = rule;
  if (ipBlock !== undefined) {
    if (podSelector ?? namespaceSelector) throw new Error("a peer with ipBlock may have no selector");
    const width = prefix(ipBlock.cidr);
    for (const except of ipBlock.except ?? []) {
      if (!contains(ipBlock.cidr, except.split("/")[0]!) || prefix(except) <= width) {
        throw new Error(`except ${except} is not a part of ${ipBlock.cidr}`);
      }
    }
    if (!("ip" in peer)) return false;
    return contains(ipBlock.cidr, peer.ip) && !(ipBlock.except ?? []).some((cidr) => contains(cidr, peer.ip));
  }
  if (podSelector === undefined && namespaceSelector === undefined)
    throw new Error("a peer must have a selector or an ipBlock");
  if (!("pod" in peer)) return false;
  const { namespace, labels } = peer.pod;
  const namespaceLabels = network.namespaces[namespace];
  if (namespaceLabels === undefined) throw new Error(`no labels given for the namespace ${namespace}`);
  const namespaceMatches =
    namespaceSelector === undefined
      ? namespace === policy.metadata.namespace
      : matches(namespaceSelector, { ...namespaceLabels, "kubernetes.io/metadata.name": namespace });
  return namespaceMatches && matches(podSelector ?? {}, labels);
}

function matchesPort({ protocol = "TCP", port, endPort }: PolicyPort, connection: Connection): boolean {
  if (protocol !== connection.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === "string") {
    if (endPort !== undefined) throw new Error(`endPort with the named port "${port}"`);
    return "pod" in connection.to && connection.to.pod.ports?.[port] === connection.port;
  }
  return connection.port >= port && connection.port <= (endPort ?? port);
}

function matches({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          throw new Error(`unknown selector operator "${operator}"`);
      }
    })
  );
}

function contains(cidr: string, ip: string): boolean {
  // An IPv4 block says nothing about IPv6, nor the reverse.
  if (family(cidr) !== family(ip)) return false;
  const block = new BlockList();
  block.addSubnet(cidr.split("/")[0]!, prefix(cidr), family(cidr));
  return block.check(ip, family(ip));
}

function prefix(cidr: string): number {
  const bits = /\/(\d+)$/.exec(cidr)?.[1];
  if (bits === undefined) throw new Error(`not a CIDR: ${cidr}`);
  return Number(bits);
}

function family(address: string): "ipv4" | "ipv6" {
  return isIPv6(address.split("/")[0]!) ? "ipv6" : "ipv4";
}

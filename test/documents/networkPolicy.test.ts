// Who may reach the MCP server and what it may reach, case by case, on the rendered policy as the API defines it.
import { describe, expect, test } from "vitest";
import { selectors } from "../../config/names.js";
import { configSchema } from "../../config/schema.js";
import { mcpSettings } from "../../config/settings.js";
import { networkPolicySpec } from "../../documents/networkPolicy.js";
import { type Connection, type Endpoint, isAllowed, type Network, type Pod } from "./networkPolicyEvaluation.js";

const OURS = "holmes-aws-mcp";
const namespaces = { [OURS]: {}, robusta: {}, "kube-system": {}, monitoring: { team: "observability" } };

interface Parts {
  mcp?: object;
  holmes?: object;
}

function parse({ mcp = {}, holmes = {} }: Parts) {
  const clusters = [{ name: "prod", region: "us-east-1", accountId: "111111111111" }];
  const config = configSchema.parse({ clusters, mcp, holmes: { namespace: "robusta", ...holmes } });
  return { ...mcpSettings(config.mcp), holmes: config.holmes };
}

/** The policy of a stack with these parts of the config, in a cluster with nothing else in it. */
function network(parts: Parts = {}): Network {
  // As the API server would store it: without undefined fields.
  const workload = parse(parts);
  const spec = JSON.parse(JSON.stringify(networkPolicySpec(workload)));
  return { policies: [{ metadata: { name: "holmes-aws-mcp", namespace: OURS }, spec }], namespaces };
}

const labels = selectors("holmes-aws-mcp");
const server: Pod = { namespace: OURS, labels: labels.server, ports: { http: 8000 } };
const verification: Pod = { namespace: OURS, labels: labels.verification };
const holmes: Pod = { namespace: "robusta", labels: { app: "holmes", "pod-template-hash": "5d4f" } };
const dns: Pod = { namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, ports: { dns: 53 } };

const pod = (value: Pod): Endpoint => ({ pod: value });
const ip = (value: string): Endpoint => ({ ip: value });
const toServer = (from: Endpoint, port = 8000): Connection => ({ from, to: pod(server), protocol: "TCP", port });
const fromPod = (from: Pod, to: Endpoint, port: number, protocol: Connection["protocol"] = "TCP"): Connection => ({
  from: pod(from),
  to,
  protocol,
  port,
});
const allowed = (connection: Connection, parts?: Parts) => isAllowed(network(parts), connection);

test("an empty list of egress ports opens no port", () => {
  const closed = network({ mcp: { networkPolicy: { egressPorts: [] } } });
  for (const port of [22, 443]) expect(isAllowed(closed, fromPod(server, ip("52.94.76.10"), port))).toBe(false);
  // The API reads a rule with an empty list as every port.
  const { policies, namespaces } = network();
  for (const rule of policies[0]!.spec.egress!) rule.ports = [];
  expect(isAllowed({ policies, namespaces }, fromPod(server, ip("52.94.76.10"), 22))).toBe(true);
});

describe("ingress to the server", () => {
  test.each<[string, Connection, boolean]>([
    ["Holmes", toServer(pod(holmes)), true],
    ["the verification pod", toServer(pod(verification)), true],
    ["Holmes on another port", toServer(pod(holmes), 8001), false],
    ["Holmes by UDP", { ...toServer(pod(holmes)), protocol: "UDP" }, false],
    ["another pod in Holmes' namespace", toServer(pod({ namespace: "robusta", labels: { app: "runner" } })), false],
    ["a pod with Holmes' labels in another namespace", toServer(pod({ ...holmes, namespace: "monitoring" })), false],
    ["a pod with Holmes' labels in the server's namespace", toServer(pod({ ...holmes, namespace: OURS })), false],
    ["another pod in the server's namespace", toServer(pod({ namespace: OURS, labels: {} })), false],
    [
      "a pod with the verification's labels in another namespace",
      toServer(pod({ ...verification, namespace: "robusta" })),
      false,
    ],
    ["a second server", toServer(pod(server)), false],
    ["a private address outside the cluster", toServer(ip("10.0.12.34")), false],
    ["the internet", toServer(ip("203.0.113.7")), false],
    ["the internet, IPv6", toServer(ip("2001:db8::7")), false],
  ])("%s: %#", (_, connection, expected) => {
    expect(allowed(connection)).toBe(expected);
  });

  test("the verification pod is protected like the server", () => {
    expect(allowed({ ...toServer(pod({ namespace: "monitoring", labels: {} })), to: pod(verification) })).toBe(false);
    expect(allowed({ ...toServer(pod(holmes), 22), to: pod(verification) })).toBe(false);
  });

  test("Holmes' namespace and labels follow the config", () => {
    const parts = { holmes: { namespace: "monitoring", podLabels: { "app.kubernetes.io/name": "investigator" } } };
    const renamed = { namespace: "monitoring", labels: { "app.kubernetes.io/name": "investigator" } };
    expect(allowed(toServer(pod(renamed)), parts)).toBe(true);
    expect(allowed(toServer(pod(holmes)), parts)).toBe(false);
    expect(allowed(toServer(pod({ ...renamed, labels: { app: "holmes" } })), parts)).toBe(false);
  });

  test("additional peers are allowed besides Holmes, on the same port only", () => {
    const peer = { namespaceSelector: { matchLabels: { team: "observability" } } };
    const parts = { mcp: { networkPolicy: { additionalPeers: [peer] } } };
    const scraper = pod({ namespace: "monitoring", labels: {} });
    expect(allowed(toServer(scraper))).toBe(false);
    expect(allowed(toServer(scraper), parts)).toBe(true);
    expect(allowed(toServer(scraper, 9090), parts)).toBe(false);
    expect(allowed(toServer(pod(holmes)), parts)).toBe(true);
  });

  test("the metrics port is open to its peers only, and closed without peers", () => {
    const metrics = { enabled: true, peers: [{ namespaceSelector: { matchLabels: { team: "observability" } } }] };
    const scraper = pod({ namespace: "monitoring", labels: {} });
    expect(allowed(toServer(scraper, 9090), { mcp: { metrics } })).toBe(true);
    expect(allowed(toServer(scraper), { mcp: { metrics } })).toBe(false);
    expect(allowed(toServer(pod(holmes), 9090), { mcp: { metrics } })).toBe(false);
    expect(allowed(toServer(scraper, 9090), { mcp: { metrics: { ...metrics, enabled: false } } })).toBe(false);
    expect(allowed(toServer(scraper, 9090), { mcp: { metrics: { enabled: true } } })).toBe(false);
  });
});

describe.each([
  ["the server", server],
  ["the verification pod", verification],
])("egress from %s", (_, from) => {
  test.each<[string, Connection, boolean]>([
    ["DNS by UDP", fromPod(from, pod(dns), 53, "UDP"), true],
    ["DNS by TCP", fromPod(from, pod(dns), 53), true],
    ["another port of the DNS namespace", fromPod(from, pod(dns), 9153), false],
    ["an external resolver", fromPod(from, ip("8.8.8.8"), 53, "UDP"), false],
    ["an external resolver by TCP", fromPod(from, ip("8.8.8.8"), 53), false],
    ["a DNS pod in another namespace", fromPod(from, pod({ ...dns, namespace: "monitoring" }), 53, "UDP"), false],
    ["AWS", fromPod(from, ip("52.94.76.10"), 443), true],
    ["AWS, IPv6", fromPod(from, ip("2600:1f14::10"), 443), true],
    ["a VPC endpoint", fromPod(from, ip("10.0.1.5"), 443), true],
    ["the internet without TLS", fromPod(from, ip("52.94.76.10"), 80), false],
    ["QUIC", fromPod(from, ip("52.94.76.10"), 443, "UDP"), false],
    ["SSH", fromPod(from, ip("10.0.1.5"), 22), false],
    ["another port, IPv6", fromPod(from, ip("2600:1f14::10"), 80), false],
    ["Holmes", fromPod(from, pod(holmes), 8000), false],
    ["a pod of the cluster by TLS", fromPod(from, pod({ namespace: "monitoring", labels: {} }), 443), false],
    ["a database of the cluster", fromPod(from, pod({ namespace: OURS, labels: { app: "db" } }), 5432), false],
  ])("%s: %#", (_, connection, expected) => {
    expect(allowed(connection)).toBe(expected);
  });

  test.each([
    ["instance metadata", "169.254.169.254"],
    ["ECS task credentials", "169.254.170.2"],
    ["EKS Pod Identity agent", "169.254.170.23"],
    ["first link-local", "169.254.0.0"],
    ["last link-local", "169.254.255.255"],
    ["instance metadata, IPv6", "fd00:ec2::254"],
    ["EKS Pod Identity agent, IPv6", "fd00:ec2::23"],
    ["first of EC2's own block", "fd00:ec2::"],
    ["last of EC2's own block", "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["link-local, IPv6", "fe80::1"],
  ])("%s (%s) is blocked on every port", (_, address) => {
    for (const port of [53, 80, 443, 8000]) expect(allowed(fromPod(from, ip(address), port)), `${port}`).toBe(false);
    expect(allowed(fromPod(from, ip(address), 53, "UDP"))).toBe(false);
  });

  test.each(["169.253.255.255", "169.255.0.0", "fd00:ec1:ffff::1", "fd00:ec3::1"])(
    "%s, next to a blocked range, is allowed",
    (address) => {
      expect(allowed(fromPod(from, ip(address), 443))).toBe(true);
    },
  );

  test("other egress ports replace 443, and the metadata addresses stay blocked", () => {
    const parts = { mcp: { networkPolicy: { egressPorts: [3128] } } };
    expect(allowed(fromPod(from, ip("10.0.1.5"), 3128), parts)).toBe(true);
    expect(allowed(fromPod(from, ip("10.0.1.5"), 443), parts)).toBe(false);
    expect(allowed(fromPod(from, ip("169.254.169.254"), 3128), parts)).toBe(false);
  });

  test("additional egress is allowed", () => {
    const rule = { to: [{ namespaceSelector: { matchLabels: { team: "observability" } } }], ports: [{ port: 4317 }] };
    const parts = { mcp: { networkPolicy: { additionalEgress: [rule] } } };
    const collector = pod({ namespace: "monitoring", labels: {} });
    expect(allowed(fromPod(from, collector, 4317))).toBe(false);
    expect(allowed(fromPod(from, collector, 4317), parts)).toBe(true);
  });

  test("another DNS namespace replaces kube-system", () => {
    const parts = { mcp: { networkPolicy: { dnsNamespace: "monitoring" } } };
    expect(allowed(fromPod(from, pod({ ...dns, namespace: "monitoring" }), 53, "UDP"), parts)).toBe(true);
    expect(allowed(fromPod(from, pod(dns), 53, "UDP"), parts)).toBe(false);
  });
});

test("the verification pod reaches the server only on its port and in its namespace", () => {
  expect(allowed(fromPod(verification, pod(server), 8000))).toBe(true);
  expect(allowed(fromPod(verification, pod(server), 22))).toBe(false);
  expect(allowed(fromPod(verification, pod({ ...server, namespace: "monitoring" }), 8000))).toBe(false);
});

test("other pods in the namespace are not affected", () => {
  const neighbour = { namespace: OURS, labels: { app: "neighbour" } };
  expect(allowed(fromPod(neighbour, ip("169.254.169.254"), 80))).toBe(true);
  expect(allowed({ ...toServer(ip("203.0.113.7"), 80), to: pod(neighbour) })).toBe(true);
});

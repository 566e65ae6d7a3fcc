// The evaluator against the cases that the API's documentation of NetworkPolicy spells out.
import { describe, expect, test } from "vitest";
import { type Endpoint, isAllowed, type NetworkPolicy } from "./networkPolicyEvaluation.js";

const namespaces = { default: {}, other: { team: "blue" }, "kube-system": {} };
const db = { namespace: "default", labels: { role: "db" }, ports: { sql: 6379 } };
const frontend = { namespace: "default", labels: { role: "frontend" } };
const frontendElsewhere = { namespace: "other", labels: { role: "frontend" } };
const web = { ip: "203.0.113.7" };

const policy = (spec: Partial<NetworkPolicy["spec"]>, namespace = "default"): NetworkPolicy => ({
  metadata: { name: "policy", namespace },
  spec: { podSelector: { matchLabels: { role: "db" } }, ...spec },
});
const toDb = (from: Endpoint, port = 6379, protocol: "TCP" | "UDP" = "TCP") => ({
  from,
  to: { pod: db },
  protocol,
  port,
});
const fromDb = (to: Endpoint, port = 443) => ({ from: { pod: db }, to, protocol: "TCP" as const, port });

describe("isolation", () => {
  test("without a policy, all traffic is allowed", () => {
    expect(isAllowed({ policies: [], namespaces }, toDb(web))).toBe(true);
  });
  test("a policy without rules isolates its pods, only in its namespace and its direction", () => {
    const policies = [policy({ policyTypes: ["Ingress"] })];
    expect(isAllowed({ policies, namespaces }, toDb(web))).toBe(false);
    expect(isAllowed({ policies, namespaces }, fromDb(web))).toBe(true);
    expect(isAllowed({ policies: [policy({}, "other")], namespaces }, toDb(web))).toBe(true);
    expect(isAllowed({ policies, namespaces }, { ...toDb(web), to: { pod: frontend } })).toBe(true);
  });
  test("without policyTypes: Ingress always, Egress when there are egress rules", () => {
    expect(isAllowed({ policies: [policy({})], namespaces }, toDb(web))).toBe(false);
    expect(isAllowed({ policies: [policy({})], namespaces }, fromDb(web))).toBe(true);
    expect(isAllowed({ policies: [policy({ egress: [] })], namespaces }, fromDb(web))).toBe(false);
  });
  test("an empty rule allows all traffic, and policies are additive", () => {
    const closed = policy({});
    expect(isAllowed({ policies: [policy({ ingress: [{}] })], namespaces }, toDb(web))).toBe(true);
    expect(isAllowed({ policies: [closed, policy({ ingress: [{}] })], namespaces }, toDb(web))).toBe(true);
  });
  test("both ends must allow the connection", () => {
    const closedFrontend = policy({ podSelector: { matchLabels: { role: "frontend" } }, policyTypes: ["Egress"] });
    const open = policy({ ingress: [{}] });
    expect(isAllowed({ policies: [open], namespaces }, toDb({ pod: frontend }))).toBe(true);
    expect(isAllowed({ policies: [open, closedFrontend], namespaces }, toDb({ pod: frontend }))).toBe(false);
  });
});

describe("peers", () => {
  const from = (...peers: NonNullable<NonNullable<NetworkPolicy["spec"]["ingress"]>[number]["from"]>) => ({
    policies: [policy({ ingress: [{ from: peers }] })],
    namespaces,
  });
  const frontends = { podSelector: { matchLabels: { role: "frontend" } } };
  const blue = { namespaceSelector: { matchLabels: { team: "blue" } } };

  test("a pod selector alone means the policy's own namespace", () => {
    expect(isAllowed(from(frontends), toDb({ pod: frontend }))).toBe(true);
    expect(isAllowed(from(frontends), toDb({ pod: frontendElsewhere }))).toBe(false);
  });
  test("a namespace selector alone means all its pods", () => {
    expect(isAllowed(from(blue), toDb({ pod: { namespace: "other", labels: {} } }))).toBe(true);
    expect(isAllowed(from(blue), toDb({ pod: frontend }))).toBe(false);
  });
  test("both selectors in one peer are combined with AND, in two peers with OR", () => {
    const otherInBlue = { pod: { namespace: "other", labels: {} } };
    expect(isAllowed(from({ ...blue, ...frontends }), toDb({ pod: frontendElsewhere }))).toBe(true);
    expect(isAllowed(from({ ...blue, ...frontends }), toDb(otherInBlue))).toBe(false);
    expect(isAllowed(from({ ...blue, ...frontends }), toDb({ pod: frontend }))).toBe(false);
    expect(isAllowed(from(blue, frontends), toDb(otherInBlue))).toBe(true);
    expect(isAllowed(from(blue, frontends), toDb({ pod: frontend }))).toBe(true);
  });
  test("an empty namespace selector matches every namespace, and no external address", () => {
    expect(isAllowed(from({ namespaceSelector: {} }), toDb({ pod: frontendElsewhere }))).toBe(true);
    expect(isAllowed(from({ namespaceSelector: {} }), toDb(web))).toBe(false);
  });
  test("the name of a namespace is a label", () => {
    const named = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } } };
    expect(isAllowed(from(named), toDb({ pod: frontendElsewhere }))).toBe(true);
    expect(isAllowed(from(named), toDb({ pod: frontend }))).toBe(false);
  });
  test("address blocks and their exceptions, for IPv4 and IPv6", () => {
    const block = { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } };
    expect(isAllowed(from(block), toDb(web))).toBe(true);
    expect(isAllowed(from(block), toDb({ ip: "169.253.255.255" }))).toBe(true);
    expect(isAllowed(from(block), toDb({ ip: "169.254.0.0" }))).toBe(false);
    expect(isAllowed(from(block), toDb({ ip: "2001:db8::1" }))).toBe(false);
    expect(isAllowed(from({ ipBlock: { cidr: "::/0", except: ["fd00:ec2::/32"] } }), toDb({ ip: "2001:db8::1" }))).toBe(
      true,
    );
    expect(
      isAllowed(from({ ipBlock: { cidr: "::/0", except: ["fd00:ec2::/32"] } }), toDb({ ip: "fd00:ec2::254" })),
    ).toBe(false);
    expect(isAllowed(from({ ipBlock: { cidr: "::/0" } }), toDb(web))).toBe(false);
  });
  test.each([
    ["In", ["frontend"], true, false],
    ["NotIn", ["frontend"], false, true],
    ["Exists", undefined, true, false],
    ["DoesNotExist", undefined, false, true],
  ])("%s %s", (operator, values, labelled, bare) => {
    const selector = { podSelector: { matchExpressions: [{ key: "role", operator, ...(values && { values }) }] } };
    expect(isAllowed(from(selector), toDb({ pod: frontend }))).toBe(labelled);
    expect(isAllowed(from(selector), toDb({ pod: { namespace: "default", labels: {} } }))).toBe(bare);
  });
});

describe("ports", () => {
  const on = (...ports: NonNullable<NonNullable<NetworkPolicy["spec"]["ingress"]>[number]["ports"]>) => ({
    policies: [policy({ ingress: [{ ports }] })],
    namespaces,
  });
  test("the default protocol is TCP, and only the port matches", () => {
    expect(isAllowed(on({ port: 6379 }), toDb(web, 6379))).toBe(true);
    expect(isAllowed(on({ port: 6379 }), toDb(web, 6380))).toBe(false);
    expect(isAllowed(on({ port: 53 }), toDb(web, 53, "UDP"))).toBe(false);
    expect(isAllowed(on({ port: 53, protocol: "UDP" }), toDb(web, 53, "UDP"))).toBe(true);
  });
  test("ranges include both ends, a protocol without a port matches all ports, and port names are the destination's", () => {
    expect([31, 32, 40, 41].map((port) => isAllowed(on({ port: 32, endPort: 40 }), toDb(web, port)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(isAllowed(on({ protocol: "TCP" }), toDb(web, 1))).toBe(true);
    expect(isAllowed(on({ port: "sql" }), toDb(web, 6379))).toBe(true);
    expect(isAllowed(on({ port: "sql" }), toDb(web, 6380))).toBe(false);
    expect(isAllowed(on({ port: "http" }), toDb(web, 6379))).toBe(false);
  });
});

test.each([
  ["unknown operator", { podSelector: { matchExpressions: [{ key: "a", operator: "Equals" }] } }, /"Equals"/],
  [
    "an exception outside of its block",
    { ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } },
    /11\.0\.0\.0\/16/,
  ],
  ["an exception as wide as its block", { ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } }, /not a part/],
  ["an address without a prefix", { ipBlock: { cidr: "10.0.0.0" } }, /not a CIDR/],
  ["a block with a selector", { ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }, /no selector/],
  ["an empty peer", {}, /must have a selector or an ipBlock/],
])("a policy that the API would reject is an error: %s", (_, peer, message) => {
  const policies = [policy({ ingress: [{ from: [peer] }] })];
  expect(() => isAllowed({ policies, namespaces }, toDb({ pod: frontend }))).toThrow(message);
});

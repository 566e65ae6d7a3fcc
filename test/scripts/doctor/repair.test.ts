/** The state after an interrupted update, without an engine. */
import { expect, test } from "vitest";
import type { Report } from "../../../scripts/doctor/doctor.js";
import { type Finding, note, problem } from "../../../scripts/doctor/findings/finding.js";
import { repair } from "../../../scripts/doctor/repair.js";
import { StackState } from "../../../scripts/doctor/state.js";

const accountId = "111111111111";
const arnOf = (rest: string) => `arn:aws:iam::${accountId}:${rest}`;
const urnOf = (type: string, name: string) => `urn:pulumi:dev::holmes-aws-mcp::${type}::${name}`;

const provider = {
  urn: urnOf("pulumi:providers:aws", "dev/aws"),
  type: "pulumi:providers:aws",
  id: "an-id",
  inputs: { allowedAccountIds: `["${accountId}"]`, region: "us-east-1" },
};

/** A resource as a pending operation has it: inputs, and no outputs. */
const pending = (type: string, inputs: object) => ({
  urn: urnOf(type, "x"),
  type,
  inputs,
  provider: `${provider.urn}::${provider.id}`,
});
const role = pending("aws:iam/role:Role", { name: "R", path: "/holmes/" });
const oidc = pending("aws:iam/openIdConnectProvider:OpenIdConnectProvider", { url: "https://issuer.example/id/A" });
const policy = pending("aws:iam/policy:Policy", { name: "P", path: "/" });
const inline = pending("aws:iam/rolePolicy:RolePolicy", { name: "I", role: "R" });
const repository = pending("aws:ecr/repository:Repository", { name: "holmes/mcp" });
const created = { ...oidc, urn: `${oidc.urn}-2`, id: arnOf("oidc-provider/issuer.example/id/B") };

const stateOf = (owner: object = provider) => {
  const operations = [role, oidc, policy, inline, repository, created].map((resource) => ({
    type: "creating",
    resource,
  }));
  const deployment = {
    manifest: { magic: "kept" },
    resources: [owner, created],
    pending_operations: [...operations, { type: "updating", resource: created }],
  };
  return StackState.parse(JSON.stringify({ version: 3, deployment }), "dev", "state.json");
};

const reportOf = (read: boolean, interrupted: readonly string[], findings: readonly Finding[] = []): Report => ({
  stack: "dev",
  ok: false,
  upWithout: null,
  recovery: [],
  accounts: [
    {
      profile: "dev",
      accountId,
      purposes: ["target account"],
      read,
      caller: null,
      findings: [...findings, ...interrupted.map((arn) => problem(arn, "interrupted", ""))],
    },
  ],
});

test.each([
  ["as JSON", provider],
  ["as a list", { ...provider, inputs: { ...provider.inputs, allowedAccountIds: [accountId] } }],
])("completes the creations that exist in AWS, with the account of the provider %s", (_, owner) => {
  const [roleArn, oidcArn] = [arnOf("role/holmes/R"), arnOf("oidc-provider/issuer.example/id/A")];
  const state = stateOf(owner);
  expect([roleArn, oidcArn, arnOf("policy/P"), created.id].map((arn) => state.isPending(arn))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  const { state: repaired, unchecked } = repair(reportOf(true, [roleArn, oidcArn]), state);
  expect(repaired).toEqual({
    version: 3,
    deployment: {
      manifest: { magic: "kept" },
      resources: [
        owner,
        created,
        { ...role, id: "R", outputs: { ...role.inputs, arn: roleArn, id: "R" } },
        { ...oidc, id: oidcArn, outputs: { ...oidc.inputs, arn: oidcArn, id: oidcArn } },
      ],
    },
  });
  // Their ARNs do not follow from the inputs.
  expect(unchecked).toEqual([inline.urn, repository.urn]);
});

test("rejects a state with creations in an account that could not be read", () => {
  expect(() => repair(reportOf(false, []), stateOf())).toThrow(
    `--repair: the account of an interrupted creation could not be read. Expected access to it. Fix what doctor reports, then repeat:\n${[role, oidc, policy].map(({ urn }) => urn).join("\n")}`,
  );
});

test("rejects a state whose resources could not be read, and not because of reads that up does not need", () => {
  const report = (finding: Finding) => reportOf(true, [], [finding]);
  expect(() =>
    repair(report(problem("role R", "unread", "not checked: iam:GetRole: AccessDenied")), stateOf()),
  ).toThrow("then repeat:\nnot checked: iam:GetRole: AccessDenied");
  expect(() =>
    repair(report(note("role R", "unread", "not checked: iam:ListRoles: AccessDenied")), stateOf()),
  ).not.toThrow();
});

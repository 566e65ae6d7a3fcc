/**
 * The bare side of bench:plan. Registers the resources that it reads with the same classes and their final inputs, without
 * config, documents and the logic of components.
 */
import { readFileSync } from "node:fs";

const list: { type: string; name: string; open: Record<string, unknown>; custom: boolean }[] = JSON.parse(
  readFileSync(0, "utf8"),
);

const start = performance.now();
const pulumi = await import("@pulumi/pulumi");
const aws = await import("@pulumi/aws");
const kubernetes = await import("@pulumi/kubernetes");
const { countRegistrations } = await import("./counting.js");
const resources = await countRegistrations();

type Class = new (name: string, args: never) => object;
const classes: Record<string, Class> = {
  "pulumi:providers:aws": aws.Provider,
  "pulumi:providers:kubernetes": kubernetes.Provider,
  "aws:iam/openIdConnectProvider:OpenIdConnectProvider": aws.iam.OpenIdConnectProvider,
  "aws:iam/role:Role": aws.iam.Role,
  "aws:iam/rolePolicy:RolePolicy": aws.iam.RolePolicy,
  "kubernetes:apps/v1:Deployment": kubernetes.apps.v1.Deployment,
  "kubernetes:batch/v1:Job": kubernetes.batch.v1.Job,
  "kubernetes:core/v1:ConfigMap": kubernetes.core.v1.ConfigMap,
  "kubernetes:core/v1:Namespace": kubernetes.core.v1.Namespace,
  "kubernetes:core/v1:Service": kubernetes.core.v1.Service,
  "kubernetes:core/v1:ServiceAccount": kubernetes.core.v1.ServiceAccount,
  "kubernetes:networking.k8s.io/v1:NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
};

for (const { type, name, open, custom } of list) {
  if (!custom) {
    new pulumi.ComponentResource(type, name);
    continue;
  }
  const Resource = classes[type];
  if (Resource === undefined) throw new Error(`the bare program does not support ${type}`);
  // The inputs of a provider are recorded as texts. JSON was a value in the program.
  const args = type.startsWith("pulumi:providers:")
    ? Object.fromEntries(
        Object.entries(open).map(([key, value]) => [
          key,
          /^(\[|true|false)/.test(String(value)) ? JSON.parse(String(value)) : value,
        ]),
      )
    : open;
  new Resource(name, args as never);
}
await pulumi.runtime.disconnect();
console.log(JSON.stringify({ milliseconds: performance.now() - start, resources: resources() }));

/** The bare side of bench:plan: registers the resources that it reads, with finished inputs and nothing around them. */
import { readFileSync } from "node:fs";

const list: { type: string; name: string; open: Record<string, unknown>; custom: boolean }[] = JSON.parse(
  readFileSync(0, "utf8"),
);

const start = performance.now();
const pulumi = await import("@pulumi/pulumi");
// A bare program of this kind imports the same packages.
await import("@pulumi/aws");
await import("@pulumi/kubernetes");
await import("@pulumi/docker");
const { countRegistrations } = await import("./counting.js");
const resources = await countRegistrations();
class Raw extends pulumi.CustomResource {}
for (const { type, name, open, custom } of list) {
  if (custom) new Raw(type, name, open);
  else new pulumi.ComponentResource(type, name);
}
await pulumi.runtime.disconnect();
console.log(JSON.stringify({ milliseconds: performance.now() - start, resources: resources() }));

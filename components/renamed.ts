import type * as pulumi from "@pulumi/pulumi";

/**
 * Options that keep a resource when the profile or cluster in its name is renamed.
 *
 * @param previous previous name of the profile or cluster
 * @param suffix rest of the resource's name. Children whose names begin with their parent's name follow the parent.
 */
export const renamed = (previous: string | undefined, suffix = ""): { aliases?: pulumi.Alias[] } =>
  previous === undefined ? {} : { aliases: [{ name: `${previous}${suffix}` }] };

/** Returns a function that creates children of a component, named `<cluster>/<kind>`. They follow a renamed cluster. */
export const childrenOf =
  (parent: pulumi.Resource, cluster: string, previousName: string | undefined) =>
  <Args, Child>(
    kind: string,
    Type: new (name: string, args: Args, opts: pulumi.CustomResourceOptions) => Child,
    args: Args,
    opts: pulumi.CustomResourceOptions = {},
  ): Child =>
    new Type(`${cluster}/${kind}`, args, { parent, ...renamed(previousName, `/${kind}`), ...opts });

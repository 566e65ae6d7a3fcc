/** Adapts output to a terminal. */
import { styleText } from "node:util";

/** Styles a text, or returns it unchanged. */
export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string;

/** For output that is compared or stored. */
export const plain: Paint = (_, text) => text;

/** Styles on a terminal, unless NO_COLOR or TERM=dumb is set. */
export function painter(stream: NodeJS.WriteStream): Paint {
  return stream.isTTY === true && stream.hasColors() ? styleText : plain;
}

/** Truncates a text to at most `length` characters. A truncated text ends in "…". */
export function clip(value: string, length: number): string {
  return value.length > length ? `${value.slice(0, length - 1).trimEnd()}…` : value;
}

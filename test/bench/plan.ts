/**
 * `npm run bench:plan`: the time of the program compared with a bare one that registers the same resources, for two sizes.
 * Each figure is the median over separate processes, alternately for both sides, and includes all imports.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { projectFolder } from "../../scripts/common/command.js";

const runs = 5;
const sizes = [
  [10, 10],
  [50, 50],
] as const;

interface Measured {
  readonly milliseconds: number;
  readonly resources: number;
}

/** Evaluates one side in a separate process. */
function measure(side: "program" | "bare", clusters: number, accounts: number): Measured {
  const worker = fileURLToPath(new URL("planWorker.ts", import.meta.url));
  const output = execFileSync(process.execPath, ["--import", "tsx", worker, side, String(clusters), String(accounts)], {
    cwd: projectFolder,
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(output.toString());
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const table = new Table({
  head: ["clusters x accounts", "resources", "program ms", "bare ms", "ratio"],
  style: { head: [], border: [] },
});
const perResource: number[] = [];
for (const [clusters, accounts] of sizes) {
  const pairs = Array.from({ length: runs }, (_, run) => {
    process.stderr.write(`${clusters} x ${accounts}: run ${run + 1} of ${runs}\n`);
    return { program: measure("program", clusters, accounts), bare: measure("bare", clusters, accounts) };
  });
  const program = median(pairs.map((pair) => pair.program.milliseconds));
  const bare = median(pairs.map((pair) => pair.bare.milliseconds));
  const ratio = median(pairs.map((pair) => pair.program.milliseconds / pair.bare.milliseconds));
  const { resources } = pairs[0]!.program;
  if (resources !== pairs[0]!.bare.resources)
    throw new Error("the two sides registered different numbers of resources");
  table.push([`${clusters} x ${accounts}`, resources, Math.round(program), Math.round(bare), ratio.toFixed(2)]);
  perResource.push(program / resources);
}
console.log(table.toString());
const [small, large] = perResource as [number, number];
console.log(
  `per resource: ${small.toFixed(2)} ms at ${sizes[0].join(" x ")}, ${large.toFixed(2)} ms at ${sizes[1].join(" x ")}: ${(large / small).toFixed(2)} times (1 is linear)`,
);

/**
 * bench/pacing: how near the controller of pacing (lib/pacing) comes to limits that a provider does not tell, and how
 * many attempts are refused on the way, beside a rate that is fixed where the controller begins. Virtual time: it
 * takes seconds, needs nothing, and gives the same numbers each time. docs/pacing.md shows a run.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { paceOf } from '../lib/sites.ts';
import { plotPacing } from './measure/pacing-plot.ts';
import { runPacing, summarizePacing } from './measure/pacing-run.ts';

const PHASE_MS = 1_200_000;
const phases = [
  { from: 0, ratePerSecond: 60, connections: 30 },
  { from: PHASE_MS, ratePerSecond: 100, connections: 16 },
  { from: 2 * PHASE_MS, ratePerSecond: 15, connections: 30 },
  { from: 3 * PHASE_MS, ratePerSecond: 40, connections: 30 },
];
const durationMs = phases.length * PHASE_MS;

const { svg } = new Command('bench/pacing')
  .description('Throughput and refusals of pacing, against a provider with hidden limits that change.')
  .option('--svg <file>', 'draws the run there')
  .parse()
  .opts<{ svg?: string }>();

const rule = paceOf('google');
const runs = {
  adaptive: runPacing({ phases, rule, policy: 'adaptive', durationMs }),
  fixed: runPacing({ phases, rule, policy: 'fixed', durationMs }),
};
const percent = (share: number) => `${(share * 100).toFixed(2)} %`.padStart(9);
console.log('                      adaptive               fixed');
console.log('                      throughput  refused    throughput  refused');
for (const [index, { from }] of phases.entries()) {
  const of = (policy: keyof typeof runs, since = from) =>
    summarizePacing(runs[policy].filter(({ at }) => at > since && at <= from + PHASE_MS));
  print(`phase ${index + 1}`, of('adaptive'), of('fixed'));
  const half = from + PHASE_MS / 2;
  print('  its second half', of('adaptive', half), of('fixed', half));
}
print('all', summarizePacing(runs.adaptive), summarizePacing(runs.fixed));
if (svg) writeFileSync(svg, plotPacing(runs, durationMs));

type Summary = ReturnType<typeof summarizePacing>;
function print(name: string, adaptive: Summary, fixed: Summary): void {
  const cells = [adaptive, fixed].map(
    ({ throughput, refused }) => `${percent(throughput)}  ${percent(refused)}`,
  );
  console.log(`${name.padEnd(20)} ${cells.join('   ')}`);
}

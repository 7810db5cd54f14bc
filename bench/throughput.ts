/**
 * bench/throughput: how many messages a second the mta takes in and delivers, beside Postfix with OpenDKIM.
 *
 * Same source (smtp-source), same sink (smtp-sink), both sign with RSA-2048, both sync to the same disk. The servers
 * take turns, run by run, and only one of them runs at a time. Every run checks that all messages arrived, once, and
 * that one of them carries a valid signature. docs/bench.md says how to read the numbers.
 *
 * Needs root for Postfix, which is installed from Debian's packages where it is missing. Writes nothing outside a
 * temporary directory; starts nothing that outlives it.
 */
import { Command } from 'commander';
import { type ComparisonOptions, estimateComparison, measureBesidePostfix } from './measure/comparison.ts';
import { estimatePacingCost, measurePacingCost } from './measure/pacing-cost.ts';
import { formatDuration } from './measure/progress.ts';
import { addUsualOptions, onlyOption, readCount, readList } from './world/options.ts';

interface Options extends ComparisonOptions {
  pacing?: true;
}

const program = new Command('bench/throughput')
  .description('Messages a second that Postern and Postfix accept and deliver, side by side.')
  .option('--runs <number>', 'runs of each; the median counts', readCount, 5)
  .option(
    '--messages <number>',
    'a run (default: 4000; 1000 large ones; a quarter with one session)',
    readCount,
  )
  .addOption(onlyOption())
  .option('--body <bytes,…>', 'sizes of the body', readList, [4096, 102_400])
  .option('--sessions <number,…>', 'connections of the source at a time', readList, [1, 20])
  .option('--destinations <number,…>', 'recipient domains', readList, [1, 200])
  .option(
    '--concurrency <number>',
    'deliveries at a time, of both, to one destination and in all',
    readCount,
    20,
  )
  .option('--pacing', 'Postern alone, without and with pacing, at 50 sites: what pacing costs')
  .option('--cpu-prof <directory>', "write CPU profiles of the mta's processes there");
addUsualOptions(program, () => formatDuration(estimate(readOptions())));

program.parse();
const options = readOptions();
if (options.pacing) await measurePacingCost(options);
else await measureBesidePostfix(options);

function readOptions(): Options {
  return program.opts<Options>();
}

function estimate(given: Options): number {
  return given.pacing ? estimatePacingCost(given) : estimateComparison(given);
}

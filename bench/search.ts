/**
 * bench/search: how long `GET /api/v1/messages` takes among ten million messages, by everything one can search by. The
 * api runs with a Postgres of its own, filled by SQL with three months' mail of 200 domains; the searches come one after
 * the other, each for what a message taken by lot has. Of those that are slow the plans are printed.
 */
import { statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { recordPlans } from './measure/plans.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import {
  ask,
  formatSearchResult,
  measureSearches,
  type SearchResult,
  searchTableHead,
} from './measure/search-run.ts';
import { startApiServer } from './servers/api-server.ts';
import { createInstallation } from './servers/installation.ts';
import { type Archive, fillArchive } from './world/archive.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { addUsualOptions, readCount, type UsualOptions } from './world/options.ts';
import { drawSamples, searchKinds } from './world/searches.ts';

const START_SECONDS = 15;
/** Measured: 1,400 of tables and indexes; the rest is Postgres' log of changes, and what it sorts for an index. */
const BYTES_PER_MESSAGE = 1_800;
const WRITTEN_PER_SECOND = 6_000;
const USUAL_SEARCH_MS = 15;
const WARM_UP_SEARCHES = 5;

interface Options extends UsualOptions {
  messages: number;
  searches: number;
  slow: number;
}

const program = new Command('bench/search')
  .description('Milliseconds of GET /api/v1/messages among many messages, by kind of search.')
  .option('--messages <number>', 'in the database', readCount, 10_000_000)
  .option('--searches <number>', 'of each kind', readCount, 200)
  .option('--slow <ms>', 'show how Postgres answers the kinds whose p99 is above', readCount, 100);
addUsualOptions(program, () => {
  const options = readOptions();
  const gigabytes = (estimateBytes(options) / 1e9).toFixed(1);
  return `${formatDuration(estimateSeconds(options))} and ${gigabytes} GB of disk`;
});

program.parse();
const options = readOptions();
requireRoom(options.directory ?? tmpdir());
const directory = makeDirectory(options.directory);
const [sinkPort = 0] = await findFreePorts(1);
const settings = await createInstallation(join(directory, 'postern'), { sinkPort, overrides: options.set });
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));

const TENTHS = 10;
const progress = createProgress(1 + TENTHS + searchKinds.length, estimateSeconds(options));
progress.step('starting');
const server = await startApiServer(settings, { hasWorker: false });
const archive = await fill();
console.log(formatArchive(archive));

// The api's first requests open connections and compile what all the others run.
const first = await drawSamples(settings.database.url, options.messages, WARM_UP_SEARCHES);
for (const kind of searchKinds) await measureSearches(server.url, kind, first);
const samples = await drawSamples(settings.database.url, options.messages, options.searches);
const results: SearchResult[] = [];
console.log(searchTableHead);
for (const kind of searchKinds) {
  progress.step(`searching by ${kind.name}`);
  const result = await measureSearches(server.url, kind, samples);
  progress.clear();
  console.log(formatSearchResult(result));
  results.push(result);
}
for (const result of results.filter(({ latencyMs }) => latencyMs.p99 > options.slow)) await showPlans(result);
await server.stop();
if (options.json) {
  writeFileSync(options.json, `${JSON.stringify({ machine, options, archive, results }, null, 2)}\n`);
}

async function fill(): Promise<Archive> {
  let shown = -1;
  const show = (written: number) => {
    const tenth = Math.floor((written / options.messages) * TENTHS);
    if (tenth === shown || tenth === TENTHS) return;
    shown = tenth;
    progress.step(`writing ${options.messages.toLocaleString('en')} messages`);
  };
  show(0);
  const result = await fillArchive(settings.database.url, options.messages, show);
  progress.clear();
  return result;
}

async function showPlans({ name, slowest }: SearchResult): Promise<void> {
  const logFile = join(settings.directory, 'log/postgres.log');
  const plans = await recordPlans(settings.database.url, logFile, () => ask(slowest));
  console.log(`\n${name}: ${slowest.url}`);
  for (const plan of plans) console.log(plan);
}

function formatArchive({ messages, recipients, bytes }: Archive): string {
  const [rows, people] = [messages, recipients].map((count) => count.toLocaleString('en'));
  return `${rows} messages to ${people} recipients, ${(bytes / 1e9).toFixed(1)} GB\n`;
}

function requireRoom(parent: string): void {
  const { bavail, bsize } = statfsSync(parent);
  const needed = estimateBytes(options);
  if (bavail * bsize > needed) return;
  console.error(
    `There is no room for about ${(needed / 1e9).toFixed(1)} GB below ${parent}: use --directory`,
  );
  process.exit(1);
}

function readOptions(): Options {
  return program.opts<Options>();
}

function estimateBytes({ messages }: Options): number {
  return messages * BYTES_PER_MESSAGE;
}

function estimateSeconds({ messages, searches }: Options): number {
  return (
    START_SECONDS + messages / WRITTEN_PER_SECOND + (searchKinds.length * searches * USUAL_SEARCH_MS) / 1000
  );
}

/**
 * bench/webhooks: what one dead endpoint with many events waiting costs the others (HK-12). Messages go through the api
 * to domains whose endpoints are well, first by themselves, then beside an endpoint that never answers, one that refuses
 * connections and one that answers 500. Measured is the time from the event to the endpoint.
 *
 * The api, one worker, a Postgres (fsync on) and a Redis run with default settings; the mta is one that takes everything.
 * Exit code 1 when the p99 beside a dead endpoint is 5 s or more.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import {
  addEndpoint,
  countWaiting,
  ENDPOINTS_A_DOMAIN,
  fillBacklog,
  formatWebhookRow,
  measureWebhooks,
  type WebhookRow,
  type WebhookWorld,
} from './measure/webhook-run.ts';
import { startApiServer } from './servers/api-server.ts';
import { createInstallation } from './servers/installation.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { startOpenIntake } from './world/open-intake.ts';
import { addUsualOptions, readCount, type UsualOptions } from './world/options.ts';
import { type Death, deaths, startWebhookEndpoints } from './world/webhook-endpoints.ts';

const START_SECONDS = 25;
const BACKLOG_A_SECOND = 400;
const LIMIT_MS = 5_000;

interface Options extends UsualOptions {
  waiting: number;
  domains: number;
  rate: number;
  seconds: number;
}

const program = new Command('bench/webhooks')
  .description('What a dead endpoint, for which many webhooks wait, costs those of the others.')
  .option('--waiting <number>', 'events for each dead endpoint', readCount, 10_000)
  .option('--domains <number>', `each with ${ENDPOINTS_A_DOMAIN} endpoints that are well`, readCount, 5)
  .option('--rate <number>', 'messages a second, told to all endpoints of their domain', readCount, 5)
  .option('--seconds <number>', 'of each phase', readCount, 30);
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

program.parse();
const options = readOptions();
const directory = makeDirectory(options.directory);
const [sinkPort = 0, endpointPort = 0, closedPort = 0] = await findFreePorts(3);
const local = [
  ['webhooks.allowHttp', true],
  ['webhooks.allowLoopback', true],
] as const;
const settings = await createInstallation(join(directory, 'postern'), {
  sinkPort,
  overrides: [...local, ...options.set],
});
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));

const progress = createProgress(deaths.length + 2, estimateSeconds(options));
progress.step('starting');
const intake = await startOpenIntake(settings.mta.intakePort);
const endpoints = await startWebhookEndpoints(endpointPort);
const server = await startApiServer(settings, { hasWorker: true });
const domains = [];
for (let number = 1; number <= options.domains; number++) {
  const domain = await server.createDomain(`well${number}.test`);
  for (let each = 1; each <= ENDPOINTS_A_DOMAIN; each++) {
    await addEndpoint(server, domain, `http://127.0.0.1:${endpointPort}/well/${each}`);
  }
  domains.push(domain);
}
const world: WebhookWorld = { server, endpoints, domains };
const rows: WebhookRow[] = [];
for (const death of [undefined, ...deaths]) {
  progress.step(death ? `beside a ${death} endpoint` : 'without a dead endpoint');
  const row = await measurePhase(death);
  progress.clear();
  console.log(formatWebhookRow(row));
  rows.push(row);
}
await server.stop();
await endpoints.close();
await intake.close();
const isSound = rows.every(({ delay }) => delay.p99 < LIMIT_MS);
console.log(isSound ? '\nEvery p99 is below 5 s.' : '\nA p99 is 5 s or more.');
if (options.json)
  writeFileSync(options.json, `${JSON.stringify({ machine, options, rows, isSound }, null, 2)}\n`);
process.exitCode = isSound ? 0 : 1;

/** Dead endpoints stay: each phase has those of the phases before beside its own. */
async function measurePhase(death: Death | undefined): Promise<WebhookRow> {
  if (!death) return { death, waiting: 0, ...(await measureWebhooks(world, options)) };
  const domain = await server.createDomain(`${death}.test`);
  const port = death === 'refusing' ? closedPort : endpointPort;
  const webhookId = await addEndpoint(server, domain, `http://127.0.0.1:${port}/${death}`);
  await fillBacklog(server, domain, options.waiting);
  const measured = await measureWebhooks(world, options);
  return { death, ...measured, waiting: await countWaiting(server, webhookId) };
}

function readOptions(): Options {
  return program.opts<Options>();
}

function estimateSeconds({ waiting, domains, seconds }: Options): number {
  const phases = deaths.length;
  return (
    START_SECONDS + 2 * (domains + phases) + (1 + phases) * seconds + (phases * waiting) / BACKLOG_A_SECOND
  );
}

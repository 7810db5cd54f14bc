/** What the queue does while so many deliveries wait in it: one row of bench/depth. */
import type { Settings } from '../../config/schema.ts';
import type { MailServer } from '../servers/mail-server.ts';
import type { BacklogWriter } from '../world/backlog.ts';
import { listDestinations } from '../world/names.ts';
import { type SmtpSink, startSmtpSink } from '../world/smtp-sink.ts';
import type { Load } from '../world/smtp-source.ts';
import { waitUntil } from '../world/wait.ts';
import { measureClaims } from './claim-run.ts';
import { type Bucket, parseBuckets, quantileBound, subtractBuckets } from './histogram.ts';
import { measureLatency } from './latency-run.ts';
import { type LoadResult, measureLoad, secondsSince, waitForArrival } from './load-run.ts';
import { readMemory } from './memory.ts';
import { percentile, summarize } from './statistics.ts';
import type { World } from './throughput-run.ts';

const CLAIMS_ALONE = 500;
const CLAIMS = 'postern_queue_claim_seconds';
const DESTINATIONS = 200;
const PAUSE_MS = 100;
const ROLES = ['master', 'receiver', 'sender', 'postgres'];
const DISCOVERY = { timeoutMs: 120_000, everyMs: 10 };

export interface DepthPlan {
  load: Load;
  runs: number;
  latencyMessages: number;
  /** Deliveries that become due together, for the claims */
  dueMessages: number;
}

export interface DepthResult {
  deliveredPerSecond: number;
  latencyMs: { p50: number; p99: number };
  /** Of deliveries that waited and became due together */
  retriedPerSecond: number;
  /** Of claims that the benchmark makes by itself, 40 rows each, while nothing else is done */
  claimMs: { p50: number; p99: number };
  /** Of the master's, under load; upper bound; undefined when nothing was claimed from the database */
  claimP99Ms: number | undefined;
  memory: Record<string, number>;
  databaseBytes: number;
  /** Of the mta's processes, a message of the throughput: tells the same as the rate on a machine that others use. */
  cpuMs: Record<string, number>;
  /** Of the machine, 0 to 1, while the throughput was measured */
  othersShare: number;
}

/** @param server runs, and is warm */
export async function measureDepth(
  server: MailServer,
  {
    settings,
    writer,
    plan,
    world,
  }: { settings: Settings; writer: BacklogWriter; plan: DepthPlan; world: World },
): Promise<DepthResult> {
  const [recipientDomain = ''] = listDestinations(1);
  const latencies = await measureLatency(
    { intakePort: server.intakePort, sinkPort: world.sinkPort },
    {
      messages: plan.latencyMessages,
      bodyBytes: plan.load.bodyBytes,
      pauseMs: PAUSE_MS,
      recipient: `rcpt@${recipientDomain}`,
    },
  );
  const claimTimes = await measureClaims(settings.queue.url, CLAIMS_ALONE);
  const sink = await startSmtpSink(world.directory, world.sinkPort);
  try {
    const claimsBefore = await readClaims(settings);
    const runs: LoadResult[] = [];
    for (let run = 0; run < plan.runs; run++) runs.push(await measureLoad(server, plan.load, sink));
    const medianOf = (read: (run: LoadResult) => number) => summarize(runs.map(read)).median;
    const retriedPerSecond = await measureRetries(sink, writer, plan.dueMessages);
    const claims = subtractBuckets(await readClaims(settings), claimsBefore);
    const bound = quantileBound(claims, 0.99);
    return {
      deliveredPerSecond: medianOf((run) => run.deliveredPerSecond),
      cpuMs: Object.fromEntries(
        [...ROLES, 'total'].map((role) => [role, medianOf(({ cpuMs }) => cpuMs[role] ?? 0)]),
      ),
      othersShare: medianOf((run) => run.othersShare),
      latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
      retriedPerSecond,
      claimMs: { p50: percentile(claimTimes, 0.5), p99: percentile(claimTimes, 0.99) },
      claimP99Ms: bound === undefined ? undefined : bound * 1000,
      memory: readMemory(server),
      databaseBytes: await writer.databaseBytes(),
    };
  } finally {
    await sink.stop();
  }
}

/** The mta finds what it has not taken in or deferred itself within a minute: counted from the first arrival. */
async function measureRetries(sink: SmtpSink, writer: BacklogWriter, count: number): Promise<number> {
  const arrivedBefore = sink.read().messages;
  const arrived = () => sink.read().messages - arrivedBefore;
  const domains = listDestinations(DESTINATIONS);
  await writer.add({ count, domains, dueInSeconds: 0, spreadSeconds: 0 });
  await waitUntil('the discovery of due deliveries', () => arrived() > 0, DISCOVERY);
  const startedAt = performance.now();
  await waitForArrival(arrived, count);
  return count / secondsSince(startedAt);
}

/** From the mta's own metrics. */
async function readClaims({ mta }: Settings): Promise<Bucket[]> {
  const response = await fetch(`http://127.0.0.1:${mta.controlPort}/metrics`);
  return parseBuckets(await response.text(), CLAIMS);
}

/** Mail goes through, processes are killed, processes come back; in the end everything is accounted for. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { waitUntilGone } from '../../deploy/local/processes.ts';
import { prepareQueue, startPostgres, startRedis } from '../servers/databases.ts';
import { startMta, waitForHealth } from '../servers/postern.ts';
import { type Supervised, supervise } from '../servers/supervised.ts';
import { Arrivals } from '../world/arrivals.ts';
import { startNodeSink } from '../world/node-sink.ts';
import { type SteadySource, startSteadySource } from '../world/steady-source.ts';
import { startSurroundings } from '../world/surroundings.ts';
import { readProcesses, selectTree } from './processes.ts';
import { type Kill, type Reconciliation, reconcile } from './reconciliation.ts';

export const roles = ['receiver', 'sender', 'master', 'postgres'] as const;
export type Role = (typeof roles)[number];

/** Leases run out, deferred mail is tried again: all of it is over after so long without an arrival. */
const STALL_MS = 120_000;
const POLL_MS = 200;
/** A killed process, and children that have lost their master, are gone sooner. */
const DEATH_DEADLINE_MS = 2_000;

export interface CrashOptions {
  settings: Settings;
  privateKey: string;
  seconds: number;
  messagesPerSecond: number;
  secondsBetweenKills: number;
  victims: readonly Role[];
  onProgress(text: string): void;
}

export interface CrashResult {
  reconciliation: Reconciliation;
  kills: Kill[];
  refused: [number, string][];
  /** From the 250 until the sink had it, of every message. */
  delaysMs: number[];
}

export async function measureCrashes(options: CrashOptions): Promise<CrashResult> {
  const { settings } = options;
  const surroundings = await startSurroundings(options);
  const arrivals = new Arrivals();
  const sink = await startNodeSink(settings.sandbox.smtpPort, arrivals.note);
  const postgres = supervise(() => startPostgres(settings));
  const redis = await startRedis(settings);
  await prepareQueue(settings);
  const mta = supervise(() => startMta(settings, 'mta/start.ts'));
  await waitForHealth(settings);

  const reported = surroundings.api.delivered;
  const source = startSteadySource(settings, options.messagesPerSecond);
  const kills = await killAtRandom(options, { mta, postgres }, () => listInFlight(arrivals, reported));
  options.onProgress('no more kills: waiting for the last messages');
  await source.finish();
  await drain(source, arrivals, reported);
  const queued = await readQueued(settings);

  await mta.stop('SIGTERM');
  await redis.stop('SIGTERM');
  await postgres.stop('SIGINT');
  await Promise.all([sink.close(), surroundings.close()]);
  const accepted = new Set(source.accepted.keys());
  return {
    reconciliation: reconcile({ accepted, arrivals: arrivals.byNumber, queued, reported, kills }),
    kills,
    refused: [...source.refused],
    delaysMs: [...source.accepted].flatMap(([number, acceptedAt]) => {
      const arrival = arrivals.byNumber.get(number);
      return arrival ? [arrival.firstAt - acceptedAt] : [];
    }),
  };
}

async function killAtRandom(
  { seconds, secondsBetweenKills, victims, onProgress }: CrashOptions,
  stack: { mta: Supervised; postgres: Supervised },
  inFlight: () => Set<number>,
): Promise<Kill[]> {
  const kills: Kill[] = [];
  const endsAt = performance.now() + seconds * 1000;
  while (performance.now() + secondsBetweenKills * 1000 <= endsAt) {
    await sleep(secondsBetweenKills * 1000);
    const role = victims[Math.floor(Math.random() * victims.length)];
    const pid = role && (await waitForVictim(role, stack, endsAt));
    if (!pid) break;
    const dying = role === 'master' ? selectTree(readProcesses(), pid).map((member) => member.pid) : [pid];
    const before = inFlight();
    process.kill(pid, 'SIGKILL');
    // The children of a master live on for a moment, and what was sent before is on its way to the sink.
    await waitUntilGone(dying, DEATH_DEADLINE_MS);
    kills.push({ role, inFlight: new Set([...before, ...inFlight()]) });
    const left = Math.round((endsAt - performance.now()) / 1000);
    onProgress(`killed ${role} (${kills.length} so far), ${left} s left`);
  }
  return kills;
}

/** It may just be started again: every role gets its turn, however long the others take to start. */
async function waitForVictim(
  role: Role,
  stack: { mta: Supervised; postgres: Supervised },
  endsAt: number,
): Promise<number | undefined> {
  while (performance.now() < endsAt) {
    const [pid] = findVictim(role, stack);
    if (pid !== undefined) return pid;
    await sleep(POLL_MS);
  }
  return undefined;
}

function findVictim(role: Role, { mta, postgres }: { mta: Supervised; postgres: Supervised }): number[] {
  const processes = readProcesses().filter(({ title }) => title !== ''); // a zombie has none
  const members = selectTree(processes, mta.pid);
  if (role === 'postgres') return processes.filter(({ pid }) => pid === postgres.pid).map(({ pid }) => pid);
  if (role === 'master') return members.filter(({ pid }) => pid === mta.pid).map(({ pid }) => pid);
  return members.filter(({ pid, title }) => pid !== mta.pid && title.includes(role)).map(({ pid }) => pid);
}

function listInFlight({ byNumber }: Arrivals, reported: ReadonlySet<number>): Set<number> {
  return new Set([...byNumber.keys()].filter((number) => !reported.has(number)));
}

/** Until every accepted message is at the sink and reported, or nothing moves any more. */
async function drain(
  { accepted }: SteadySource,
  { byNumber }: Arrivals,
  reported: ReadonlySet<number>,
): Promise<void> {
  const openCount = () =>
    [...accepted.keys()].filter((number) => !byNumber.has(number) || !reported.has(number)).length;
  let open = openCount();
  let movedAt = performance.now();
  while (open > 0 && performance.now() - movedAt < STALL_MS) {
    await sleep(POLL_MS);
    const now = openCount();
    if (now < open) movedAt = performance.now();
    open = now;
  }
}

/** The messages that the queue still has. */
async function readQueued({ queue }: Settings): Promise<Set<number>> {
  const client = new pg.Client({ connectionString: queue.url });
  await client.connect();
  const { rows } = await client.query<{ message_id: string }>('select message_id from messages');
  await client.end();
  return new Set(rows.map((row) => Number(row.message_id)));
}

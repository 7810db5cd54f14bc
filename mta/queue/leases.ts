/**
 * The queue's clockwork, run by the master: renews the leases of live claims, returns those that ran out, ends what
 * has expired, forgets old intakes. Each step is one short statement or transaction; an error waits for the next round.
 */
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import type { Claims } from './claims.ts';
import { countEnded } from './counters.ts';
import { inTransaction } from './database.ts';
import { lockMessages, removeFinishedMessages } from './endings.ts';
import { createEvent, insertEvents } from './events.ts';
import type { FlowKey } from './rows.ts';

const EXPIRE_BATCH = 500;
/** The worker gives up a hand-over long before. */
const INTAKE_MEMORY = '7 days';

export interface LeaseOptions {
  pool: pg.Pool;
  claims: Claims;
  instanceId: string;
  leaseSeconds: number;
  log: Logger;
  /** Called after events were added to the outbox. */
  onEvents(): void;
}

export function startLeaseKeeper(options: LeaseOptions): { stop(): void } {
  const intervalMs = (options.leaseSeconds * 1000) / 3;
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    runRound(options)
      .catch((error: unknown) => options.log.error({ err: error }, 'leases.round_failed'))
      .finally(() => {
        isRunning = false;
      });
  }, intervalMs).unref();
  return { stop: () => clearInterval(timer) };
}

/** One round. Renewing comes first: after a break of the database our own live claims look expired. */
export async function runRound({
  pool,
  claims,
  instanceId,
  leaseSeconds,
  log,
  onEvents,
}: LeaseOptions): Promise<void> {
  await renewLeases(pool, claims.liveClaimIds(), leaseSeconds);
  const returned = await returnExpiredLeases(pool, claims.liveClaimIds());
  if (returned.length > 0) {
    log.warn({ deliveries: returned.length }, 'leases.returned');
    claims.noteDue(returned);
  }
  let expired: number;
  do {
    expired = await expireDeliveries(pool, instanceId);
    if (expired > 0) {
      log.info({ deliveries: expired }, 'deliveries.expired');
      onEvents();
    }
  } while (expired === EXPIRE_BATCH);
  await pool.query(`delete from intakes where accepted_at < now() - interval '${INTAKE_MEMORY}'`);
}

export async function renewLeases(pool: pg.Pool, claimIds: string[], leaseSeconds: number): Promise<void> {
  if (claimIds.length === 0) return;
  await pool.query(
    `update deliveries
        set claimed_until = now() + make_interval(secs => $2)
      where claim_id = any($1::bigint[])`,
    [claimIds, leaseSeconds],
  );
}

/** Of any instance: its owner has not renewed it in time, so it is dead or cut off. @returns the flow of each */
export async function returnExpiredLeases(pool: pg.Pool, exceptClaimIds: string[]): Promise<FlowKey[]> {
  const { rows } = await pool.query<{
    zone: string;
    organization_id: string;
    domain: string;
    priority: number;
  }>(
    `update deliveries
        set claim_id = null, claimed_by = null, claimed_until = null
      where claim_id is not null
        and claimed_until < now()
        and claim_id <> all($1::bigint[])
  returning zone, organization_id, domain, priority`,
    [exceptClaimIds],
  );
  return rows.map(({ organization_id, ...flow }) => ({ ...flow, organizationId: Number(organization_id) }));
}

/** At the start of a master: what an earlier one of this instance had claimed. There is never a second one alive. */
export async function returnLeasesOf(pool: pg.Pool, instanceId: string): Promise<number> {
  const { rowCount } = await pool.query(
    `update deliveries
        set claim_id = null, claimed_by = null, claimed_until = null
      where claim_id is not null and claimed_by = $1`,
    [instanceId],
  );
  return rowCount ?? 0;
}

interface ExpiredRow {
  queue_id: string;
  sequence: string;
  recipient: string;
  attempts: number;
  last_response: string | null;
  message_id: string;
}

/** @returns how many of a batch were ended */
export async function expireDeliveries(pool: pg.Pool, instanceId: string): Promise<number> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<ExpiredRow>(
      `select d.queue_id, d.sequence, d.recipient, d.attempts, d.last_response, m.message_id
         from deliveries d
         join messages m on m.id = d.queue_id
        where d.expires_at <= now()
          and d.claim_id is null
        order by d.expires_at
        limit $1`,
      [EXPIRE_BATCH],
    );
    if (rows.length === 0) return 0;
    const queueIds = [...new Set(rows.map((row) => row.queue_id))];
    await lockMessages(client, queueIds);
    const gone = await client.query<{ queue_id: string; sequence: string }>(
      `delete from deliveries d
        using unnest($1::text[], $2::text[]) as expired (queue_id, sequence)
        where d.queue_id = expired.queue_id
          and d.sequence = expired.sequence
          and d.claim_id is null
    returning d.queue_id, d.sequence`,
      [rows.map((row) => row.queue_id), rows.map((row) => row.sequence)],
    );
    const keys = new Set(gone.rows.map((row) => `${row.queue_id} ${row.sequence}`));
    const ended = rows.filter((row) => keys.has(`${row.queue_id} ${row.sequence}`));
    if (ended.length > 0)
      await insertEvents(
        client,
        ended.map((row) => expiredEvent(row, instanceId)),
      );
    await countEnded(client, 'expired', ended.length);
    await removeFinishedMessages(client, queueIds);
    return ended.length;
  });
}

function expiredEvent(row: ExpiredRow, instanceId: string) {
  return createEvent(
    {
      messageId: Number(row.message_id),
      recipient: row.recipient,
      queueId: row.queue_id,
      sequence: row.sequence,
      instanceId,
      attempt: row.attempts,
    },
    { type: 'expired', response: row.last_response ?? 'Not delivered within its lifetime' },
  );
}

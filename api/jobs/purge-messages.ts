/**
 * Each hour: what is over its organization's retention goes, in small transactions (models/retention.ts). Killed at any
 * point, the next run goes on where it was. Objects are deleted afterwards, by tidy-storage.
 */
import type { Logger } from '../../lib/log.ts';
import { inTransaction, type Store } from '../database.ts';
import { purgeInboundMessages } from '../models/inbound-message.ts';
import {
  dropPartition,
  listOldPartitions,
  listRetentions,
  purgeMessages,
  type Retention,
  reapSubmissions,
} from '../models/retention.ts';

const BATCH = 500;
/** What is left is for the next hour. */
const RUN_MS = 600_000;

export interface PurgeContext {
  store: Store;
  log: Logger;
}

export async function purgeAll({ store, log }: PurgeContext): Promise<void> {
  const deadline = performance.now() + RUN_MS;
  const dropped = await dropPartitions(store, log);
  if (dropped.length > 0) log.info({ dropped }, 'partitions.dropped');
  for (const retention of await listRetentions(store.pool)) {
    const purged = await purgeOrganization(store, retention, deadline);
    if (purged > 0) log.info({ organizationId: retention.organizationId, purged }, 'messages.purged');
  }
  await inBatches(deadline, () => reapSubmissions(store.pool, BATCH));
  await inBatches(deadline, () => inTransaction(store, (tx) => purgeInboundMessages(tx, BATCH)));
}

/** Where one cannot be had now, the others would keep mail waiting as well: they are for the next hour. */
async function dropPartitions(store: Store, log: Logger): Promise<number[]> {
  const dropped: number[] = [];
  try {
    for (const range of await listOldPartitions(store.pool)) {
      if (await inTransaction(store, (tx) => dropPartition(tx, range))) dropped.push(range.from);
    }
  } catch (err) {
    log.warn({ err }, 'partition.not_dropped');
  }
  return dropped;
}

function purgeOrganization(store: Store, retention: Retention, deadline: number): Promise<number> {
  return inBatches(deadline, () => inTransaction(store, (tx) => purgeMessages(tx, retention, BATCH)));
}

/** Until one is not full. @returns the sum of them */
async function inBatches(deadline: number, work: () => Promise<number>): Promise<number> {
  let sum = 0;
  while (performance.now() < deadline) {
    const count = await work();
    sum += count;
    if (count < BATCH) break;
  }
  return sum;
}

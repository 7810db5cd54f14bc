/** What each worker clears away and makes ready now and then. Any number of workers may do it at a time. */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { inTransaction, type Store } from '../database.ts';
import { reapDeliveryReports } from '../models/delivery-report.ts';
import { reapDomainReports } from '../models/domain-report.ts';
import { reapKeys } from '../models/idempotency-key.ts';
import { reapReports } from '../models/mail-report.ts';
import { createPartitionsAhead } from '../models/partition.ts';
import { reapSuppressions } from '../models/suppression.ts';
import { reapImports } from '../models/suppression-import.ts';
import { purgeDeliveries } from '../models/webhook-history.ts';

const EVERY_MS = 600_000;
/** Messages a partition: days of mail for most, an hour of it for the busiest. */
const PARTITION_IDS = 1_000_000;

/** Begins with the first round at once. */
export function startUpkeep(store: Store, settings: Settings, log: Logger): { stop(): void } {
  const run = async () => {
    for (const task of [clearAway, makePartitions]) {
      await task(store, settings, log).catch((err: unknown) => log.warn({ err }, 'upkeep.failed'));
    }
  };
  const timer = setInterval(run, EVERY_MS).unref();
  void run();
  return { stop: () => clearInterval(timer) };
}

async function clearAway({ pool }: Store, { webhooks, inbound }: Settings, log: Logger): Promise<void> {
  const keys = await reapKeys(pool);
  if (keys > 0) log.info({ keys }, 'idempotency_keys.reaped');
  const suppressions = await reapSuppressions(pool);
  if (suppressions > 0) log.info({ suppressions }, 'suppressions.reaped');
  const imports = await reapImports(pool);
  if (imports > 0) log.info({ imports }, 'suppression_imports.reaped');
  const reports = await reapReports(pool);
  if (reports > 0) log.info({ reports }, 'mail_reports.reaped');
  const told = await reapDeliveryReports(pool);
  if (told > 0) log.info({ told }, 'delivery_reports.reaped');
  const domainReports = await reapDomainReports(pool, inbound.reportDays);
  if (domainReports > 0) log.info({ domainReports }, 'domain_reports.reaped');
  const deliveries = await purgeDeliveries(pool, webhooks.retentionDays);
  if (deliveries > 0) log.info({ deliveries }, 'webhook_deliveries.purged');
}

async function makePartitions(store: Store, _settings: Settings, log: Logger): Promise<void> {
  const created = await inTransaction(store, (tx) => createPartitionsAhead(tx, PARTITION_IDS));
  if (created.length > 0) log.info({ created }, 'partitions.created');
}

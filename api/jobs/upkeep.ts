/** What a worker clears away and makes ready now and then (schedule.ts). */
import { inTransaction } from '../database.ts';
import { reapDeliveryReports } from '../models/delivery-report.ts';
import { reapDomainReports } from '../models/domain-report.ts';
import { reapKeys } from '../models/idempotency-key.ts';
import { reapReports } from '../models/mail-report.ts';
import { createPartitionsAhead } from '../models/partition.ts';
import { reapSuppressions } from '../models/suppression.ts';
import { reapImports } from '../models/suppression-import.ts';
import { purgeDeliveries } from '../models/webhook-history.ts';
import type { PeriodicContext } from './scheduled.ts';

/** Messages a partition: days of mail for most, an hour of it for the busiest. */
const PARTITION_IDS = 1_000_000;

export async function clearAway({ pool, settings, log }: PeriodicContext): Promise<void> {
  const { webhooks, inbound } = settings;
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

export async function makePartitions({ store, log }: PeriodicContext): Promise<void> {
  const created = await inTransaction(store, (tx) => createPartitionsAhead(tx, PARTITION_IDS));
  if (created.length > 0) log.info({ created }, 'partitions.created');
}

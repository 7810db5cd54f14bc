import type { FastifyInstance } from 'fastify';
import { createBounceReport } from '../../lib/rpc/contracts/bounce-reports.ts';
import { createComplaint } from '../../lib/rpc/contracts/complaints.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { recordBounceReport } from '../models/bounce-report.ts';
import { recordComplaint } from '../models/complaint.ts';
import { registerCall } from './register.ts';

export function mailReportCalls(app: FastifyInstance, { store, settings, metrics }: Context): void {
  const { suppressions, inbound } = settings;

  registerCall(app, createBounceReport, async ({ body }, { log }) => {
    const outcome = await inTransaction(store, (tx) =>
      recordBounceReport(tx, body, suppressions.bouncedDays),
    );
    metrics.mailReports.inc({ kind: 'bounce', outcome });
    log.info({ digest: body.digest, outcome, messageId: body.returnPath?.messageId }, 'bounce_report.read');
    return { outcome };
  });

  registerCall(app, createComplaint, async ({ body }, { log }) => {
    const outcome = await inTransaction(store, (tx) => recordComplaint(tx, body, inbound.complaintReporters));
    metrics.mailReports.inc({ kind: 'complaint', outcome });
    log.info({ digest: body.digest, outcome, messageId: body.returnPath?.messageId }, 'complaint.read');
    return { outcome };
  });
}

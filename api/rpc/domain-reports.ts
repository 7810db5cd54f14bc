import type { FastifyInstance } from 'fastify';
import { createDomainReport } from '../../lib/rpc/contracts/domain-reports.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { recordDomainReport } from '../models/domain-report.ts';
import { registerCall } from './register.ts';

export function domainReportCalls(app: FastifyInstance, { store, metrics }: Context): void {
  registerCall(app, createDomainReport, async ({ body }, { log }) => {
    const outcome = await inTransaction(store, (tx) => recordDomainReport(tx, body));
    metrics.mailReports.inc({ kind: body.kind, outcome });
    const { content, digest } = body;
    log.info(
      { digest, outcome, ...(content.state === 'rejected' && { reason: content.reason }) },
      'domain_report.read',
    );
    return { outcome };
  });
}

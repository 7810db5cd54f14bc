import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import {
  type DomainReportRow,
  listDomainReports,
  type ReportSum,
  sumDomainReports,
} from '../models/domain-report.ts';
import { authenticateOrganization } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  type DomainReportBody,
  listDomainReportsSchema,
  type ReportSumBody,
  sumDomainReportsSchema,
} from '../schemas/domain-reports.ts';
import { ownDomainId } from './own-domain.ts';

export function domainReportRoutes({ store: { pool } }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(pool));

    app.get('/domains/:id/reports', { schema: listDomainReportsSchema }, async (request, reply) => {
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      const { kind, since, limit } = request.query;
      return (await listDomainReports(pool, { domainId, kind, since, limit })).map(toReport);
    });

    app.get('/domains/:id/report_sums', { schema: sumDomainReportsSchema }, async (request, reply) => {
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      const { kind, since, limit } = request.query;
      return (await sumDomainReports(pool, { domainId, kind, since, limit })).map(toSum);
    });
  };
}

function toReport(report: DomainReportRow): DomainReportBody {
  return {
    id: report.id,
    kind: report.kind,
    reporter: report.reporter,
    report_id: report.reportId,
    authenticated_domains: report.authenticatedDomains,
    began_at: report.beganAt.toISOString(),
    ended_at: report.endedAt.toISOString(),
    received_at: report.receivedAt.toISOString(),
    messages: report.messages,
    passed: report.passed,
  };
}

function toSum({ isPassed, ...sum }: ReportSum): ReportSumBody {
  return { ...sum, passed: isPassed };
}

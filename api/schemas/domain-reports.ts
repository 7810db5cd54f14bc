import Type, { type Static } from 'typebox';
import { reportKinds } from '../../lib/rpc/contracts/domain-reports.ts';
import { managementFailures as failures, moment } from './replies.ts';

const kind = Type.Enum(reportKinds);
const day = Type.String({ format: 'date', description: 'UTC' });
const count = Type.Integer({ minimum: 0 });
const params = Type.Object({ id: Type.String() });
const querystring = Type.Object({
  kind: Type.Optional(kind),
  since: Type.Optional(day),
  limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
});

const reportSchema = Type.Object({
  id: Type.Integer(),
  kind,
  reporter: Type.String(),
  report_id: Type.String({ description: 'As the reporter calls it' }),
  authenticated_domains: Type.Array(Type.String(), {
    description: 'What SPF or DKIM passed for; none: anybody may have sent it',
  }),
  began_at: moment,
  ended_at: moment,
  received_at: moment,
  messages: count,
  passed: count,
});
export type DomainReportBody = Static<typeof reportSchema>;

const sumSchema = Type.Object({
  kind,
  day,
  source: Type.String({
    description: 'DMARC: the address that sent. TLS: the server that took, or the policy',
  }),
  result: Type.String(),
  passed: Type.Boolean(),
  messages: count,
});
export type ReportSumBody = Static<typeof sumSchema>;

export const listDomainReportsSchema = {
  params,
  querystring,
  response: { 200: Type.Array(reportSchema), ...failures },
};

export const sumDomainReportsSchema = {
  params,
  querystring,
  response: { 200: Type.Array(sumSchema), ...failures },
};

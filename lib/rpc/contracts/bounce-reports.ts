import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';
import { reportOriginSchema, reportOutcomeSchema } from './mail-report.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const reportedRecipientSchema = Type.Object({
  /** As the report names it, by which it may be the address that it was forwarded to; empty: none is named */
  addresses: Type.Array(Type.String({ maxLength: 320 }), { maxItems: 5 }),
  /** Only `failed` is a bounce: `delayed` is still tried, `delivered` arrived, was relayed or expanded. */
  outcome: Type.Enum(['failed', 'delayed', 'delivered']),
  /** RFC 3463 status */
  status: nullable(Type.String()),
  /** The remote's words, one line */
  response: nullable(Type.String({ maxLength: 1000 })),
  mx: nullable(Type.String({ maxLength: 255 })),
  /** What it means (lib/bounces) */
  bounce: Type.Object({
    class: Type.String(),
    isHard: Type.Boolean(),
    action: Type.String(),
    rule: Type.String(),
  }),
});
export type ReportedRecipient = Static<typeof reportedRecipientSchema>;

export const bounceReportSchema = Type.Object({
  ...reportOriginSchema.properties,
  recipients: Type.Array(reportedRecipientSchema, { minItems: 1, maxItems: 100 }),
});
export type BounceReport = Static<typeof bounceReportSchema>;

/** Reports what a bounce that came by mail says. Answered after the commit. */
export const createBounceReport = defineContract({
  name: 'createBounceReport',
  method: 'POST',
  path: '/rpc/v1/bounce_reports',
  params: Type.Object({}),
  body: bounceReportSchema,
  reply: Type.Object({ outcome: reportOutcomeSchema }),
  isIdempotent: true,
});

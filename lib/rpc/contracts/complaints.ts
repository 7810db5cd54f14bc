import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';
import { reportOriginSchema, reportOutcomeSchema } from './mail-report.ts';

export const complaintSchema = Type.Object({
  ...reportOriginSchema.properties,
  /** RFC 5965 7.3: `abuse`, `fraud`, `virus`, `opt-out`, `not-spam`, `auth-failure` or another, lower case */
  feedbackType: Type.String({ maxLength: 100 }),
  /** Whom it names; many providers leave that out. */
  recipients: Type.Array(Type.String({ maxLength: 320 }), { maxItems: 50 }),
  /** What made the report, as it calls itself */
  reporter: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
});
export type Complaint = Static<typeof complaintSchema>;

/** Reports that a recipient called a message spam. Answered after the commit. */
export const createComplaint = defineContract({
  name: 'createComplaint',
  method: 'POST',
  path: '/rpc/v1/complaints',
  params: Type.Object({}),
  body: complaintSchema,
  reply: Type.Object({ outcome: reportOutcomeSchema }),
  isIdempotent: true,
});

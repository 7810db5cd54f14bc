/** What bounces and complaints that come by mail have in common: which message they are about, and who says so. */
import Type, { type Static } from 'typebox';

const domainName = Type.String({ minLength: 1, maxLength: 253 });

export const reportOriginSchema = Type.Object({
  /** SHA-256 of the mail: the same mail is one report. */
  digest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  receivedAt: Type.String({ format: 'date-time' }),
  /** The signed return path that it came to or quotes, checked by inbound (lib/return-path.ts, lib/forward-sender.ts) */
  returnPath: Type.Union([
    Type.Object({ messageId: Type.Integer(), recipientDigest: Type.Union([Type.String(), Type.Null()]) }),
    Type.Null(),
  ]),
  /**
   * The message as the report quotes it. Anybody who has the message could write this, so it counts only without a
   * return path, and for whom the authenticated domains speak.
   */
  original: Type.Union([
    Type.Object({ messageId: Type.String({ maxLength: 998 }), domain: domainName }),
    Type.Null(),
  ]),
  /** Those that SPF or DKIM passed for, lower case */
  authenticatedDomains: Type.Array(domainName, { maxItems: 20 }),
});
export type ReportOrigin = Static<typeof reportOriginSchema>;

/**
 * `recorded`: it is on the timeline; `repeated`: it was already. All others are ignored, for good: nobody knows the
 * message, it is too long ago, another recipient is named, or nobody vouches for it.
 */
export const reportOutcomeSchema = Type.Enum([
  'recorded',
  'repeated',
  'unknown_message',
  'too_old',
  'other_recipient',
  'unauthenticated',
]);
export type ReportOutcome = Static<typeof reportOutcomeSchema>;

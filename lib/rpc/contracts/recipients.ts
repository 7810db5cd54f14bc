import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

/** Mail that is Postern's own business. */
export const systemPurposes = ['postmaster', 'abuse', 'feedback', 'tls_report', 'dmarc_report'] as const;
export type SystemPurpose = (typeof systemPurposes)[number];

const routed = Type.Object({
  kind: Type.Literal('route'),
  routeId: Type.Integer(),
  domainId: Type.Integer(),
  domain: Type.String(),
  /** `honour`: mail that fails DMARC with p=reject is refused; `mark`: it is taken, and says so. */
  dmarc: Type.Enum(['honour', 'mark']),
  /** From this score of the spam check on, mail is refused. */
  spamRefuseScore: Type.Number(),
});

const system = Type.Object({ kind: Type.Literal('system'), purpose: Type.Enum([...systemPurposes]) });

export const inboundRecipientSchema = Type.Union([routed, system]);
export type InboundRecipient = Static<typeof inboundRecipientSchema>;

/**
 * Whose mail this address gets. 404: nobody's, it is to be refused at RCPT (AD-5). Return paths (lib/return-path.ts) are
 * not asked for: their tokens say themselves whether they are good.
 */
export const findInboundRecipient = defineContract({
  name: 'findInboundRecipient',
  method: 'GET',
  path: '/rpc/v1/recipients/:address',
  params: Type.Object({
    /** normalizeAddress of lib/mail/address.ts, then all of it in lower case */
    address: Type.String({ minLength: 3, maxLength: 320, pattern: '^[^A-Z]*$' }),
  }),
  body: Type.Undefined(),
  reply: inboundRecipientSchema,
  isIdempotent: true,
  cache: { freshMs: 60_000, staleMs: 600_000, negativeMs: 10_000 },
});

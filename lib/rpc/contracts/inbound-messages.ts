import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Of RFC 8601: pass, fail, softfail, neutral, none, temperror, permerror, policy */
const result = Type.String({ maxLength: 20, pattern: '^[a-z]+$' });
const domain = nullable(Type.String({ maxLength: 320 }));
const address = Type.String({ minLength: 3, maxLength: 320 });

export const inboundAuthenticationSchema = Type.Object({
  /** `domain`: of MAIL FROM, or of HELO where that is empty */
  spf: Type.Object({ result, domain }),
  /** One a signature, in their order; none: an empty list */
  dkim: Type.Array(Type.Object({ result, domain, selector: nullable(Type.String({ maxLength: 253 })) }), {
    maxItems: 50,
  }),
  /** `domain`: of From; `policy`: none, quarantine or reject, null where nothing is published */
  dmarc: Type.Object({ result, domain, policy: nullable(Type.String({ maxLength: 20 })) }),
  arc: Type.Object({ result }),
});
export type InboundAuthentication = Static<typeof inboundAuthenticationSchema>;

const spamSchema = Type.Object({
  score: Type.Number(),
  /** The engine's own word, as `add header` */
  action: Type.String({ maxLength: 100 }),
  symbols: Type.Array(Type.Object({ name: Type.String({ maxLength: 200 }), score: Type.Number() }), {
    maxItems: 500,
  }),
});

export const inboundMessageSchema = Type.Object({
  /**
   * SHA-256, hex, of the message as the client sent it, without the trace fields of our own: when it is sent again
   * because our 250 was lost, it is the same.
   */
  digest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** RFC 5322 message, base64, with our trace fields */
  message: Type.String({ contentEncoding: 'base64' }),
  envelope: Type.Object({
    /** May be empty: the null reverse-path. */
    from: Type.String({ maxLength: 320 }),
    /** As findInboundRecipient answered for each: a route's, or one of ours (postmaster and abuse). */
    to: Type.Array(
      Type.Union([
        Type.Object({ address, routeId: Type.Integer() }),
        Type.Object({ address, purpose: Type.Enum(['postmaster', 'abuse']) }),
      ]),
      { minItems: 1, maxItems: 1000 },
    ),
  }),
  client: Type.Object({
    ip: Type.String({ maxLength: 100 }),
    helo: Type.String({ maxLength: 500 }),
    /** Its name in the DNS, confirmed both ways */
    host: nullable(Type.String({ maxLength: 253 })),
  }),
  authentication: inboundAuthenticationSchema,
  /** Null: not checked */
  spam: nullable(spamSchema),
  /** What was found by a scanner that lets it pass; null: nothing, or not checked */
  virus: nullable(Type.String({ maxLength: 200 })),
});
export type NewInboundMessage = Static<typeof inboundMessageSchema>;

/**
 * Takes a message over for those of its recipients that are not `unknown`: the reply comes after the commit. Once for each digest and recipient.
 * Refusals (422): `recipients_unknown` (the routes of all of them are gone since RCPT), `message_invalid`,
 * `message_too_large`.
 */
export const createInboundMessage = defineContract({
  name: 'createInboundMessage',
  method: 'POST',
  path: '/rpc/v1/inbound_messages',
  params: Type.Object({}),
  body: inboundMessageSchema,
  reply: Type.Object({
    /** Of the messages, one a recipient that is new */
    ids: Type.Array(Type.Integer()),
    duplicates: Type.Integer(),
    /** Of the recipients, those whose routes are gone since RCPT: nobody has the message for them. */
    unknown: Type.Array(Type.String()),
  }),
  isIdempotent: true,
});

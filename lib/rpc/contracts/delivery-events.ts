import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const moment = Type.String({ format: 'date-time' });

export const deliveryEventSchema = Type.Object({
  /** Outbox id; the api keeps each id once. */
  id: Type.String({ format: 'uuid' }),
  /** The api's own message id, as the worker gave it to the intake. */
  messageId: Type.Integer(),
  recipient: Type.String(),
  type: Type.Enum(['delivered', 'deferred', 'bounced', 'expired', 'suppressed', 'held', 'cancelled']),
  occurredAt: moment,
  /** ZoneMTA's id of the message and number of the delivery in it. */
  queueId: Type.String(),
  sequence: Type.String(),
  instanceId: Type.String(),
  attempt: Type.Integer({ minimum: 0 }),
  attemptStartedAt: nullable(moment),
  /** The remote's reply, or our own reason; one line, at most 1,000 characters. */
  response: nullable(Type.String({ maxLength: 1000 })),
  code: nullable(Type.Integer()),
  /** RFC 3463 status */
  enhanced: nullable(Type.String()),
  category: nullable(Type.String()),
  /** What the reply means (lib/bounces); absent where nothing was refused, or by an mta that did not know yet. */
  bounce: Type.Optional(
    Type.Object({ class: Type.String(), isHard: Type.Boolean(), action: Type.String(), rule: Type.String() }),
  ),
  mx: nullable(Type.Object({ hostname: Type.String(), address: nullable(Type.String()) })),
  localAddress: nullable(Type.String()),
  tls: nullable(Type.Object({ version: Type.String(), cipher: Type.String(), isAuthorized: Type.Boolean() })),
  nextAttemptAt: nullable(moment),
});
export type DeliveryEvent = Static<typeof deliveryEventSchema>;

/** Reports what became of deliveries, in the order it happened per message. All of the batch or nothing. */
export const createDeliveryEvents = defineContract({
  name: 'createDeliveryEvents',
  method: 'POST',
  path: '/rpc/v1/delivery_events',
  params: Type.Object({}),
  body: Type.Object({ events: Type.Array(deliveryEventSchema, { minItems: 1, maxItems: 500 }) }),
  reply: Type.Object({ accepted: Type.Integer(), duplicates: Type.Integer() }),
  isIdempotent: true,
});

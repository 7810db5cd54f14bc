/** Bodies of the control API, both ways. */
import Type, { type Static } from 'typebox';
import { selectorSchema } from '../queue/selector.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const closed = <T extends Record<string, Type.TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });
const moment = Type.String({ format: 'date-time' });
const count = Type.Integer({ minimum: 0 });
const reason = Type.String({ minLength: 1, maxLength: 500, pattern: '\\S' });
const dryRun = Type.Boolean({ default: false, description: 'Only counts' });
const id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

export const errorSchema = Type.Object({
  error: Type.Object({ code: Type.String(), message: Type.String(), field: Type.Optional(Type.String()) }),
});

const failures = {
  400: errorSchema,
  401: errorSchema,
  404: errorSchema,
  409: errorSchema,
  422: errorSchema,
  500: errorSchema,
  503: errorSchema,
};

const answers = <T extends Type.TSchema>(schema: T) => ({ 200: schema, ...failures });

const outcome = {
  /** Null of a dry run */
  actionId: nullable(id),
  dryRun: Type.Boolean(),
  affected: count,
  /** Selected, but in a sender's hands at this moment, or claimed by another instance: not touched. */
  inAttempt: count,
};
export const outcomeSchema = Type.Object(outcome);
export type Outcome = Static<typeof outcomeSchema>;

const deliveryProperties = {
  queueId: Type.String(),
  sequence: Type.String(),
  message: Type.Integer(),
  recipient: Type.String(),
  domain: Type.String(),
  site: nullable(Type.String()),
  organization: Type.Integer(),
  zone: Type.String(),
  priority: Type.Integer(),
  tags: Type.Array(Type.String()),
  state: Type.Enum(['due', 'deferred', 'claimed', 'paused', 'held']),
  dueAt: moment,
  createdAt: moment,
  expiresAt: moment,
  attempts: Type.Integer(),
  deferrals: Type.Integer(),
  lastResponse: nullable(Type.String()),
  heldReason: nullable(Type.String()),
  pausedBy: nullable(Type.Integer()),
  claimedBy: nullable(Type.String()),
};

export const listDeliveriesSchema = {
  querystring: closed({
    ...selectorSchema.properties,
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    after: Type.Optional(
      Type.String({
        pattern: '^[^.]+\\.[^.]+$',
        description: 'queueId.sequence of the last of the page before',
      }),
    ),
  }),
  response: answers(Type.Array(Type.Object(deliveryProperties))),
};

export const showDeliverySchema = {
  params: Type.Object({ queueId: Type.String(), sequence: Type.String() }),
  response: answers(
    Type.Object({
      ...deliveryProperties,
      envelope: nullable(
        Type.Object({
          from: nullable(Type.String()),
          recipients: Type.Integer(),
          signedFor: Type.String(),
          bodyBytes: Type.Integer(),
        }),
      ),
    }),
  ),
};

const summaryEntries = Type.Array(
  Type.Object({
    name: Type.String(),
    deliveries: count,
    due: count,
    paused: count,
    held: count,
    oldestDueSeconds: nullable(Type.Number()),
  }),
);

export const summarySchema = {
  response: answers(
    Type.Object({
      zone: summaryEntries,
      organization: summaryEntries,
      domain: summaryEntries,
      site: summaryEntries,
    }),
  ),
};

export const diagnosisSchema = {
  response: answers(
    Type.Object({
      counts: Type.Object({
        accepted: Type.Integer(),
        delivered: Type.Integer(),
        bounced: Type.Integer(),
        expired: Type.Integer(),
        suppressed: Type.Integer(),
        cancelled: Type.Integer(),
        queued: Type.Integer(),
        held: Type.Integer(),
        drift: Type.Integer(),
      }),
      oldestDue: nullable(Type.Object({ site: Type.String(), seconds: Type.Number() })),
      outbox: Type.Object({ events: count, oldestSeconds: Type.Number(), parked: count }),
      overduePauses: count,
      pauses: count,
      paused: count,
    }),
  ),
};

export const pauseSchema = Type.Object({
  id,
  selector: selectorSchema,
  reason: Type.String(),
  createdBy: Type.String(),
  createdAt: moment,
  endsAt: nullable(moment),
});

export const createPauseSchema = {
  body: closed({ selector: selectorSchema, reason, endsAt: Type.Optional(moment), dryRun }),
  response: {
    ...answers(outcomeSchema),
    201: Type.Object({ ...outcome, pause: pauseSchema }),
  },
};

export const listPausesSchema = { response: answers(Type.Array(pauseSchema)) };

export const removePauseSchema = {
  params: Type.Object({ id }),
  querystring: closed({ dryRun }),
  response: answers(outcomeSchema),
};

export const flushSchema = {
  body: closed({ selector: selectorSchema, reason: Type.Optional(reason), dryRun }),
  response: answers(outcomeSchema),
};

/** Of bounces and cancellations. */
export const endSchema = {
  body: closed({ selector: selectorSchema, reason, dryRun }),
  response: answers(outcomeSchema),
};

export const moveSchema = {
  body: closed({
    selector: selectorSchema,
    zone: Type.String({ minLength: 1, maxLength: 100 }),
    reason: Type.Optional(reason),
    dryRun,
  }),
  response: answers(outcomeSchema),
};

export const adoptSchema = {
  body: closed({
    instanceId: Type.String({ minLength: 1, maxLength: 40 }),
    reason: Type.Optional(reason),
    dryRun,
  }),
  response: answers(outcomeSchema),
};

export const listActionsSchema = {
  querystring: closed({
    limit: Type.Integer({ minimum: 1, maximum: 500, default: 50 }),
    before: Type.Optional(id),
  }),
  response: answers(
    Type.Array(
      Type.Object({
        id,
        verb: Type.String(),
        selector: selectorSchema,
        parameters: Type.Record(Type.String(), Type.Unknown()),
        reason: nullable(Type.String()),
        actor: Type.String(),
        affected: count,
        createdAt: moment,
        finishedAt: nullable(moment),
      }),
    ),
  ),
};

const limitProperties = {
  connections: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Deliveries at a time' }),
  ratePerSecond: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'Deliveries started a second' }),
  ),
};
/** `*`: every domain without a limit of its own, from the settings. */
const limitSchema = Type.Object({ destination: Type.String(), ...limitProperties });

const destinationParams = Type.Object({ destination: Type.String({ minLength: 1, maxLength: 260 }) });

export const listLimitsSchema = { response: answers(Type.Array(limitSchema)) };
export const setLimitSchema = {
  params: destinationParams,
  body: closed(limitProperties),
  response: answers(limitSchema),
};

/** Destinations that get less than their limit, because they push back. Times in ISO 8601. */
export const listSlowdownsSchema = {
  response: answers(
    Type.Array(
      Type.Object({
        zone: Type.String(),
        destination: Type.String(),
        connections: Type.Integer(),
        retryAt: nullable(moment),
        since: moment,
        response: Type.String(),
      }),
    ),
  ),
};
export const removeLimitSchema = { params: destinationParams, response: { 204: Type.Null(), ...failures } };

const pace = { concurrency: Type.Number(), rate: Type.Number() };
export const listPacesSchema = {
  response: answers(
    Type.Array(
      Type.Object({
        address: Type.String({ description: 'Local address; of mail without a pool the name of the mta' }),
        site: Type.String(),
        ...pace,
        falls: count,
        fallenAt: nullable(moment),
        cleanSince: moment,
      }),
    ),
  ),
};
export const listPaceChangesSchema = {
  querystring: closed({
    site: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })),
    address: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    before: Type.Optional(id),
  }),
  response: answers(
    Type.Array(
      Type.Object({
        id,
        instanceId: Type.String(),
        address: Type.String(),
        site: Type.String(),
        trigger: Type.String({ description: 'A bounce class, or clean' }),
        before: Type.Object(pace),
        after: Type.Object(pace),
        changedAt: moment,
      }),
    ),
  ),
};

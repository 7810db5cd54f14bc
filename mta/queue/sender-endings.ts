/**
 * Ends deliveries from the sender process (endings.ts), in place of the two methods with which ZoneMTA's Sender would
 * ask the master to. An error of the database is retried and never reaches ZoneMTA, whose sender would stop for good.
 */
import type { AttemptFacts } from '../../lib/delivery.ts';
import { type Callback, type SenderDelivery, type SenderPrototype, senderPrototype } from '../zone-mta.ts';
import type { QueueContext } from './context.ts';
import { retryTransient } from './database.ts';
import { type DeliveryKey, deferDelivery, finishDelivery } from './endings.ts';
import { createEvent, type EventDetails } from './events.ts';
import { nextAttemptAt } from './schedule.ts';

export function replaceEndings(context: QueueContext): void {
  const sender = senderPrototype();
  const tellReleased = sender.releaseDelivery;
  const tellDeferred = sender.deferDelivery;

  sender.releaseDelivery = function (this: SenderPrototype, delivery, callback) {
    finish(context, delivery).then(
      (ended) => {
        tellReleased.call(this, delivery, () => {});
        callback(null, ended);
      },
      (error: unknown) => crash(context, delivery, error),
    );
  };

  sender.deferDelivery = function (
    this: SenderPrototype,
    delivery,
    ttl,
    _smtpLog,
    response,
    bounce,
    callback: Callback,
  ) {
    defer(context, delivery, response, bounce.category).then(
      (ended) => {
        tellDeferred.call(this, delivery, ttl, undefined, response, bounce, () => {});
        callback(null, ended);
      },
      (error: unknown) => crash(context, delivery, error),
    );
  };
}

/** The remote has taken it, refused it for good, or a plugin found the recipient suppressed. */
async function finish(context: QueueContext, delivery: SenderDelivery): Promise<boolean> {
  const { status } = delivery;
  const type = status === undefined ? 'suppressed' : status.delivered ? 'delivered' : 'bounced';
  const event = describe(context, delivery, { type, response: status?.response });
  return keepTrying(context, delivery, () => finishDelivery(context.pool, keyOf(delivery), event));
}

async function defer(
  context: QueueContext,
  delivery: SenderDelivery,
  response: string,
  category: string | undefined,
): Promise<boolean> {
  const next = nextAttemptAt(
    { deferrals: delivery._deferred?.count ?? 0, expiresAt: delivery.claim.expiresAt, now: Date.now() },
    context.settings.queue.retryDelaysSeconds,
  );
  if (!next) {
    const event = describe(context, delivery, { type: 'expired', response, category });
    return keepTrying(context, delivery, () => finishDelivery(context.pool, keyOf(delivery), event));
  }
  const event = describe(context, delivery, { type: 'deferred', response, category, nextAttemptAt: next });
  return keepTrying(context, delivery, () => deferDelivery(context.pool, keyOf(delivery), event, next));
}

function keyOf({ id, seq, claim }: SenderDelivery): DeliveryKey {
  return { queueId: id, sequence: seq, claimId: claim.id };
}

function describe({ settings }: QueueContext, delivery: SenderDelivery, details: EventDetails) {
  const source = {
    messageId: delivery.postern.messageId,
    recipient: delivery.recipient,
    queueId: delivery.id,
    sequence: delivery.seq,
    instanceId: settings.instanceId,
    attempt: delivery.claim.attempt,
  };
  const facts: AttemptFacts | undefined = delivery.attempt;
  return createEvent(source, { ...details, facts });
}

function keepTrying(
  { log }: QueueContext,
  delivery: SenderDelivery,
  work: () => Promise<boolean>,
): Promise<boolean> {
  return retryTransient(work, (error, attempt) =>
    log.warn(
      { err: error, queueId: delivery.id, sequence: delivery.seq, attempt },
      'delivery.ending_retried',
    ),
  );
}

/** A statement that can never succeed is a defect of ours: a fresh process starts, the lease returns the delivery. */
function crash({ log }: QueueContext, delivery: SenderDelivery, error: unknown): void {
  log.fatal({ err: error, queueId: delivery.id, sequence: delivery.seq }, 'delivery.ending_failed');
  process.exit(1);
}

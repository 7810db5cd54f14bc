/**
 * In place of ZoneMTA's lib/sender.js: its Sender, with the ends of deliveries made here. Commands go to the exchange
 * of the process instead of the master. An error of the database never reaches ZoneMTA, whose sender would stop for
 * good; the exchange tries again.
 */
import { siteOfMx } from '../../lib/sites.ts';
import { type Callback, type SendCommand, type SenderDelivery, zoneMtaSender } from '../zone-mta.ts';
import { connectionKeyOf } from './connection-key.ts';
import { queueContext } from './context.ts';
import type { Ending } from './endings.ts';
import { createEvent, type EventDetails } from './events.ts';
import type { Exchange } from './exchange.ts';
import { readReaction } from './reaction.ts';
import { nextAttemptAt } from './schedule.ts';

/** Seconds until mail that one local address was refused with is tried from another. */
const ELSEWHERE_DELAYS = [1];

interface QueueOfSender {
  exchange: Exchange;
}

class PosternSender extends zoneMtaSender() {
  readonly #exchange: Exchange;

  constructor(
    clientId: string,
    connectionId: number,
    zone: unknown,
    _sendCommand: SendCommand,
    queue: QueueOfSender,
    connectionPool: unknown,
  ) {
    super(clientId, connectionId, zone, queue.exchange.commandsOf(clientId), queue, connectionPool);
    this.#exchange = queue.exchange;
  }

  override getConnection(delivery: SenderDelivery, callback: Callback): void {
    delivery.connectionKey = connectionKeyOf(delivery, this.zone);
    super.getConnection(delivery, callback);
  }

  /** The remote has taken it, refused it for good, or a plugin found the recipient suppressed. */
  releaseDelivery(delivery: SenderDelivery, callback: Callback): void {
    const { status } = delivery;
    const type = status === undefined ? 'suppressed' : status.delivered ? 'delivered' : 'bounced';
    this.#end(delivery, { type, response: status?.response ?? delivery.suppressionReason }, callback);
  }

  deferDelivery(
    delivery: SenderDelivery,
    _ttl: number,
    _smtpLog: unknown,
    response: string,
    bounce: { category?: string },
    callback: Callback,
  ): void {
    const reason = this.#exchange.unreadableReason(delivery.id);
    if (reason !== undefined) {
      this.#end(delivery, { type: 'held', response: reason }, callback);
      return;
    }
    const dueAt = nextAttemptAt(
      { deferrals: delivery._deferred?.count ?? 0, expiresAt: delivery.claim.expiresAt, now: Date.now() },
      delivery.isForAnotherAddress ? ELSEWHERE_DELAYS : queueContext().settings.queue.retryDelaysSeconds,
    );
    const { category } = bounce;
    if (dueAt) this.#end(delivery, { type: 'deferred', response, category, nextAttemptAt: dueAt }, callback);
    else this.#end(delivery, { type: 'expired', response, category }, callback);
  }

  #end(delivery: SenderDelivery, details: EventDetails, callback: Callback): void {
    const dueAt = details.nextAttemptAt;
    const mx = delivery.attempt?.mx?.hostname;
    const reaction = readReaction(details, { isConnected: mx !== undefined });
    const ending = createEnding(delivery, details);
    const report = {
      ...{ type: details.type, dueAt: dueAt?.getTime(), site: mx && siteOfMx(mx), reaction },
      ...(reaction === 'pushback' && { response: details.response }),
      ...(ending.event.bounce && { verdict: ending.event.bounce }),
      source: (delivery.source?.ipv4 ?? delivery.source?.ipv6)?.address,
    };
    this.#exchange.end(ending, report).then((isEnded) => callback(null, isEnded));
  }
}

function createEnding(delivery: SenderDelivery, details: EventDetails): Ending {
  const { id: queueId, seq: sequence, claim, recipient, postern, attempt: facts } = delivery;
  const { instanceId } = queueContext().settings;
  const source = {
    messageId: postern.messageId,
    recipient,
    queueId,
    sequence,
    instanceId,
    attempt: claim.attempt,
  };
  const event = createEvent(source, { ...details, facts });
  const key = { queueId, sequence, claimId: claim.id, event };
  const dueAt = details.nextAttemptAt;
  if (details.type === 'held') return { kind: 'hold', ...key, reason: details.response ?? '' };
  const { pinnedAddress } = delivery;
  return dueAt
    ? { kind: 'defer', ...key, dueAt, pinnedAddress }
    : { kind: 'finish', ...key, recipients: claim.recipients };
}

export { PosternSender as 'module.exports' };

/**
 * status: what became of each delivery, told to the api.
 *
 * In a sender it notes the facts of an attempt (when, from where, to which host, over which TLS); the queue puts them
 * into the event that it writes together with the ending. In the master it ships those events from the outbox, oldest
 * first, until the api has acknowledged them: however long the api is down, and twice rather than never.
 *
 * Settings: api.url, secrets.serviceToken.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptFacts, EventOutbox } from '../lib/delivery.ts';
import type { Logger } from '../lib/log.ts';
import type { Connection, Delivery, DeliveryError, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext, pluginRpc } from '../lib/plugin.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { createDeliveryEvents, type DeliveryEvent } from '../lib/rpc/contracts/delivery-events.ts';

export const title = 'status';

const BATCH = 500;
const LOOK_EVERY_MS = 1_000;
/** After a batch the next is gathered for this long: a request of many events costs little more than one of one. */
const PAUSE_MS = 200;
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

export async function init(plugin: Plugin): Promise<void> {
  const { log } = pluginContext();
  plugin.addHook('sender:fetch', guard('sender:fetch', log, startAttempt));
  plugin.addHook('sender:connection', guard('sender:connection', log, noteConnection));
  plugin.addHook('sender:responseError', guard('sender:responseError', log, noteError));

  const queue = plugin.getQueue();
  if (!queue.outbox) return; // only the master has it
  startShipping(queue.outbox, pluginRpc(), log);
}

function startAttempt(delivery: Delivery): void {
  delivery.skipBounce = true; // bounces are the api's to report
  delivery.attempt = { startedAt: new Date().toISOString(), mx: null, localAddress: null, tls: null };
}

function noteConnection(delivery: Delivery, connection: Connection | undefined): void {
  if (!connection?.options || !delivery.attempt) return;
  delivery.attempt = { startedAt: delivery.attempt.startedAt, ...readConnection(delivery, connection) };
}

function noteError(delivery: Delivery, connection: Connection | false, error: DeliveryError): void {
  if (!delivery.attempt || delivery.attempt.mx) return;
  if (connection) noteConnection(delivery, connection);
  else if (error.mxHost) delivery.attempt.mx = { hostname: error.mxHost, address: null };
}

export function readConnection(delivery: Delivery, connection: Connection): Omit<AttemptFacts, 'startedAt'> {
  const { options, secure, _socket: socket } = connection;
  const hostname = options.servername || options.host || delivery.mxHostname;
  const version = secure ? socket?.getProtocol?.() : null;
  const cipher = socket?.getCipher?.();
  return {
    mx: hostname ? { hostname, address: options.host ?? null } : null,
    localAddress: delivery.localAddress ?? options.localAddress ?? null,
    tls: version
      ? {
          version,
          cipher: cipher?.standardName ?? cipher?.name ?? '',
          isAuthorized: socket?.authorized === true,
        }
      : null,
  };
}

/** Ships for as long as the process lives. */
export function startShipping(
  outbox: EventOutbox,
  rpc: Pick<RpcClient, 'call'>,
  log: Logger,
): { stop(): void } {
  let isBusy = false;
  let again = false;
  let isStopped = false;

  function ship(): void {
    if (isStopped) return;
    again = isBusy;
    if (isBusy) return;
    isBusy = true;
    shipAll(outbox, rpc, log)
      .catch((error: unknown) => log.error({ err: error }, 'outbox.shipping_failed'))
      .finally(() => setTimeout(endPause, PAUSE_MS).unref());
  }

  function endPause(): void {
    isBusy = false;
    if (again) ship();
  }

  outbox.onEvents(ship);
  const timer = setInterval(ship, LOOK_EVERY_MS).unref();
  ship();
  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

/** What the outbox has now. While the api does not answer it waits, 200 ms at first, 5 s at most. */
export async function shipAll(outbox: EventOutbox, rpc: Pick<RpcClient, 'call'>, log: Logger): Promise<void> {
  let waitMs = FIRST_RETRY_MS;
  for (;;) {
    const events = await outbox.readEvents(BATCH);
    if (events.length === 0) return;
    const outcome = await shipBatch(outbox, rpc, log, events);
    if (outcome === 'shipped') {
      if (events.length < BATCH) return; // what has come since is announced
      waitMs = FIRST_RETRY_MS;
      continue;
    }
    log.warn({ events: events.length, waitMs }, 'outbox.api_unavailable');
    await sleep(waitMs);
    waitMs = Math.min(waitMs * 2, LAST_RETRY_MS);
  }
}

/** A batch that the api refuses is sent again one by one: one bad event does not hold up the others. */
async function shipBatch(
  outbox: EventOutbox,
  rpc: Pick<RpcClient, 'call'>,
  log: Logger,
  events: DeliveryEvent[],
): Promise<'shipped' | 'unavailable'> {
  const result = await rpc.call(createDeliveryEvents, { params: {}, body: { events } });
  if (result.ok) {
    await outbox.removeEvents(events.map((event) => event.id));
    return 'shipped';
  }
  if (result.reason !== 'refused') return 'unavailable';
  if (events.length > 1) {
    for (const event of events) {
      if ((await shipBatch(outbox, rpc, log, [event])) === 'unavailable') return 'unavailable';
    }
    return 'shipped';
  }
  for (const event of events) {
    log.error({ eventId: event.id, code: result.code, reason: result.message }, 'outbox.event_parked');
    await outbox.parkEvent(event.id, `${result.code}: ${result.message}`);
  }
  return 'shipped';
}

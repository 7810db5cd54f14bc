/**
 * Where the Senders of one sender process get their deliveries and leave the results. It stands between them and the
 * master: asks for many deliveries at a time, loads their messages with one query, commits endings in groups, and
 * answers what needs no master by itself.
 */

import { register } from 'prom-client';
import { Group } from '../../lib/group.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import type { Callback, SendCommand } from '../zone-mta.ts';
import { connectionCounts } from './connection-pool.ts';
import type { QueueContext } from './context.ts';
import { retryTransient } from './database.ts';
import { createDelivery } from './delivery.ts';
import type { EndedDelivery } from './ended-delivery.ts';
import { type Ending, endDeliveries } from './endings.ts';
import { createEvent } from './events.ts';
import { type LoadedMessage, loadMessages } from './messages.ts';
import { type ClaimedRow, rowKey } from './rows.ts';
import { watchRpcCounts } from './rpc-counts.ts';
import { type DemandMessage, type EndedMessage, wire } from './wire.ts';

const MAX_ENDINGS = 100;
/**
 * ZoneMTA remembers for 2 or 15 minutes that a destination could not be reached, and defers unsent what else is for it.
 * That is left to slowdowns.ts: nothing is remembered, so that every attempt is one.
 */
const DESTINATION_CACHE = new Set(['GETCACHE', 'SETCACHE', 'CLEARCACHE']);

/** What a Sender is given: the delivery, or false when the queue closes. */
type Give = Callback;

interface EndingReport {
  ending: Ending;
  report: EndedDelivery;
}

/** Per destination settings of ZoneMTA that come with a batch. */
interface BatchReply {
  rows: ClaimedRow[];
  disabledAddresses?: unknown;
  dnsOptions?: Record<string, unknown>;
  logger?: unknown;
}

export class Exchange {
  readonly #context: QueueContext;
  readonly #sendCommand: SendCommand;
  readonly #rpcCounts = watchRpcCounts(register);
  readonly #waiting: Give[] = [];
  readonly #endings: Group<EndingReport, boolean>;
  readonly #bodies = new Map<string, { bytes: Buffer; uses: number }>();
  /** Messages whose bodies turned out to be unreadable while they were sent, with the reason. */
  readonly #unreadable = new Map<string, string>();
  #owner = '';
  #isAsking = false;

  constructor(context: QueueContext, sendCommand: SendCommand) {
    this.#context = context;
    this.#sendCommand = sendCommand;
    this.#endings = new Group({
      flush: (reports) => this.#commit(reports),
      maxItems: MAX_ENDINGS,
    });
  }

  /** The commands of one Sender, in place of the master's queue server. @param owner the process's client id */
  commandsOf(owner: string): SendCommand {
    this.#owner = owner;
    return (command, callback) => {
      const { cmd } = typeof command === 'string' ? { cmd: command } : command;
      if (cmd === 'GET') this.#get(callback);
      else if (DESTINATION_CACHE.has(cmd)) callback(null);
      else this.#sendCommand(command, callback);
    };
  }

  /** The body of a message under way, if it was short enough to come with it. */
  bodyOf(queueId: string): Buffer | undefined {
    return this.#bodies.get(queueId)?.bytes;
  }

  noteUnreadable(queueId: string, reason: string): void {
    this.#unreadable.set(queueId, reason);
  }

  /** Why the message under way cannot be sent, now or later. */
  unreadableReason(queueId: string): string | undefined {
    return this.#unreadable.get(queueId);
  }

  /** Resolves when the ending is committed; it is tried until the database answers. False: it had ended before. */
  async end(ending: Ending, report: Omit<EndedDelivery, 'queueId' | 'sequence'>): Promise<boolean> {
    const { queueId, sequence } = ending;
    const isEnded = await this.#endings.add({ ending, report: { ...report, queueId, sequence } });
    this.#dropBody(queueId);
    this.#unreadable.delete(queueId);
    return isEnded;
  }

  #get(give: Give): void {
    this.#waiting.push(give);
    this.#ask();
  }

  /** One request to the master at a time, for as many as wait. */
  #ask(): void {
    if (this.#isAsking || this.#waiting.length === 0) return;
    this.#isAsking = true;
    const demand: DemandMessage = { owner: this.#owner, count: this.#waiting.length };
    this.#sendCommand({ cmd: 'SETCACHE', key: wire.demand, value: demand }, () => {});
    this.#sendCommand('GET', (error, reply) => {
      this.#isAsking = false;
      if (error || !reply) {
        for (const give of this.#waiting.splice(0)) give(error, false);
        return;
      }
      const batch = reply as BatchReply;
      const takers = this.#waiting.splice(0, batch.rows.length);
      this.#ask();
      this.#deliver(batch, takers).catch((failure: unknown) => this.#crash(failure));
    });
  }

  async #deliver({ rows, disabledAddresses, dnsOptions, logger }: BatchReply, takers: Give[]): Promise<void> {
    const { pool, log } = this.#context;
    const ids = [...new Set(rows.map((row) => row.queueId))];
    const messages = await retryTransient(
      () => loadMessages(pool, ids),
      (error, attempt) => log.warn({ err: error, attempt }, 'messages.load_retried'),
    );
    for (const row of rows) {
      const message = messages.get(row.queueId);
      const delivery = createDelivery(row, message);
      if (!delivery.ok) {
        await this.#holdBack(row, message, delivery.reason);
        continue;
      }
      if (message?.body) this.#keepBody(row.queueId, message.body);
      const give = takers.shift();
      give?.(null, { ...delivery.value, disabledAddresses, logger, dnsOptions: { ...dnsOptions } });
    }
    // Those whose deliveries could not be sent at all wait on.
    this.#waiting.unshift(...takers);
    this.#ask();
  }

  /** Set aside, visibly: on the timeline as held, in the queue with the reason. */
  async #holdBack(row: ClaimedRow, message: LoadedMessage | undefined, reason: string): Promise<void> {
    const { queueId, sequence, claimId, recipient, attempts } = row;
    this.#context.log.error({ queueId, sequence, reason }, 'delivery.held');
    const { instanceId } = this.#context.settings;
    const source = {
      messageId: message?.messageId ?? 0,
      recipient,
      queueId,
      sequence,
      instanceId,
      attempt: attempts,
    };
    const event = createEvent(source, { type: 'held', response: reason });
    await this.end({ kind: 'hold', queueId, sequence, claimId, event, reason }, { type: 'held' });
  }

  async #commit(reports: EndingReport[]): Promise<boolean[]> {
    const { pool, log } = this.#context;
    const results = await retryTransient(
      () =>
        endDeliveries(
          pool,
          reports.map(({ ending }) => ending),
        ),
      (error, attempt) => log.warn({ err: error, attempt, deliveries: reports.length }, 'endings.retried'),
    ).catch((error: unknown) => this.#crash(error));
    const message: EndedMessage = {
      endings: reports.map(({ report }) => report),
      connections: connectionCounts(),
      lookups: await this.#rpcCounts(),
    };
    this.#sendCommand({ cmd: 'SETCACHE', key: wire.ended, value: message }, () => {});
    for (const [index, { ending, report }] of reports.entries()) {
      if (results[index]) log.info(describeEvent(ending.event), `delivery.${report.type}`);
      else log.warn({ delivery: rowKey(report), type: report.type }, 'delivery.had_ended_before');
    }
    return results;
  }

  #keepBody(queueId: string, bytes: Buffer): void {
    const kept = this.#bodies.get(queueId);
    if (kept) kept.uses++;
    else this.#bodies.set(queueId, { bytes, uses: 1 });
  }

  #dropBody(queueId: string): void {
    const kept = this.#bodies.get(queueId);
    if (!kept) return;
    kept.uses--;
    if (kept.uses === 0) this.#bodies.delete(queueId);
  }

  /** A statement that can never succeed is a defect of ours: a fresh process starts, the leases return the deliveries. */
  #crash(error: unknown): never {
    this.#context.log.fatal({ err: error }, 'exchange.failed');
    process.exit(1);
  }
}

/** The line of the log that a postmaster looks for. */
function describeEvent({
  messageId,
  recipient,
  queueId,
  sequence,
  attempt,
  response,
  mx,
}: DeliveryEvent): object {
  return { messageId, recipient, delivery: `${queueId}.${sequence}`, attempt, mx: mx?.hostname, response };
}

/**
 * In place of ZoneMTA's lib/remote-queue.js: the queue as receivers and senders see it. A receiver gathers what
 * ZoneMTA hands over in three steps (body, metadata, deliveries) and writes it in one transaction, together with what
 * other sessions hand over at that moment; a sender gets its deliveries from exchange.ts and bodies from here.
 */
import type { Readable } from 'node:stream';
import type { Callback, SendCommand } from '../zone-mta.ts';
import { pluginHandler } from '../zone-mta.ts';
import { bodyInMemory, type IncomingBody, readIncomingBody, storedBody } from './bodies.ts';
import { type QueueContext, queueContext } from './context.ts';
import { Exchange } from './exchange.ts';
import type { Envelope } from './intake.ts';
import { IntakeDesk } from './intake-desk.ts';
import { loadPlugins } from './plugin-gate.ts';

/** What the worker is told when a message cannot be taken in: it keeps it, and hands it over again. */
const replies = {
  unavailable: { code: 451, text: '4.3.0 The queue is not available, try again later' },
  diskFull: { code: 452, text: '4.3.1 The queue has no space left, try again later' },
} as const;

/** SQLSTATE disk_full */
const DISK_FULL = '53100';

class RemoteQueue {
  readonly #context: QueueContext = queueContext();
  readonly #incoming = new Map<string, IncomingBody>();
  #sendCommand: SendCommand = () => {};
  #desk: IntakeDesk | undefined;
  /** Of a sender process */
  exchange: Exchange | undefined;

  init(sendCommand: SendCommand, callback: Callback): void {
    this.#sendCommand = sendCommand;
    if (pluginHandler().context === 'sender') this.exchange = new Exchange(this.#context, sendCommand);
    else this.#desk = new IntakeDesk(this.#context, sendCommand);
    loadPlugins(this).then(
      () => callback(null, true),
      (error: Error) => callback(error),
    );
  }

  store(id: string, stream: Readable, callback: Callback): void {
    readIncomingBody(this.#context.pool, id, stream).then(
      (body) => {
        this.#incoming.set(id, body);
        callback(null, id);
      },
      (error: Error) => callback(this.#refuse(id, error)),
    );
  }

  /** As `store`, of a body that is in memory already (mail-drop.ts). `push` follows. */
  storeBytes(id: string, bytes: Buffer): void {
    this.#incoming.set(id, { kind: 'short', bytes });
  }

  /** The metadata travel with `push`, which ZoneMTA calls next with the same envelope. */
  setMeta(_id: string, _envelope: Envelope, callback: Callback): void {
    callback(null);
  }

  push(id: string, envelope: Envelope, callback: Callback): void {
    const body = this.#incoming.get(id);
    this.#incoming.delete(id);
    if (!body || !this.#desk) {
      callback(new Error('push without a stored body'));
      return;
    }
    this.#desk.accept(id, envelope, body).then(
      () => callback(null, id),
      (error: Error) => callback(this.#refuse(id, error)),
    );
  }

  retrieve(id: string): Readable {
    const bytes = this.exchange?.bodyOf(id);
    if (bytes) return bodyInMemory(bytes);
    const body = storedBody(this.#context.pool, id, this.#context.log);
    // Before ZoneMTA's own listener: it is about to defer the delivery, which another try cannot cure (DU-8).
    body.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') this.exchange?.noteUnreadable(id, error.message);
    });
    return body;
  }

  generateId(callback: Callback): void {
    this.#sendCommand('INDEX', callback);
  }

  /** ZoneMTA removes what it could not queue; of that nothing has been committed. */
  removeMessage(id: string, callback: Callback): void {
    const body = this.#incoming.get(id);
    this.#incoming.delete(id);
    if (body?.kind === 'long') body.client.release(true); // its transaction ends with the connection
    callback(null, true);
  }

  /** An error with a reply of its own, such as "too large", passes. */
  #refuse(queueId: string, error: Error & { code?: string; responseCode?: number }): Error {
    if (error.responseCode !== undefined) return error;
    this.#context.log.error({ err: error, queueId }, 'intake.failed');
    const { code, text } = error.code === DISK_FULL ? replies.diskFull : replies.unavailable;
    return Object.assign(new Error(text), { responseCode: code });
  }
}

export { RemoteQueue as 'module.exports' };

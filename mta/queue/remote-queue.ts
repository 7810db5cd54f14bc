/**
 * In place of ZoneMTA's lib/remote-queue.js: the queue as receivers and senders see it. A receiver gathers what
 * ZoneMTA hands over in three steps (body, metadata, deliveries) and writes it in one transaction; a sender reads
 * bodies. Both speak to Postgres directly and to the master only for what the master alone knows.
 */
import type { Readable } from 'node:stream';
import type { Callback, SendCommand } from '../zone-mta.ts';
import { pluginHandler } from '../zone-mta.ts';
import { bodyStream, readBody } from './bodies.ts';
import { type QueueContext, queueContext } from './context.ts';
import { type Envelope, storeMessage } from './intake.ts';
import { loadPlugins } from './plugin-gate.ts';
import { replaceEndings } from './sender-endings.ts';

const DEFAULT_ZONE = 'default';

class RemoteQueue {
  readonly #bodies = new Map<string, Buffer>();
  #sendCommand: SendCommand = () => {};

  #context(): QueueContext {
    return queueContext();
  }

  init(sendCommand: SendCommand, callback: Callback): void {
    this.#sendCommand = sendCommand;
    if (pluginHandler().context === 'sender') replaceEndings(this.#context());
    loadPlugins(this).then(
      () => callback(null, true),
      (error: Error) => callback(error),
    );
  }

  store(id: string, stream: Readable, callback: Callback): void {
    readBody(stream).then(
      (body) => {
        this.#bodies.set(id, body);
        callback(null, id);
      },
      (error: Error) => callback(error),
    );
  }

  /** The metadata travel with `push`, which ZoneMTA calls next with the same envelope. */
  setMeta(_id: string, _envelope: Envelope, callback: Callback): void {
    setImmediate(callback, null);
  }

  push(id: string, envelope: Envelope, callback: Callback): void {
    this.#queueMessage(id, envelope).then(
      () => callback(null, id),
      (error: Error) => {
        this.#context().log.error({ err: error, queueId: id }, 'intake.failed');
        callback(
          Object.assign(new Error('4.3.0 The queue is not available, try again later'), {
            responseCode: 451,
          }),
        );
      },
    );
  }

  retrieve(id: string): Readable {
    const { pool, log } = this.#context();
    return bodyStream(pool, id, log);
  }

  generateId(callback: Callback): void {
    this.#sendCommand('INDEX', callback);
  }

  /** ZoneMTA removes what it could not queue; of that nothing has been written. */
  removeMessage(id: string, callback: Callback): void {
    this.#bodies.delete(id);
    setImmediate(callback, null, true);
  }

  async #queueMessage(id: string, envelope: Envelope): Promise<void> {
    const body = this.#bodies.get(id);
    this.#bodies.delete(id);
    if (!body) throw new Error('push without a stored body');
    if (!envelope.postern) throw new Error('the intake plugin has not seen this message');
    const { pool, settings } = this.#context();
    const outcome = await storeMessage(pool, {
      id,
      identity: envelope.postern,
      envelope,
      body,
      zone: envelope.sendingZone ?? DEFAULT_ZONE,
      lifetimeSeconds: settings.queue.lifetimeSeconds,
    });
    // Only a hint that there is something to send: the master looks by itself every second.
    if (outcome === 'queued') {
      this.#sendCommand(
        { cmd: 'PUSH', id, envelope: { sendingZone: envelope.sendingZone ?? DEFAULT_ZONE } },
        () => {},
      );
    }
  }
}

export { RemoteQueue as 'module.exports' };

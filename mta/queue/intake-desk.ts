/**
 * The intake of one receiver process: messages of all its sessions, written in groups (intake.ts), and the master told.
 *
 * As long as the master has room it gets the fresh rows claimed, and hands them to a sender at once. That it is told is
 * a convenience, not a promise: rows that it never hears of are due again when their lease runs out, and unclaimed ones
 * are found at the next discovery.
 */
import type pg from 'pg';
import { Group } from '../../lib/group.ts';
import type { SendCommand } from '../zone-mta.ts';
import type { IncomingBody } from './bodies.ts';
import type { QueueContext } from './context.ts';
import type { QueuedFlow } from './flow-rows.ts';
import { type Envelope, type IntakeOutcome, type NewMessage, recipientDomain, storeEach } from './intake.ts';
import { type ClaimedRow, type FlowKey, flowId } from './rows.ts';
import { type DueMessage, type FreshMessage, type IntakeState, type LaterMessage, wire } from './wire.ts';

const DEFAULT_ZONE = 'default';
const DEFAULT_PRIORITY = 5;
const MAX_GROUP = 50;
const MAX_GROUP_BYTES = 2_097_152;
const STATE_MS = 100;
/** ZoneMTA closes the connection at a frame of more than 3 MiB; a row has less than a kilobyte. */
const MAX_ROWS_PER_FRAME = 500;

export class IntakeDesk {
  readonly #context: QueueContext;
  readonly #sendCommand: SendCommand;
  readonly #group: Group<NewMessage, IntakeOutcome | Error>;
  readonly #fresh: ClaimedRow[] = [];
  readonly #due = new Map<string, FlowKey>();
  readonly #later: QueuedFlow[] = [];
  #state: IntakeState = { isOpen: false, fullDomains: [] };
  #stateAt = 0;

  constructor(context: QueueContext, sendCommand: SendCommand) {
    this.#context = context;
    this.#sendCommand = sendCommand;
    this.#group = new Group({
      flush: (messages) => this.#store(messages),
      maxItems: MAX_GROUP,
      maxSize: MAX_GROUP_BYTES,
      sizeOf: ({ body }) => body.length,
    });
    this.#refreshState();
  }

  /** Resolves when the message is committed, or known from before. */
  async accept(id: string, envelope: Envelope, body: IncomingBody): Promise<void> {
    const message = this.#toMessage(id, envelope, body);
    if (!message) {
      if (body.kind === 'long') body.client.release(true);
      throw new Error('the intake plugin has not seen this message');
    }
    const outcome =
      body.kind === 'long' ? await this.#storeLong(message, body) : await this.#group.add(message);
    if (outcome instanceof Error) throw outcome;
    if (outcome.outcome === 'queued') this.#tellMaster(message, outcome);
    this.#refreshState();
  }

  #toMessage(id: string, envelope: Envelope, body: IncomingBody): NewMessage | undefined {
    if (!envelope.postern) return undefined;
    const { instanceId, queue } = this.#context.settings;
    const { isOpen, fullDomains } = this.#state;
    const hasRoom =
      isOpen && !envelope.to.some((recipient) => fullDomains.includes(recipientDomain(recipient)));
    const mayClaim = hasRoom && !(envelope.deferDelivery && envelope.deferDelivery > Date.now());
    return {
      id,
      identity: envelope.postern,
      envelope,
      body: body.kind === 'short' ? body.bytes : Buffer.alloc(0),
      chunks: body.kind === 'long' ? body.chunks : 0,
      zone: envelope.sendingZone ?? DEFAULT_ZONE,
      lifetimeSeconds: queue.lifetimeSeconds,
      claim: mayClaim ? { instanceId, leaseSeconds: queue.leaseSeconds } : undefined,
    };
  }

  #store(messages: NewMessage[]): Promise<(IntakeOutcome | Error)[]> {
    return storeEach(this.#context.pool, messages);
  }

  /** In the transaction that its chunks were written in. */
  async #storeLong(
    message: NewMessage,
    { client }: { client: pg.PoolClient },
  ): Promise<IntakeOutcome | Error> {
    try {
      const [outcome] = await storeEach(client, [message]);
      if (!outcome || outcome instanceof Error) throw outcome ?? new Error('no outcome');
      await client.query(outcome.outcome === 'queued' ? 'commit' : 'rollback');
      client.release();
      return outcome;
    } catch (error) {
      client.release(true);
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #tellMaster(message: NewMessage, { claimed }: { claimed: ClaimedRow[] }): void {
    if (this.#fresh.length + this.#due.size + this.#later.length === 0) setImmediate(() => this.#announce());
    if (claimed.length > 0) {
      this.#fresh.push(...claimed);
      return;
    }
    const { zone, identity, envelope } = message;
    const { organizationId, priority = DEFAULT_PRIORITY } = identity;
    for (const recipient of envelope.to) {
      const flow = { zone, organizationId, domain: recipientDomain(recipient), priority };
      if (envelope.deferDelivery) this.#later.push({ ...flow, dueAt: envelope.deferDelivery });
      else this.#due.set(flowId(flow), flow);
    }
  }

  /** What was committed together is told together. */
  #announce(): void {
    while (this.#fresh.length > 0) {
      const message: FreshMessage = { rows: this.#fresh.splice(0, MAX_ROWS_PER_FRAME) };
      this.#send(wire.fresh, message);
    }
    const flows = [...this.#due.values()];
    this.#due.clear();
    while (flows.length > 0) {
      const message: DueMessage = { flows: flows.splice(0, MAX_ROWS_PER_FRAME) };
      this.#send(wire.due, message);
    }
    while (this.#later.length > 0) {
      const message: LaterMessage = { flows: this.#later.splice(0, MAX_ROWS_PER_FRAME) };
      this.#send(wire.later, message);
    }
  }

  #send(key: string, value: unknown): void {
    this.#sendCommand({ cmd: 'SETCACHE', key, value }, () => {});
  }

  /** At most ten times a second, and only while mail comes in. */
  #refreshState(): void {
    if (performance.now() - this.#stateAt < STATE_MS) return;
    this.#stateAt = performance.now();
    this.#sendCommand({ cmd: 'GETCACHE', key: wire.intake }, (error, state) => {
      if (!error && state) this.#state = state as IntakeState;
    });
  }
}

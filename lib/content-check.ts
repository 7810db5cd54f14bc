/**
 * A check of a whole message by another program, made while the message comes in and asked for its result before the
 * message is queued. What plugins that do so share.
 */
import { type Readable, Transform } from 'node:stream';
import type { Envelope } from './mta-types.ts';

/** The fields by which the worker addresses a message; they are not part of it (plugins/intake). */
const IDENTITY = /^(?:x-postern-[^\n]*\n)+/i;

export type CheckResult<Finding> = { ok: true; finding: Finding } | { ok: false; error: unknown };

/** The checks under way, by message. */
export class ContentChecks<Finding> {
  readonly #checks = new WeakMap<Envelope, Promise<CheckResult<Finding>>>();

  /** Begins it. @param content as `message:content` gives it; what the check throws is its result */
  start(
    envelope: Envelope,
    content: Buffer | Readable,
    check: (content: Buffer | Readable) => Promise<Finding>,
  ): void {
    const checked = check(withoutIdentity(content)).then(
      (finding): CheckResult<Finding> => ({ ok: true, finding }),
      (error: unknown): CheckResult<Finding> => ({ ok: false, error }),
    );
    this.#checks.set(envelope, checked);
  }

  async result(envelope: Envelope): Promise<CheckResult<Finding>> {
    const checked = this.#checks.get(envelope);
    return checked ?? { ok: false, error: new Error('the message was not shown to the check') };
  }
}

/** They are within the first piece: the worker writes them in front of the message in one go. */
function withoutIdentity(content: Buffer | Readable): Buffer | Readable {
  if (Buffer.isBuffer(content)) return content.subarray(identityLength(content));
  let isFirst = true;
  const rest = new Transform({
    transform(piece: Buffer, _encoding, done) {
      done(null, isFirst ? piece.subarray(identityLength(piece)) : piece);
      isFirst = false;
    },
  });
  content.once('error', (error) => rest.destroy(error));
  content.pipe(rest);
  rest.on('error', () => {}).once('close', () => drainUnread(content));
  return rest;
}

/** The message goes on without its readers; while another check reads it, that one sets the pace. */
function drainUnread(content: Readable): void {
  if (content.listenerCount('data') === 0) content.resume();
}

function identityLength(piece: Buffer): number {
  return IDENTITY.exec(piece.toString('latin1', 0, 8_192))?.[0].length ?? 0;
}
